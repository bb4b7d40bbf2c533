"""The engine follows every shape, drops what it cannot begin in time, changes its load while it runs."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage
from thorough import examples

from chaperon.errors import PlanError
from chaperon.load.in_flight import VisitsInFlight
from chaperon.load.shapes import iterations, pause, rate, spike, stages, stairs, users
from chaperon.measure.window import VisitCounts


def begun(stage, since, until):
    return sum(since <= at < until for at in stage.starts())


def test_users_come_and_go_along_stages():
    stage = Stage(stages((10, 10), (10, 10), (10, 0), of=users), took=1.0).play()

    assert [stage.busy(at) for at in (2.5, 5.5, 15.5, 25.5, 28.5)] == pytest.approx([3, 6, 10, 5, 2], abs=1)
    assert sorted(stage.visitors.left) == list(range(10))


def test_users_who_come_back_are_new_sessions():
    stage = Stage(users(2, hold=5) >> pause(5) >> users(2, hold=5), took=1.0).play()

    assert sorted(stage.visitors.left) == [0, 0, 1, 1]
    assert begun(stage, 5, 10) == 0


def test_stairs_send_as_much_as_each_level_says():
    stage = Stage(stairs(10, 30, by=10, each=5)).play()

    assert [begun(stage, at, at + 5) for at in (0, 5, 10)] == [50, 100, 150]


def test_loads_of_different_kinds_follow_one_another():
    stage = Stage(users(2, hold=5) >> rate(10, hold=5) >> iterations(4, users=2), took=1.0).play()

    assert [begun(stage, at, at + 5) for at in (0, 5)] == [10, 50]
    assert stage.ledger() == VisitCounts(planned=64, done=64)


def test_loads_side_by_side_each_have_their_own_users():
    stage = Stage(users(2, hold=5) | rate(10, hold=5), took=1.0).play()

    assert stage.ledger() == VisitCounts(planned=60, done=60)
    closed = {arrival.user for arrival, _ in stage.visitors.visits if arrival.due is None}
    opened = {arrival.user for arrival, _ in stage.visitors.visits if arrival.due is not None}
    assert closed.isdisjoint(opened)


def test_a_poisson_process_begins_the_same_for_the_same_seed():
    once, again = (Stage(rate(10, hold=20, poisson=True)).play().starts() for _ in range(2))

    assert once == again
    assert len({round(b - a, 3) for a, b in pairwise(once)}) > 50


def test_pacing_is_from_beginning_to_beginning():
    stage = Stage(users(1, hold=20, pacing=5), took=lambda a: 7.0 if a.number == 1 else 1.0).play()

    assert stage.starts() == [0.0, 5.0, 12.0, 17.0]


def test_iterations_of_each_user_are_its_own():
    stage = Stage(iterations(3, users=2, each=True), took=lambda a: 1.0 + a.user).play()

    assert Counter(arrival.user for arrival, _ in stage.visitors.visits) == {0: 3, 1: 3}
    assert stage.ledger() == VisitCounts(planned=6, done=6)


def test_iterations_of_each_user_that_hold_cuts_short_are_dropped():
    stage = Stage(iterations(10, users=2, each=True, hold=5), took=1.0).play()

    assert stage.ledger() == VisitCounts(planned=20, done=10, dropped=10)


def test_visits_carry_the_phase_in_which_they_were_due():
    load = rate(1, hold=4) >> rate(1, hold=3)
    stage = Stage(load >> spike(2, base=1, hold=2), warmup=2).play()

    phases = [arrival.phase for arrival, _ in stage.visitors.visits]
    assert phases[:4] == ["warm-up", "warm-up", "steady at 1/s", "steady at 1/s"]
    assert phases[-1] == "steady at 2/s"


def test_how_long_each_phase_was_is_told():
    stage = Stage(users(10, ramp=5, hold=5), took=1.0).play()

    assert stage.engine.phases(0.0, 7.5) == {("shop", "ramp"): 5.0, ("shop", "steady"): 2.5}


# drops


def test_what_is_due_beyond_the_cap_is_dropped_second_by_second():
    stage = Stage(rate(10, hold=3, in_flight=5), took=2.0).play()

    window = stage.recorder.cut()
    assert [window.ledger["shop", second].dropped for second in range(3)] == [5, 10, 5]
    assert all(counts.balanced for counts in window.ledger.values())


def test_a_cap_is_divided_by_engines_and_never_nothing():
    two = Stage(rate(10, hold=1, in_flight=4), took=5.0, leasing={"engines": 2}).play()
    nine = Stage(rate(10, hold=1, in_flight=4), took=5.0, leasing={"engines": 9}).play()

    assert (two.ledger().done, nine.ledger().done) == (2, 1)


class Busy:
    """Visits that block the whole process: no other greenlet runs meanwhile."""

    def __init__(self, clock, took):
        self.clock, self.took, self.visits, self.left = clock, took, [], []

    def visit(self, arrival):
        from chaperon.load.engine import VisitResult

        self.visits.append((arrival, self.clock.now()))
        self.clock._now += self.took
        return VisitResult("done")

    def leave(self, entry, user):
        self.left.append(user)

    def missed(self, arrival, now):
        """Record nothing."""


def test_an_arrival_too_late_to_begin_is_dropped_with_the_wait_it_suffered():
    stage = Stage(rate(10, hold=10), Busy, took=0.2).play()

    late = max(at - arrival.due for arrival, at in stage.visitors.visits)
    ledger = stage.ledger()
    assert late <= 1.0
    assert ledger.planned == 100
    assert ledger.done == pytest.approx(55, abs=3)
    assert ledger.dropped == 100 - ledger.done
    assert 1.0 < ledger.waited / ledger.dropped < 1.5


def test_without_a_bound_everything_begins_however_late():
    stage = Stage(rate(10, hold=10), Busy, took=0.2, engine={"late": math.inf}).play()

    assert stage.ledger() == VisitCounts(planned=100, done=100)


# changes while it runs


def test_an_open_load_is_scaled_from_now_on():
    stage = Stage(rate(10, hold=30)).play(until=10)

    stage.engine.scale(3)
    stage.play(until=20)
    stage.engine.scale(1)
    stage.play()

    assert [begun(stage, at, at + 10) for at in (0, 10, 20)] == pytest.approx([100, 300, 100], abs=1)
    assert [(h.at, h.text) for h in stage.recorder.cut().happenings] == [
        (10.0, "scaled to 3 times the plan"),
        (20.0, "scaled to 1 times the plan"),
    ]


def test_a_poisson_load_is_scaled_as_well_and_keeps_what_was_due_before():
    plain = Stage(rate(20, hold=20, poisson=True)).play()
    stage = Stage(rate(20, hold=20, poisson=True)).play(until=10)

    stage.engine.scale(2)
    stage.play()

    before = [at for at in plain.starts() if at < 10]
    assert stage.starts()[: len(before)] == before
    assert begun(stage, 10, 20) == pytest.approx(400, abs=60)


def test_a_closed_load_is_scaled_up_and_down():
    stage = Stage(users(4, hold=30), took=1.0).play(until=9.5)

    stage.engine.scale(2)
    stage.play(until=19.5)
    stage.engine.scale(0.5)
    stage.play()

    assert [stage.busy(at) for at in (5.2, 15.2, 25.2)] == [4, 8, 2]
    assert len(stage.visitors.left) == 8


def test_a_load_is_scaled_before_it_begins():
    stage = Stage(rate(10, hold=10, delay=10) | users(2, hold=10, delay=10), took=1.0).play(until=5)

    stage.engine.scale(2)
    stage.play()

    assert begun(stage, 10, 20) == 200 + 40


def test_users_who_left_for_a_reason_do_not_come_back_when_it_is_scaled():
    stage = Stage(users(4, hold=30), took=1.0, stays=False, fate="failed").play(until=9.5)

    assert stage.greenlet.dead
    assert stage.ledger() == VisitCounts(planned=4, failed=4)


@pytest.mark.parametrize("load", [rate(10, hold=30), users(10, hold=30)], ids=str)
def test_a_pause_begins_nothing_and_the_plan_goes_on_after_it(load):
    stage = Stage(load, took=1.0).play(until=10)

    stage.engine.pause()
    stage.play(until=20)
    stage.engine.resume()
    stage.play()

    assert [begun(stage, at, at + 10) for at in (0.5, 10.5, 20.5)] == pytest.approx([100, 0, 100], abs=11)
    assert [h.text for h in stage.recorder.cut().happenings] == ["paused", "resumed"]
    assert stage.clock.now() <= stage.began + 31


def test_what_is_scaled_during_a_pause_counts_after_it():
    stage = Stage(rate(10, hold=30)).play(until=10)

    stage.engine.pause()
    stage.engine.scale(2)
    stage.play(until=20)
    stage.engine.resume()
    stage.play()

    assert [begun(stage, at, at + 10) for at in (10.001, 20)] == [0, 199]


def test_a_share_taken_later_follows_what_was_changed_before():
    stage = Stage(rate(10, hold=30), shares=2)
    second = stage.shares.pop()
    stage.play(until=10)

    stage.engine.scale(2)
    stage.engine.add_share(second)
    stage.play()

    assert len({arrival.number for arrival, _ in stage.visitors.visits}) + 45 == 500  # those of 9 s were too late


@pytest.mark.parametrize("factor", [0, -1, math.inf, math.nan])
def test_a_factor_that_makes_no_sense_is_refused(factor):
    stage = Stage(rate(1, hold=5)).play(until=1)

    with pytest.raises(PlanError):
        stage.engine.scale(factor)


def test_a_run_that_is_over_is_not_changed_any_more():
    stage = Stage(users(2), took=1.0).play()

    stage.engine.scale(5)
    stage.engine.pause()
    stage.play()

    assert len(stage.visitors.visits) == 2
    assert stage.recorder.cut().happenings == []


def test_stopping_during_a_pause_ends_it():
    stage = Stage(users(3, hold=1000) | rate(1, hold=1000), took=1.0).play(until=5)

    stage.engine.pause()
    stage.play(until=10)
    stage.engine.stop()
    stage.play()

    assert stage.clock.now() == stage.began + 10


moves = st.lists(st.tuples(st.floats(0.1, 12), st.sampled_from([0.5, 2, 3, "pause", "resume", "stop"])), max_size=5)
pieces = st.lists(st.tuples(st.floats(0.5, 5), st.integers(0, 6)), min_size=1, max_size=4)


@settings(max_examples=examples(80))
@given(pieces.filter(lambda p: any(n for _, n in p)), st.sampled_from([users, rate]), moves, st.integers(1, 3))
def test_the_ledger_balances_whatever_is_changed_while_it_runs(steps, of, changes, n):
    stage = Stage(stages(*steps, of=of) | iterations(7, users=2, hold=9), shares=n, took=0.7, grace=1.0)
    deeds = {"pause": lambda e: e.pause(), "resume": lambda e: e.resume(), "stop": lambda e: e.stop()}
    for at, what in changes:
        deed = deeds.get(what, lambda e, factor=what: e.scale(factor))
        stage.clock.after(at, lambda deed=deed: stage.engine and deed(stage.engine))

    stage.play()

    assert all(counts.balanced for counts in stage.recorder.cut().ledger.values())
    assert {arrival.user for arrival, _ in stage.visitors.visits} <= set(stage.visitors.left)


@pytest.mark.as_written
def test_arrivals_that_are_too_late_are_dropped_together_and_all_are_accounted_for(monkeypatch):
    stage = Stage(rate(1000, hold=10), engine={"late": 1.0})

    def block(arrival):
        if len(stage.visitors.visits) == 1:
            stage.clock._now += 8.0  # a call that lets no other greenlet run
        return 0.0

    stage.visitors.took = block
    waits = []
    wait = VisitsInFlight.wait_until
    monkeypatch.setattr(VisitsInFlight, "wait_until", lambda flight, until: (waits.append(until), wait(flight, until)))
    stage.play()

    ledger = stage.ledger()
    assert (ledger.planned, ledger.done, ledger.dropped) == (10_000, 3_001, 6_999)
    assert 3_000 <= len(waits) < 3_200
