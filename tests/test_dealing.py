"""A thousand workers join and get their shares in a few seconds, and in work that grows with their number alone."""

import sys
from collections import Counter, deque

import pytest

from chaperon import Environment, Scenario, rate, run, users
from chaperon._version import VERSION
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.cluster_run import SHARES, ClusterRun
from chaperon.cluster.master.leases import LeaseTable
from chaperon.cluster.protocol.messages import Hello, Ping, Welcome
from chaperon.load.share import deal


def idle(session):
    """A visit that is never made."""


class PlayedFleet:
    """Clock, link and workers of one master, in one thread: a message takes *trip* seconds, workers answer at once.

    Each of the *slots* holds one offer until its worker has claimed it, as a ZeroMQ queue of one message does.
    """

    def __init__(self, workers, load, *, trip=0.0001, slots=None):
        self.dropped = Counter()
        self.time, self.trip = 1000.0, trip
        self.workers, self.slots = workers, slots or workers
        self.sent, self.handled, self.offered, self.calls = deque(), 0, 0, 0
        self.environment = Environment(scenarios=[run(Scenario(idle, name="shop"), load)], brake=None)
        self.master = ClusterRun(self.environment.plan(), self, ScenarioBundle("shop.py"), workers=workers, clock=self)

    # what a clock does

    def now(self):
        return self.time

    def sleep(self, seconds):
        """Deliver what is under way until the time has passed."""
        until = self.time + seconds
        while self.sent and self.time < until:
            self.time += self.trip
            self.handled += 1
            self.deliver(*self.sent.popleft())
        self.time = max(self.time, until)

    # what a link does

    def send(self, peer, message):
        if isinstance(message, Welcome):
            self.sent.append((peer, message))

    def offer(self, offer):
        if len(self.sent) >= self.slots:
            return False
        self.offered += 1
        self.sent.append((b"w%d/1" % (self.offered % self.workers), offer))
        return True

    def listen(self, on_message, *others):
        self.on_message = on_message

    def close(self):
        """There is nothing to close."""

    # what workers do

    def deliver(self, peer, message):
        name = peer.decode().partition("/")[0]
        if isinstance(message, Welcome):
            answer = Ping(name, 1, message.run, "ready", self.time)
        else:
            answer = Ping(name, 1, message.run, "ready", self.time, "", (message.lease,))
        self.on_message(peer, answer)

    def gather(self):
        """Let all workers join and deal them their shares; return the seconds of each."""
        self.listen(self.master._coordinator.on_message)
        began = self.time
        for number in range(self.workers):
            self.on_message(b"w%d/1" % number, Hello(f"w{number}", 1, VERSION, "3.11", "host", 1, 1.0))
        self.master._coordinator.wait_for_workers(self.workers, lambda text: None)
        return self.time - began

    def counted_calls(self):
        """Return how many Python functions of the master were called for `gather`."""

        def count(frame, event, value):
            self.calls += event == "call" and "/cluster/master/" in frame.f_code.co_filename

        sys.setprofile(count)
        try:
            self.gather()
        finally:
            sys.setprofile(None)
        return self.calls


@pytest.mark.long
@pytest.mark.parametrize("slots", [None, 1], ids=["a queue for each worker", "one queue for all"])
@pytest.mark.parametrize("load", [users(8_000, hold="1h"), rate(1_000, hold="1h")], ids=str)
def test_a_thousand_workers_get_their_shares_in_a_few_seconds(load, slots):
    fleet = PlayedFleet(1_000, load, slots=slots)

    seconds = fleet.gather()

    leases = fleet.master.state.leases
    assert leases.all_dealt
    assert {len(leases.leases((f"w{number}", 1))) for number in range(1_000)} == {SHARES}
    assert seconds < 4.0
    assert fleet.offered < 1.2 * 8_000


def test_the_work_of_dealing_grows_with_the_number_of_workers_and_not_with_its_square():
    few, many = (PlayedFleet(workers, users(8_000, hold="1h")).counted_calls() for workers in (250, 1_000))

    assert many < 4.6 * few


def test_a_refused_claim_is_not_answered_with_another_offer_at_once():
    table = LeaseTable(deal([("shop", rate(10, hold=60))], 4))
    table.set_capacities({("a", 1): 1, ("b", 1): 1})
    claimed = [table.claim(("a", 1), lease) for lease in table.offers(0.0)]

    assert claimed == [True, True, False, False]
    assert not list(table.offers(0.0, refused=False))
    assert not table.all_dealt
    assert len(table.unowned) == 2
    assert [lease.attempt for lease in table.offers(0.0)] == [2, 2]


def test_a_late_worker_costs_a_fleet_of_a_thousand_one_look_at_each():
    fleet = PlayedFleet(1_000, rate(1_000, hold="1h"))
    fleet.gather()
    leases, looks = fleet.master.state.leases, Counter()
    capacities = {(f"w{number}", 1): 1.0 for number in range(1_001)}

    def count(frame, event, value):
        looks[frame.f_code.co_name] += event == "call"

    sys.setprofile(count)
    try:
        leases.set_capacities(capacities)
    finally:
        sys.setprofile(None)

    assert looks["wanting"] <= 1
    assert looks["surplus"] == 1_000
    assert sum(looks.values()) < 20_000


def test_a_share_is_recalled_from_a_worker_once_it_knows_that_it_has_it():
    table, alpha, beta = LeaseTable(deal([("shop", rate(10, hold=60))], 4)), ("alpha", 1), ("beta", 1)
    table.set_capacities({alpha: 1.0})
    offered = list(table.offers(0.0))
    assert all(table.claim(alpha, lease) for lease in offered)

    table.set_capacities({alpha: 1.0, beta: 1.0})
    assert len(table.leases(alpha)) == 4  # the answer to its claims may be lost

    table.confirm(alpha, offered[:1])
    table.set_capacities({alpha: 1.0, beta: 1.0})
    assert {lease.share for lease in table.leases(alpha)} == {lease.share for lease in offered[1:]}

    table.confirm(alpha, offered)
    table.set_capacities({alpha: 1.0, beta: 1.0})
    assert len(table.leases(alpha)) == 2
