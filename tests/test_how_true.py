"""The comparison with the queue server: its ideal queue, its percentiles, what it calls wrong."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.queue_target import Pause, Request, Service, quantile
from benchmarks.situations import SITUATIONS
from benchmarks.sweep import POINTS
from benchmarks.truth import judge
from benchmarks.truth_runs import Asked, Seen

LOAD = 'rate(10, hold="10s")'
BY_NAME = {situation.name: situation for situation in SITUATIONS}


def seen(verdict="PASS", *, said=0.02, took=0.02, count=100, lost=0, planned=100, part=None, **more):
    """A run of 100 requests, each answered after *took*, reported as *said*."""
    figures = {"p50": said, "p95": said, "p99": said, **more}
    parts = dict.fromkeys(("p50", "p95", "p99"), part)
    rows = [
        {"kind": "http", "count": count, **figures, "generator_part": parts},
        {"kind": "visit", "count": count, "response": figures, "response_generator_part": parts},
    ]
    ledger = {"scenario": "s", "planned": planned, "done": planned - lost, "failed": 0, "lost": lost}
    entries = [{**ledger, "interrupted": 0, "dropped": 0}]
    report = {"verdict": verdict, "reasons": [], "series": rows, "ledger": entries}
    report |= {"duration": 10.0}
    record = [Request(i / 10, i / 10 + took, i / 10 + took, 200) for i in range(100)]
    return Seen(Asked(LOAD, Service(0.02)), 0, report, 0, record, "")


def test_an_ideal_queue_serves_one_after_the_other():
    service = Service(0.005, one=True)

    assert service.ideal([0.0, 0.001, 0.002, 0.1]) == pytest.approx([0.005, 0.009, 0.013, 0.005])


def test_a_poisson_queue_at_70_percent_has_the_mean_of_pollaczek_and_khinchin():
    random, at, due = Random(7), 0.0, []
    for _ in range(200_000):
        at += random.expovariate(140)
        due.append(at)

    times = Service(0.005, one=True).ideal(due)

    assert sum(times) / len(times) == pytest.approx(0.005 + 0.7 * 0.005 / (2 * 0.3), rel=0.03)


@pytest.mark.parametrize(
    ("pause", "at", "done"),
    [
        (None, 3.0, 3.5),
        (Pause(5.0, 1.0), 4.4, 4.9),
        (Pause(5.0, 1.0), 4.75, 6.25),
        (Pause(5.0, 1.0), 5.0, 6.5),
        (Pause(5.0, 1.0), 6.0, 6.5),
        (Pause(1.0, 1.0, every=2.0), 6.0, 6.5),
        (Pause(1.0, 1.0, every=2.0), 6.75, 8.25),
        (Pause(1.0, 1.75, every=2.0), 0.75, 3.0),
    ],
)
def test_no_work_is_done_during_a_pause(pause, at, done):
    assert Service(0.5, pause=pause).done(at) == pytest.approx(done)


@given(st.floats(0.0, 30.0), st.floats(0.001, 3.0), st.floats(0.0, 5.0), st.floats(0.01, 1.0), st.floats(1.01, 3.0))
def test_work_takes_its_time_and_the_pauses_in_it(at, work, after, length, every):
    pause = Pause(after, length, every)

    done = Service(work, pause=pause).done(at)

    begins = [after + number * every for number in range(400)]
    idle = sum(max(min(done, begin + length) - max(at, begin), 0.0) for begin in begins)
    assert done - at == pytest.approx(work + idle, abs=1e-6)


@pytest.mark.parametrize("number", range(50))
def test_work_that_begins_as_a_pause_ends_is_not_kept(number):
    pause = Pause(0.1, 0.2, 0.7)

    assert Service(0.1, pause=pause).done(0.1 + number * 0.7 + 0.2) == pytest.approx(0.4 + number * 0.7)


def test_a_request_that_was_never_answered_took_for_ever():
    assert Request(1.0, 2.0, 0.0, 0).took == math.inf
    assert quantile([1.0, 2.0, math.inf], 0.5) == 2.0
    assert quantile([1.0, 2.0, math.inf], 0.95) == math.inf


def test_a_true_report_is_right():
    assert judge(BY_NAME["closed"], seen()).wrong == []
    assert judge(BY_NAME["nearly full"], seen(said=0.0229)).wrong == []
    assert judge(BY_NAME["nearly full"], seen(said=0.05, part=0.006)).wrong == []
    assert judge(BY_NAME["nearly full"], seen("INVALID", said=0.05)).wrong == []


@pytest.mark.parametrize(
    ("situation", "run", "wrong"),
    [
        ("closed", seen("INVALID"), "verdict INVALID"),
        ("closed", seen(said=0.024), "service p50 24.0, but it was 20.00 ms"),
        ("nearly full", seen(said=0.024), "response p99 24.0, but it was 20.00 ms"),
        ("nearly full", seen(said=0.05, part=0.004), "service p50 50.0, but it was 20.00 ms"),
        ("closed", seen(said=0.0205, part=0.0021), "service p50 20.5!, but it was 20.00 ms, and it is marked"),
        ("nearly full", seen(said=0.016), "service p50 16.0, but it was 20.00 ms"),
        ("nearly full", seen(said=None, at_least={"p99": 0.5}), "p99 ≥ 500.0, but it was 20.00 ms"),
        ("worker killed", seen(count=50), "50 requests reported, 100 received, 0 visits lost"),
        ("worker killed", seen(count=101), "101 requests reported, 100 received"),
        ("worker killed", seen(planned=99), "99 visits planned, 100 were due"),
    ],
)
def test_what_is_wrong_is_said(situation, run, wrong):
    assert any(wrong in said for said in judge(BY_NAME[situation], run).wrong)


def test_marks_are_no_fault_where_figures_have_a_narrow_tolerance_of_their_own():
    near, far = seen(said=0.0202, part=0.0021), seen(said=0.0206, part=0.0021)

    assert any(figure.marked for figure in judge(BY_NAME["queue"], near).figures)
    assert not [said for said in judge(BY_NAME["queue"], near).wrong if "service" in said]
    assert any("service p50 20.6!" in said for said in judge(BY_NAME["queue"], far).wrong)


def test_a_difference_that_is_lost_adds_up():
    assert judge(BY_NAME["worker killed"], seen(count=90, lost=10)).wrong == []


def test_the_sweep_goes_from_10_to_110_percent_open_and_closed_alone_and_beside_a_busy_loop():
    levels = {(point.open, point.beside): [] for point in POINTS}
    for point in POINTS:
        levels[point.open, point.beside].append(point.level)

    assert len(levels) == 4
    assert all(each == list(range(10, 120, 10)) for each in levels.values())
    assert len(SITUATIONS) == 12
