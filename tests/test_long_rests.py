"""Users that rest for long wait without a greenlet: when they go on, and what ends or changes their rest."""

import socket
from contextvars import ContextVar

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage, Visitors
from thorough import examples

from chaperon import iterations, users, users_per_second
from chaperon.client.network.resolver import Resolver
from chaperon.client.network.tcp import TcpStream
from chaperon.clock import HubClock
from chaperon.load.plan import most_users
from chaperon.load.share import deal


@pytest.fixture
def greenlets():
    """Return the greenlets that have been started in the test and have not ended."""
    started = []
    gevent.Greenlet.add_spawn_callback(started.append)
    yield lambda: {each for each in started if not each.dead}
    gevent.Greenlet.remove_spawn_callback(started.append)


LOADS = {
    "users": lambda think: users(20, hold=1000, think=think),
    "users with pacing": lambda think: users(20, hold=1000, pacing=think + 1),
    "iterations": lambda think: iterations(400, users=20, think=think),
    "iterations each": lambda think: iterations(20, users=20, each=True, think=think),
    "arriving users": lambda think: users_per_second(20, visits=20, hold=1, think=think),
}


@pytest.mark.long
@pytest.mark.parametrize("name", LOADS)
def test_a_long_rest_keeps_no_greenlet_and_a_short_one_does(name, greenlets):
    resting = Stage(LOADS[name](50), took=1.0).play(until=10)
    long = greenlets()
    waiting = Stage(LOADS[name](1.5), took=1.0).play(until=2.2)

    assert resting.engine.present == waiting.engine.present == 20
    assert len(long) < 5
    assert len(greenlets() - long) >= 20


@settings(max_examples=examples(40))
@given(st.sampled_from([0.5, 1.999, 2.0, 3.0, 20.0]), st.sampled_from([0.0, 0.1, 5.0]), st.integers(1, 60))
def test_visits_begin_at_the_same_times_however_long_the_rest_is(think, took, n):
    stage = Stage(users(n, hold=3.5 * (think + took), think=think), took=took).play()

    times = {}
    for arrival, at in stage.visitors.visits:
        times.setdefault(arrival.user, []).append(at - stage.began)
    assert len(times) == n
    for user, begun in times.items():
        assert begun == pytest.approx([k * (think + took) for k in range(4)], abs=1e-4), user
    assert sorted(stage.visitors.left) == list(range(n))
    assert stage.ledger().balanced


def test_arriving_users_continue_after_a_long_rest_and_are_due_then():
    stage = Stage(users_per_second(1, visits=3, hold=2, think=10), took=1.0, grace=60).play()

    assert [round(arrival.due - stage.began, 6) for arrival, _ in stage.visitors.visits] == [0, 1, 11, 12, 22, 23]
    assert sorted(stage.visitors.left) == [0, 1]
    assert stage.ledger().done == 6


@pytest.mark.parametrize("load", [users(8, hold=1000, think=500), users_per_second(8, visits=5, hold=1, think=500)])
def test_a_stop_ends_a_long_rest_at_once(load):
    stage = Stage(load, took=1.0).play(until=10)

    stage.engine.stop()
    stage.play()

    assert stage.clock.now() == stage.began + 10.0
    assert sorted(stage.visitors.left) == list(range(8))
    assert stage.ledger().balanced


def test_users_that_leave_early_leave_from_their_rest_and_others_rest_on():
    stage = Stage(users(8, hold=1000, think=500), took=1.0).play(until=10)

    stage.engine.scale(0.5)
    stage.play(until=11)

    assert stage.engine.present == 4
    assert len(stage.visitors.left) == 4
    stage.play(until=600)
    assert len(stage.visitors.visits) == 8 + 4


def test_a_pause_lets_no_rested_user_begin():
    stage = Stage(users(3, hold=100, think=20), took=1.0).play(until=5)
    stage.engine.pause()
    stage.play(until=40)
    assert len(stage.visitors.visits) == 3

    stage.engine.resume()
    stage.play(until=41)

    assert len(stage.visitors.visits) == 6
    assert stage.play().ledger().balanced


