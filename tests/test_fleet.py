"""Many workers are one: the same load, a balanced ledger, under every fault; on simulated time."""

import re
from collections import Counter
from itertools import pairwise
from unittest import mock

import gevent
import pytest

from chaperon import Environment, Scenario, feed, iterations, rate, run, step, users
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.cluster_run import ClusterRun
from chaperon.cluster.master.coordinator import Patience
from chaperon.cluster.master.leases import LeaseTable
from chaperon.cluster.master.losses import ROWS_NOTE
from chaperon.cluster.transport.in_memory import LossyNetwork
from chaperon.cluster.worker.engine_codes import LEFT, ORPHANED, OVER, REFUSED
from chaperon.cluster.worker.join import Identity
from chaperon.cluster.worker.worker import Worker
from chaperon.errors import LoadError, WorkersMissing
from chaperon.report.report import Verdict
from chaperon.testing import VirtualClock

pytestmark = pytest.mark.long


class Ground:
    """A master with workers, all in this process, on one simulated clock."""

    def __init__(self, load, *, took=0.1, grace=2.0, limits=(), **net):
        self.clock = VirtualClock()
        self.net = LossyNetwork(self.clock, **net)
        self.made = []
        self.told = []
        self.said = []
        self.codes = {}
        self.crew = {}

        @step
        def visit(session):
            self.made.append((session.visit.due, session.visit.number, session.visit.user))
            session.clock.sleep(took)

        self.environment = Environment(
            scenarios=[run(Scenario(visit, name="shop"), load)], limits=limits, grace=grace, name="ground", seed=7
        )

    def worker(self, name, *, life=1, capacity=1.0, load_environment=None, identify=Identity):
        identity = identify(name, life, capacity)
        worker = Worker(
            self.net.connect(identity.routing_id),
            identity,
            load_environment or (lambda welcome, data: self.environment),
            self.clock,
            announce=self.said.append,
        )
        self.crew[name] = worker
        gevent.spawn(lambda: self.codes.__setitem__(f"{name}/{life}", worker.run()))
        return worker

    def fleet(self, workers, *, outputs=(), run_file=None, **patience):
        self.master = ClusterRun(
            self.environment.plan(),
            self.net.master,
            ScenarioBundle("shop.py"),
            workers=workers,
            patience=Patience(**patience),
            clock=self.clock,
            notify=self.told.append,
        )
        starting = gevent.spawn(self.master.start, outputs, run_file)
        self.clock.run(starting.ready)
        starting.get()
        return self.master

    def after(self, seconds, deed):
        self.clock.after(self.master.state.began - self.clock.now() + seconds, deed)

    def kill(self, name, life=1):
        """End a worker as a machine that loses its power does."""
        self.net.cut.add(f"{name}/{life}".encode())
        sending = self.crew[name].assignment.load
        sending.engine.stop(0.0)

    def play(self):
        self.clock.run(lambda: self.master.ended)
        leaving = gevent.spawn(self.master.__exit__, None, None, None)
        self.clock.run(leaving.ready)
        return self.master.report()


def events(report):
    """The moment and the kind of each event."""
    return [(event.at, event.kind) for _, event in report.happenings]


@pytest.fixture
def ground():
    return Ground


LOADS = [rate(20, hold=10), users(9, ramp=3, hold=6, think=0.5), iterations(50, users=6), users(10)]


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_three_workers_make_the_same_visits_as_one(ground, load):
    made = []
    for n in (1, 3):
        stage = ground(load)
        for k in range(n):
            stage.worker(f"w{k}")
        stage.fleet(n)
        report = stage.play()
        made.append(stage.made)
        assert report.verdict is Verdict.PASS
        assert report.ledger["shop"].balanced
        assert report["visit"].count == len(stage.made) == report.ledger["shop"].done

    one, three = made
    if isinstance(load, type(LOADS[0])):
        assert [(due, number) for due, number, _ in one] == [(due, number) for due, number, _ in three]
    elif load in (LOADS[2], LOADS[3]):
        assert Counter((n, u) for _, n, u in one) == Counter((n, u) for _, n, u in three)
    else:
        assert len(one) == pytest.approx(len(three), rel=0.05)
        assert {u for *_, u in one} == {u for *_, u in three}


def test_all_workers_start_at_the_same_instant(ground):
    stage = ground(users(3))
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.play()

    assert {due for due, *_ in stage.made} == {0.0}


