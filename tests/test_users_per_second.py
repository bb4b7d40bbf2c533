"""New users arrive at a rate, make their visits, leave: in one engine, several, a fleet that loses a worker."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage
from test_fleet_load import Wide
from test_lost_hosts import MOMENTS, lost_at
from thorough import examples

from chaperon import rate, users_per_second
from chaperon.errors import PlanError
from chaperon.load.expression import read_load
from chaperon.load.plan import Due, due_visits


def visits_of(stage):
    """Return by user when its visits began, in seconds of the run."""
    found = {}
    for arrival, at in stage.visitors.visits:
        found.setdefault(arrival.user, []).append(round(at - stage.began, 6))
    return found


def test_each_user_makes_its_visits_one_after_another_and_leaves():
    stage = Stage(users_per_second(2, visits=3, hold=2, think=0.5), took=0.1).play()

    assert visits_of(stage) == {k: [k / 2, k / 2 + 0.6, k / 2 + 1.2] for k in range(4)}
    assert sorted(stage.visitors.left) == [0, 1, 2, 3]
    assert sorted(arrival.number for arrival, _ in stage.visitors.visits) == list(range(12))


def test_users_arrive_however_slow_the_target_is():
    stage = Stage(users_per_second(5, visits=2, hold=3), took=4.0).play(2.9)

    assert stage.engine.present == 15


def test_a_further_visit_is_due_when_its_user_is_ready():
    stage = Stage(users_per_second(1, visits=2, hold=1, pacing=3), took=0.2).play()

    assert [round(arrival.due - stage.began, 6) for arrival, _ in stage.visitors.visits] == [0.0, 3.0]


def test_a_visit_that_ends_the_session_drops_the_rest_of_its_user():
    stage = Stage(users_per_second(2, visits=5, hold=2), stays=False).play()

    ledger = stage.ledger()
    assert (ledger.planned, ledger.done, ledger.dropped) == (20, 4, 16)


def test_what_users_cannot_make_within_the_grace_is_dropped_where_they_arrived():
    stage = Stage(users_per_second(1, visits=100, hold=3, think=1), took=0.0, grace=2.5).play()

    ledger = stage.ledger()
    assert ledger.balanced
    assert (ledger.planned, ledger.interrupted) == (300, 0)
    assert max(at for times in visits_of(stage).values() for at in times) < 3 + 2.5


def test_a_pause_lets_nobody_in_and_users_that_are_there_rest():
    stage = Stage(users_per_second(1, visits=4, hold=4, think=0.5)).play(1.2)
    stage.engine.pause()
    stage.play(3.2)
    stage.engine.resume()
    stage.play()

    times = [at for many in visits_of(stage).values() for at in many]
    assert not [at for at in times if 1.2 < at < 3.2]
    assert stage.ledger().balanced


@settings(max_examples=examples(40))
@given(st.floats(0.5, 20), st.integers(1, 5), st.integers(2, 5), st.booleans(), st.sampled_from([0.0, 0.3]))
def test_shares_add_up_to_the_users_of_one_and_the_ledger_to_the_plan(level, visits, n, poisson, took):
    load = users_per_second(level, visits=visits, hold=4, poisson=poisson)
    one, many = Stage(load, took=took).play(), Stage(load, took=took, shares=n).play()

    assert visits_of(one) == visits_of(many)
    for stage in (one, many):
        ledger = stage.ledger()
        assert ledger.balanced
        assert ledger.done == ledger.planned == load.planned(seed=stage.shares[0].source)
        assert due_visits(stage.shares, stage.engine.live_changes, stopped=None) == {"shop": Due(ledger.planned, True)}


def test_three_workers_make_the_visits_of_one():
    made = []
    for workers in (1, 3):
        stage = Wide(users_per_second(5, visits=3, hold=10, think=0.4), took=0.2, workers=workers)
        report = stage.begin().play()
        made.append(sorted((number, user) for _, number, user in stage.made))
        assert report.ledger["shop"].done == report.ledger["shop"].planned == 150
        assert not report.reasons

    assert made[0] == made[1]


@pytest.mark.long
@pytest.mark.parametrize("at", MOMENTS)
def test_users_that_were_with_a_lost_host_are_lost_and_no_visit_is_made_twice(at):
    stage, report = lost_at(at, users_per_second(10, visits=3, hold=40, think=0.3))

    ledger = report.ledger["shop"]
    assert ledger.planned == 1200
    assert ledger.balanced
    assert ledger.lost > 0
    assert {row.at: row.counts.planned for row in report.seconds if row.counts.planned} == dict.fromkeys(range(40), 30)
    assert max(Counter(number for _, number, _ in stage.made).values()) == 1


def test_the_expression_of_the_command_line_knows_it():
    load = read_load('users_per_second(5, visits=3, hold="10s") >> rate(4, hold="1s")')

    assert load == users_per_second(5, visits=3, hold=10) >> rate(4, hold=1)
    assert load.legs[0].load.planned() == 150
    assert load.legs[0].load.describe() == "50 users, 3 visits each, at even distances"
    assert str(load) == "5 users/s with 3 visits each, then 4/s"


def test_it_needs_an_end():
    with pytest.raises(PlanError, match="hold="):
        users_per_second(5)


def test_it_follows_stages():
    load = read_load("stages((10, 4), (10, 4), of=users_per_second, visits=2)")

    assert load.planned() == (20 + 40) * 2
    assert load.short_unit == " users/s"


def test_nothing_is_begun_while_the_engine_is_held_and_the_users_go_on_after():
    held = []
    stage = Stage(users_per_second(1, visits=4, hold=4, think=0.5), leasing={"suspended": lambda: bool(held)}).play(1.2)
    held.append(True)
    stage.play(2.2)
    held.clear()
    stage.play()

    times = [at for many in visits_of(stage).values() for at in many]
    assert not [at for at in times if 1.2 < at < 2.2]
    ledger = stage.ledger()
    assert ledger.done == ledger.planned == 16