def test_a_share_is_returned_while_its_users_rest():
    stage = Stage(users(4, hold=1000, think=500), took=1.0, keep_alive=True).play(until=10)
    (name,) = stage.progress

    stage.engine.release(name)
    stage.play(until=11)

    assert stage.engine.share_states == {name: "returned"}
    assert len(stage.visitors.left) == 4


def test_an_abandoned_run_wakes_no_resting_user():
    stage = Stage(users(4, hold=1000, think=500), took=1.0).play(until=10)

    stage.engine.abandon()
    stage.play()

    assert stage.clock.now() < stage.began + 500
    assert len(stage.visitors.visits) == 4
    assert stage.visitors.left == []


SEEN = ContextVar("SEEN", default=0)


class Counting(Visitors):
    def visit(self, arrival):
        SEEN.set(SEEN.get() + 1)
        self.counts.append((arrival.user, SEEN.get()))
        return super().visit(arrival)


@pytest.mark.parametrize("think", [0.5, 20])
def test_context_variables_last_over_the_rests_of_a_user(think):
    stage = Stage(users(2, hold=2.5 * think + 3, think=think), Counting, took=1.0)
    stage.visitors.counts = []

    stage.play()

    assert stage.visitors.counts == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]


class BrokenLater(Visitors):
    def visit(self, arrival):
        if self.clock.now() > self.began + 5.0:
            raise RuntimeError("a fault")
        return super().visit(arrival)


def test_a_fault_ends_a_run_whose_other_users_rest():
    stage = Stage(users(4, hold=1000, think=500) | users(1, hold=1000, think=7), BrokenLater, took=1.0)
    stage.visitors.began = stage.began

    stage.play()

    with pytest.raises(RuntimeError, match="a fault"):
        stage.greenlet.get()
    assert stage.clock.now() < stage.began + 100
    assert len(stage.visitors.visits) == 5


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_not_looked_up(host):
    resolver, turns = Resolver(), gevent.get_hub().loop.iteration

    (found,) = resolver.resolve(host, 80)

    assert (resolver.asked, gevent.get_hub().loop.iteration) == (0, turns)
    assert found[1][:2] == (host, 80)
    assert resolver.resolve(host, 80) == [found]


@pytest.mark.parametrize("host", ["localhost", "no such host", "127.0.0.1.", "a\0b", ""])
def test_what_is_no_address_is_looked_up(host):
    resolver = Resolver()

    try:
        found = resolver.resolve(host, 80)
    except (OSError, ValueError):
        found = []

    assert resolver.asked == 1
    assert all(address[1] == 80 for _, address in found)


def test_a_connection_over_loopback_does_not_wait_for_the_hub():
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream, turns = TcpStream(socket.AF_INET, HubClock().now), gevent.get_hub().loop.iteration

        stream.connect(server.getsockname())

        assert gevent.get_hub().loop.iteration == turns
        stream.send(b"hello")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(5) == b"hello"
        stream.close()


def test_a_refused_connection_over_loopback_says_so():
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
    stream = TcpStream(socket.AF_INET, HubClock().now)

    with pytest.raises(ConnectionRefusedError):
        stream.connect(place)
    stream.close()


@pytest.mark.parametrize(
    ("load", "most"),
    [
        (users(5, hold=9), 5),
        (users(5, ramp=3, hold=9) >> users(7, hold=9), 7),
        (users(5, hold=9) | users(7, hold=9), 12),
        (users(5) | users_per_second(9, hold=9), 5),
        (iterations(50, users=4) | users(2, hold=3), 6),
        (users_per_second(9, hold=9), 0),
    ],
    ids=str,
)
def test_the_most_users_at_once_are_those_of_loads_that_overlap(load, most):
    assert most_users(deal([("shop", load)])) == most