def test_a_worker_that_sends_is_heard_of_in_each_half_heartbeat_by_a_window_or_a_ping(ground):
    stage = ground(rate(20, hold=10))
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    heard = {"w0": [], "w1": []}
    answer, add_window = stage.master.state.answer, stage.master.state.add_window

    def record(kind, message):
        at = stage.clock.now() - stage.master.state.began
        if 2.3 < at < 9.3:
            heard[message.worker].append((kind, at))

    def answered(ping, *args, **named):
        record("ping", ping)
        return answer(ping, *args, **named)

    def added(frame):
        record("window", frame)
        return add_window(frame)

    with (
        mock.patch.object(stage.master.state, "answer", answered),
        mock.patch.object(stage.master.state, "add_window", added),
    ):
        stage.play()

    for told in heard.values():
        assert Counter(kind for kind, _ in told) == {"ping": 7, "window": 7}
        assert all(kind != before for (before, _), (kind, _) in pairwise(told))
        assert max(after - at for (_, at), (_, after) in pairwise(told)) < 0.6


def test_workers_leave_in_order_when_all_windows_are_in(ground):
    stage = ground(rate(10, hold=5))
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)

    report = stage.play()

    stage.clock.run(lambda: len(stage.codes) == 2)
    assert stage.codes == {"w0/1": OVER, "w1/1": OVER}
    assert [(w.name, w.lost) for w in report.workers] == [("w0", False), ("w1", False)]


def test_uneven_workers_get_uneven_numbers_of_shares(ground):
    stage = ground(rate(80, hold=5))
    stage.worker("small")
    stage.worker("large", capacity=3)
    stage.fleet(2)
    ledger = stage.master.state.leases

    held = {name: len(ledger.leases((name, 1))) for name in ("small", "large")}
    stage.play()

    assert held == {"small": 4, "large": 12}


@pytest.mark.parametrize("trouble", [{"loss": 0.3}, {"duplication": 0.5}, {"delay": 0.8}], ids=str)
def test_lost_doubled_late_messages_change_nothing(ground, trouble):
    stage = ground(rate(20, hold=10), seed=3, **trouble)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)

    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.planned == ledger.done + ledger.dropped == 200  # who hears late of the start drops what is too late
    assert len(stage.made) == ledger.done >= 190
    assert report.verdict is Verdict.PASS


def test_a_worker_that_falls_silent_is_given_up_and_its_load_goes_on_elsewhere(ground):
    stage = ground(rate(30, hold=60))
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(20.0, lambda: stage.kill("w1"))

    report = stage.play()
    ledger = report.ledger["shop"]

    assert ledger.planned == 1800
    assert ledger.balanced
    assert 90 <= ledger.lost <= 120
    assert {row.at for row in report.seconds if row.counts.lost} <= set(range(18, 33))
    assert sum(row.counts.planned for row in report.seconds) == 1800
    assert report.verdict is Verdict.INVALID
    assert [w.name for w in report.workers if w.lost] == ["w1"]
    assert any("visits (" in each and "lost with a worker" in each for each in report.warnings)
    assert events(report) == [(pytest.approx(30, abs=1.5), "lost")]
    assert re.fullmatch(r"w1 lost: silent since (19|20)\.\d s", report.happenings[0][1].text)
    assert stage.told[-1] == report.happenings[0][1].text


@pytest.mark.parametrize("load", [users(9, hold=60), iterations(900, users=9)], ids=str)
def test_closed_loads_go_on_when_a_worker_is_gone(ground, load):
    stage = ground(load, took=0.5)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(20.0, lambda: stage.kill("w1"))

    report = stage.play()

    assert report.ledger["shop"].balanced
    assert report.ledger["shop"].lost <= 9
    assert {u for due, _, u in stage.made if due > 35} == set(range(9))


def test_a_late_joiner_takes_shares_over_and_nothing_is_lost(ground):
    stage = ground(rate(40, hold=30))
    stage.worker("w0")
    stage.fleet(1)
    stage.after(10.0, lambda: stage.worker("w1"))

    report = stage.play()

    assert report.ledger["shop"].planned == report.ledger["shop"].done == 1200
    assert sorted(n for _, n, _ in stage.made) == list(range(1200))
    visits = {w.name: w.visits for w in report.workers}
    assert visits["w1"] == pytest.approx(400, abs=30)
    assert report["visit"].response.high < 1.2
    assert events(report) == [(pytest.approx(10.5, abs=1.5), "joined")]
    assert stage.told[-1] == report.happenings[0][1].text == "w1 joined"


