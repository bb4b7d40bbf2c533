"""What was never made of a load: in the ledger to the unit, lost or dropped, in the seconds it was due."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fleet import Ground
from thorough import examples

from chaperon import iterations, rate, users, users_per_second
from chaperon.cluster.master.leases import LeasedShare
from chaperon.cluster.master.unmade import unmade_visits
from chaperon.load.live_changes import LiveChanges
from chaperon.load.share import deal
from chaperon.measure.window import VisitCounts
from chaperon.report.report import Verdict


def tasks_of(load, n=8, start=0, **fate):
    return [LeasedShare(share, start=start, **fate) for share in deal([("shop", load)], n, seed=7)]


def total(changes):
    whole = VisitCounts()
    for counts in changes.values():
        whole.add(counts)
    return whole


LOADS = [
    rate(13, hold=20),
    rate(13, hold=20, poisson=True),
    rate(20, ramp=5, hold=5) >> rate(3, hold=10),
    iterations(77, users=9),
    users(21, ramp=7),
    users_per_second(2, visits=4, hold=10),
]


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_of_a_load_nobody_has_touched_everything_is_left(load):
    whole = sum(leg.planned(seed=f"7/0{f'.{k}' if k else ''}") for k, (_, leg) in enumerate(load.legs))

    left = total(unmade_visits(tasks_of(load), LiveChanges(), until=5.0, whole=True))

    assert left.planned == left.dropped == whole


@settings(max_examples=examples(60))
@given(
    st.integers(1, 40), st.integers(1, 12), st.booleans(), st.floats(0, 15), st.lists(st.integers(0, 30), min_size=12)
)
def test_what_one_share_lacks_is_what_it_lacks_beside_all_others(each, n, poisson, until, starts):
    load = rate(each, hold=10, poisson=poisson)
    tasks = [
        LeasedShare(share, start=start, count_missed_as_lost=True)
        for share, start in zip(deal([("shop", load)], n, seed=7), starts, strict=False)
    ]

    together = unmade_visits(tasks, LiveChanges(), until=until, whole=True)
    apart = [unmade_visits([task], LiveChanges(), until=until, whole=True) for task in tasks]

    seconds = {at for changes in apart for at in changes}
    assert together == {at: total({k: c[at] for k, c in enumerate(apart) if at in c}) for at in seconds}
    assert all(counts.planned == counts.lost + counts.dropped for counts in together.values())


def test_of_those_gone_what_was_due_is_lost_and_what_was_not_yet_is_dropped():
    gone = unmade_visits(tasks_of(rate(8, hold=10), count_missed_as_lost=True), LiveChanges(), until=3.99, whole=True)
    given_back = unmade_visits(tasks_of(rate(8, hold=10)), LiveChanges(), until=3.99, whole=True)
    cut_short = unmade_visits(
        tasks_of(rate(8, hold=10), count_missed_as_lost=True), LiveChanges(), until=3.99, whole=False
    )

    assert [(gone["shop", at].lost, gone["shop", at].dropped) for at in range(10)] == [(8, 0)] * 4 + [(0, 8)] * 6
    assert total(given_back) == VisitCounts(planned=80, dropped=80)
    assert {at for _, at in cut_short} == {0, 1, 2, 3}
    assert total(cut_short) == VisitCounts(planned=32, lost=32)


WHOLE = {
    rate(10, hold=90): 900,
    iterations(400, users=4): 400,
    users_per_second(2, visits=3, hold=90): 540,
    users(90, ramp=90): 90,
}


@pytest.mark.parametrize("load", WHOLE, ids=str)
def test_when_no_worker_is_left_the_ledger_shows_the_whole_plan(load):
    stage = Ground(load, took=1.0)
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(20.0, lambda: [stage.kill("w0"), stage.kill("w1")])

    report = stage.play()

    ledger = report.ledger["shop"]
    assert report.verdict is Verdict.INVALID
    assert "no worker is left" in report.reasons
    assert report.duration < 60
    assert ledger.balanced
    assert ledger.planned == sum(row.counts.planned for row in report.seconds) == WHOLE[load]
    assert len(stage.made) - 20 <= ledger.done <= len(stage.made)
    if load.legs[0][1].__class__.__name__ == "Rate":
        due = {row.at: row.counts for row in report.seconds}
        assert {due[at].planned for at in range(90)} == {10}
        assert {due[at].lost for at in range(21, 39)} == {10}
        assert {due[at].dropped for at in range(42, 90)} == {10}
    elif load.is_open:
        assert {row.counts.planned for row in report.seconds if row.at < 90} == {6}
        assert {row.counts.dropped for row in report.seconds if 42 <= row.at < 90} == {6}
    else:
        assert ledger.lost == ledger.planned - ledger.done


def test_of_users_who_go_on_and_on_nothing_is_planned_that_was_not_begun():
    stage = Ground(users(6, hold=90), took=1.0)
    stage.worker("w0")
    stage.fleet(1)
    stage.after(20.0, lambda: stage.kill("w0"))

    ledger = stage.play().ledger["shop"]

    assert ledger.balanced
    assert ledger.planned == pytest.approx(120, abs=6)
