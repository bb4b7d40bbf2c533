"""The engine makes every visit when it is due, and accounts for each of them."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage, Visitors
from thorough import examples

from chaperon.errors import Interrupted
from chaperon.load.kinds.think import between
from chaperon.load.kinds.users import Users
from chaperon.load.shapes import iterations, rate, users, users_per_second
from chaperon.measure.window import VisitCounts
from chaperon.timers import CALLS_PER_ITERATION


@pytest.mark.long
def test_a_rate_starts_each_visit_from_absolute_times_for_an_hour():
    stage = Stage(rate(3, hold="1h"), took=0.05).play()

    assert stage.starts() == [round(i / 3, 6) for i in range(10_800)]
    assert stage.ledger() == VisitCounts(planned=10_800, done=10_800)


def test_an_open_load_does_not_wait_for_slow_visits():
    stage = Stage(rate(10, hold=2), took=5.0).play()

    assert stage.starts() == [i / 10 for i in range(20)]
    assert len({arrival.user for arrival, _ in stage.visitors.visits}) == 20


def test_an_open_load_takes_the_idle_user_that_was_used_last():
    stage = Stage(rate(10, hold=1), took=0.05).play()

    assert {arrival.user for arrival, _ in stage.visitors.visits} == {0}
    assert stage.visitors.left == [0]


def test_fresh_arrivals_each_bring_their_own_user():
    stage = Stage(rate(10, hold=1, fresh=True), took=0.05).play()

    assert sorted(stage.visitors.left) == list(range(10))


def test_users_without_hold_make_one_visit_each():
    stage = Stage(users(5), took=2.0).play()

    assert stage.ledger() == VisitCounts(planned=5, done=5)
    assert sorted(stage.visitors.left) == [0, 1, 2, 3, 4]


def test_users_are_ramped_evenly_and_hold_counts_after_the_ramp():
    stage = Stage(users(4, ramp=4, hold=6), took=1.0).play()

    assert stage.starts()[:4] == [0.0, 1.0, 1.0, 2.0]
    assert max(stage.starts()) < 10.0
    assert stage.clock.now() == stage.began + 10.0


def test_think_time_passes_after_each_visit():
    stage = Stage(users(1, hold=10, think=2), took=1.0).play()

    assert stage.starts() == [0.0, 3.0, 6.0, 9.0]


def test_random_think_time_depends_on_the_seed_alone():
    once, again = (Stage(users(2, hold=60, think=between(1, 3)), took=1.0).play().starts() for _ in range(2))

    assert once == again
    assert len(set(once)) > 10


def test_iterations_are_shared_and_end_when_they_are_done():
    stage = Stage(iterations(10, users=3), took=1.0).play()

    assert Counter(arrival.number for arrival, _ in stage.visitors.visits) == Counter(range(10))
    assert stage.ledger() == VisitCounts(planned=10, done=10)


def test_iterations_that_hold_cuts_short_are_dropped():
    stage = Stage(iterations(100, users=2, hold=5), took=1.0).play()

    assert stage.ledger() == VisitCounts(planned=100, done=10, dropped=90)


def test_iterations_nobody_is_left_to_take_are_dropped():
    stage = Stage(iterations(10, users=2), stays=False, fate="failed").play()

    assert stage.ledger() == VisitCounts(planned=10, failed=2, dropped=8)


def test_visits_in_flight_at_the_end_have_their_grace_then_are_interrupted():
    stage = Stage(users(3, hold=5), took=60.0, grace=4.0).play()

    assert stage.ledger() == VisitCounts(planned=3, interrupted=3)
    assert stage.clock.now() == stage.began + 9.0
    assert sorted(stage.visitors.left) == [0, 1, 2]


def test_visits_that_end_within_their_grace_are_done():
    stage = Stage(users(3, hold=5), took=8.0, grace=4.0).play()

    assert stage.ledger() == VisitCounts(planned=3, done=3)


def test_stopping_starts_nothing_more_and_lets_visits_finish():
    stage = Stage(rate(1, hold=100), took=3.0).play(until=10.5)

    stage.engine.stop()
    stage.play()

    assert stage.ledger() == VisitCounts(planned=11, done=11)
    assert stage.clock.now() < stage.began + 15.0


def test_stopping_with_no_grace_interrupts_at_once():
    stage = Stage(users(4, hold=100), took=30.0).play(until=10)

    stage.engine.stop(0.0)
    stage.play()

    assert stage.ledger() == VisitCounts(planned=4, interrupted=4)
    assert stage.clock.now() == stage.began + 10.0


@pytest.mark.parametrize(
    ("load", "took"),
    [
        (users(1000, hold=100), 300.0),
        (users(1000, hold=100, think=1), 0.5),
        (users(1000, hold=100, think=30), 0.5),
        (rate(100, hold=100), 300.0),
        (users_per_second(100, hold=100), 300.0),
        (users_per_second(100, visits=9, hold=100, think=30), 0.5),
    ],
    ids=["in flight", "resting", "parked", "visits of an open load", "arriving users", "arriving users parked"],
)
def test_a_stop_ends_thousands_of_users_in_groups_between_which_the_loop_turns(load, took):
    stage = Stage(load, took=took, grace=0.0).play(until=11.0)
    present = []

    def look():
        present.append(stage.engine.present)
        if present[-1]:
            stage.clock.after(0.0, look)

    stage.engine.stop()
    look()
    stage.play()

    present.append(stage.engine.present)
    assert present[0] >= 1000
    assert present[-1] == 0
    assert max(before - after for before, after in pairwise(present)) <= 2 * CALLS_PER_ITERATION
    assert stage.clock.now() == stage.began + 11.0


def test_a_thinking_user_is_woken_by_the_stop():
    stage = Stage(users(1, hold=1000, think=500), took=1.0).play(until=10)

    stage.engine.stop()
    stage.play()

    assert stage.clock.now() == stage.began + 10.0
    assert stage.visitors.left == [0]


class Stubborn(Visitors):
    """Visits that will not be interrupted."""

    def visit(self, arrival):
        while True:
            try:
                self.clock.sleep(1000)
            except (Interrupted, gevent.GreenletExit):
                self.clock.sleep(1000)


def test_a_visit_that_will_not_end_is_counted_and_left_behind():
    stage = Stage(users(1, hold=1), Stubborn, grace=1.0).play()

    assert stage.ledger() == VisitCounts(planned=1, interrupted=1)


class Clinging(Visitors):
    def leave(self, entry, user):
        while True:
            with suppress(BaseException):
                self.clock.sleep(3600)


def test_a_user_who_never_leaves_is_left_behind():
    stage = Stage(users(2, hold=1), Clinging, took=0.5, grace=1.0).play()

    assert stage.ledger() == VisitCounts(planned=4, done=4)


class Broken(Visitors):
    def visit(self, arrival):
        raise ZeroDivisionError("a fault of the visitor")


def test_a_fault_of_the_visitor_ends_the_run_and_is_raised():
    stage = Stage(users(2, hold=50), Broken).play()

    with pytest.raises(ZeroDivisionError):
        stage.greenlet.get()
    assert stage.ledger().balanced


loads = st.one_of(
    st.builds(lambda n, r, h: rate(n, ramp=r, hold=h), st.integers(1, 20), st.integers(0, 5), st.integers(1, 9)),
    st.builds(lambda n, r, h: users(n, ramp=r, hold=h), st.integers(1, 9), st.integers(0, 5), st.integers(1, 9)),
    st.builds(lambda n, u, h: iterations(n, users=u, hold=h), st.integers(1, 50), st.integers(1, 9), st.integers(1, 9)),
)


@settings(max_examples=examples(60))
@given(loads, st.integers(1, 4), st.floats(0.1, 20), st.floats(0, 15), st.booleans())
def test_the_ledger_balances_whatever_the_load_and_whenever_it_is_stopped(load, shares, took, stop_at, at_once):
    stage = Stage(load, shares=shares, took=took, grace=2.0)
    stage.clock.after(stop_at, lambda: stage.engine.stop(0.0 if at_once else None))

    stage.play()

    window = stage.recorder.cut()
    assert all(counts.balanced for counts in window.ledger.values())


def numbers_of(stage):
    return [arrival.number for arrival, _ in stage.visitors.visits]


def test_a_share_taken_while_running_goes_on_from_where_it_stood():
    stage = Stage(rate(1, hold=20), shares=2)
    second = stage.shares.pop()

    stage.play(until=10.5)
    stage.engine.add_share(replace(second, start=5))
    stage.play()

    assert sorted(numbers_of(stage)) == sorted([*range(0, 20, 2), *range(11, 20, 2)])


@pytest.mark.parametrize("load", [rate(4, hold=20), users(4, hold=20), iterations(80, users=4)], ids=str)
def test_a_released_share_is_returned_with_its_place_and_another_makes_the_rest(load):
    stage = Stage(load, shares=2, took=1.0).play(until=5.5)
    released = stage.shares[0]

    stage.engine.release(released.name)
    stage.play(until=8)
    taken = stage.engine.progress[released.name][0]
    states = stage.engine.share_states
    stage.engine.add_share(replace(released, start=taken))
    stage.play()

    assert states == {stage.shares[0].name: "returned", stage.shares[1].name: "going"}
    ledger = stage.ledger()
    assert ledger.balanced
    if not isinstance(load, Users):
        assert set(Counter(numbers_of(stage)).values()) == {1}
        assert ledger.done + ledger.dropped == 80  # what was due too long before it was taken over is dropped


def test_a_share_that_was_made_to_its_end_is_done_and_the_rest_goes_on():
    stage = Stage(users(1), took=1.0, keep_alive=True).play(until=3)

    states = stage.engine.share_states
    stage.engine.finish()
    stage.play()

    assert states == {"0:0/1": "done"}
    assert stage.clock.now() == stage.began + 3


def test_an_engine_that_stays_without_shares_ends_when_it_is_told():
    stage = Stage(users(1), shares=0, keep_alive=True).play(until=50)

    stage.engine.stop()
    stage.play()

    assert stage.ledger() == VisitCounts()