def test_a_worker_that_leaves_hands_its_shares_back(ground):
    stage = ground(rate(40, hold=30))
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(10.0, lambda: stage.crew["w1"].leave())

    report = stage.play()

    assert report.ledger["shop"].planned == report.ledger["shop"].done == 1200
    assert stage.codes["w1/1"] == LEFT
    assert "worker w1: it has left the run" in stage.said
    assert "worker w1: the run is over" not in stage.said
    assert report.verdict is Verdict.PASS
    assert events(report) == [(pytest.approx(10.5, abs=1.5), "left")]


def test_a_worker_cut_off_for_long_is_fenced_and_counts_nothing_twice(ground):
    stage = ground(rate(30, hold=60))
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(15.0, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(35.0, lambda: stage.net.cut.discard(b"w1/1"))

    report = stage.play()
    ledger = report.ledger["shop"]

    assert ledger.balanced
    assert ledger.done == len(stage.made) == len({n for _, n, _ in stage.made})
    assert ledger.planned == 1800
    assert not any("and its successor again" in note for note in report.notes)


def test_a_cut_that_heals_before_patience_ends_changes_nothing(ground):
    stage = ground(rate(30, hold=40))
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(15.0, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(22.0, lambda: stage.net.cut.discard(b"w1/1"))

    report = stage.play()

    assert report.ledger["shop"].done == report.ledger["shop"].planned == 1200
    assert report.verdict is Verdict.PASS


def test_without_its_master_a_worker_pauses_when_its_leases_end_and_leaves_after_the_dead_mans_time(ground):
    stage = ground(rate(10, hold=200))
    stage.worker("w0")
    stage.fleet(1)
    stage.after(20.0, lambda: stage.net.cut.add(b"w0/1"))

    stage.clock.run(lambda: "w0/1" in stage.codes)

    assert stage.codes["w0/1"] == ORPHANED
    assert max(due for due, *_ in stage.made) == pytest.approx(29, abs=0.6)
    assert stage.clock.now() - stage.master.state.began == pytest.approx(50, abs=1.5)


def test_a_fault_of_our_own_at_the_end_is_told_and_nobody_waits_for_ever(ground, monkeypatch):
    stage = ground(rate(10, hold=3))
    stage.worker("w0")
    fleet = stage.fleet(1)
    monkeypatch.setattr(fleet.state, "conclude", lambda now: 1 / 0)

    report = stage.play()

    assert report.verdict is Verdict.INVALID
    assert report.reasons[0] == "a fault of Chaperon's own in the master: ZeroDivisionError: division by zero"
    assert report["visit"].count == 30


def test_stopping_the_fleet_stops_every_worker_within_the_grace(ground):
    stage = ground(rate(30, hold=100))
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(10.01, lambda: stage.master.stop("ended early"))

    report = stage.play()

    assert report.verdict is Verdict.ABORTED
    assert report.ledger["shop"].planned == report.ledger["shop"].done == len(stage.made)
    assert report.duration == pytest.approx(10, abs=1)


def test_a_scenario_on_one_worker_can_stop_the_run_for_all(ground):
    stage = ground(rate(30, hold=100))

    @step
    def stop(session):
        stage.made.append((session.visit.due, session.visit.number, 0))
        if session.visit.number == 100:
            session.stop_run("enough")

    stage.environment = Environment(scenarios=[run(Scenario(stop, name="shop"), rate(30, hold=100))], name="g")
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)

    report = stage.play()

    assert report.verdict is Verdict.ABORTED
    assert report.reasons == ("enough",)
    assert report.duration < 5


def test_a_worker_that_cannot_run_it_says_why_before_the_start(ground):
    def broken(welcome, data):
        raise LoadError("shop.py, line 3: no module named numpy")

    stage = ground(users(2))
    stage.worker("w0")
    stage.worker("w1", load_environment=broken)

    with pytest.raises(LoadError, match=r"w1 on .* line 3: no module named numpy"):
        stage.fleet(2)
    assert not stage.made


def test_workers_that_do_not_come_are_not_waited_for_longer_than_asked(ground):
    stage = ground(users(2))
    stage.worker("w0")

    with pytest.raises(WorkersMissing, match="1 of 2 workers were ready after 5 s"):
        stage.fleet(2, gather=5.0)


def test_a_second_worker_of_the_same_name_is_refused_and_the_first_not_disturbed(ground):
    stage = ground(rate(10, hold=20))
    stage.worker("w0")
    stage.fleet(1)
    stage.after(5.0, lambda: stage.worker("w0", life=2))

    report = stage.play()

    assert stage.codes["w0/2"] == REFUSED
    assert "a worker named 'w0' is here already" in stage.crew["w0"].reason
    assert report.ledger["shop"].done == 200


def test_a_run_for_another_master_is_left_for_the_new_one(ground):
    stage = ground(rate(10, hold=200))
    stage.worker("w0")
    stage.fleet(1)
    first = stage.master
    stage.after(5.0, lambda: setattr(first.state, "run", 12345))

    stage.clock.run(lambda: "w0/1" in stage.codes)

    assert stage.codes["w0/1"] == ORPHANED
    assert max(due for due, *_ in stage.made) < 6.5


def test_lateness_of_order_is_no_loss_when_the_share_was_given_back(ground):
    stage = ground(rate(40, hold=30), took=3.0, grace=5.0)
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(10.0, lambda: stage.crew["w1"].leave())

    report = stage.play()

    assert report.ledger["shop"].planned == 1200
    assert report.ledger["shop"].lost == 0
    assert report["visit"].response.high < 3.5


def test_whoever_leaves_does_not_wait_for_a_master_that_is_gone(ground):
    stage = ground(rate(10, hold=60))
    stage.worker("w0")
    stage.worker("w1")
    stage.fleet(2, worker_timeout=10.0, master_timeout=50.0)
    left = []

    def leave():
        stage.net.cut.add(b"w0/1")
        stage.crew["w0"].leave()

    stage.after(5, leave)
    stage.after(20, lambda: left.append(stage.codes.get("w0/1")))
    report = stage.play()

    assert left == [LEFT]
    assert report.ledger["shop"].balanced


@pytest.mark.parametrize("lost", [False, True])
def test_no_row_of_a_feed_is_taken_twice_by_whomever(ground, lost):
    stage, rows = ground(rate(30, hold=30)), []
    customers = feed(range(5_000), order="unique")

    @step
    def take(session):
        rows.append(session.take(customers))

    stage.environment = Environment(scenarios=[run(Scenario(take, name="shop"), rate(30, hold=30))], name="g")
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    if lost:
        stage.after(10.0, lambda: stage.kill("w1"))
    else:
        stage.after(10.0, lambda: stage.crew["w1"].leave())

    report = stage.play()

    twice = len(rows) - len(set(rows))
    assert twice <= 5 if lost else twice == 0  # what was dealt after the last ping, half a second ago, is not knows
    assert report.notes.get(ROWS_NOTE, 0) == int(lost)
    assert report.ledger["shop"].balanced
    assert len(set(rows)) > 600


def test_a_worker_lost_before_the_run_began_is_no_fault_when_another_is_lost_in_it(ground):
    stage = ground(rate(10, hold=20))
    stage.worker("early")
    stage.worker("w1")
    stage.clock.after(1.0, lambda: stage.net.cut.add(b"early/1"))
    for name in ("w2", "w3"):
        stage.clock.after(30.0, lambda name=name: stage.worker(name))
    stage.fleet(3)
    stage.after(5.0, lambda: stage.kill("w1"))

    report = stage.play()

    assert not [reason for reason in report.reasons if "fault of Chaperon's own" in reason]
    assert [(worker.name, worker.lost) for worker in report.workers] == [("w1", True), ("w2", False), ("w3", False)]
    assert report.ledger["shop"].planned == 200
    assert report.ledger["shop"].balanced


def test_a_queue_that_is_full_ends_a_round_of_offers():
    stage = Ground(users(300, hold=3))
    refused, rounds = [], []
    offers = LeaseTable.offers
    stage.net.master.offer = lambda offer: refused.append(offer.lease.share)

    def counted(self, now, **which):
        rounds.append(now)
        return offers(self, now, **which)

    with mock.patch.object(LeaseTable, "offers", counted):
        stage.worker("alpha")
        with pytest.raises(WorkersMissing):
            stage.fleet(1, gather=3.0)

    assert 0 < len(refused) <= len(rounds)
