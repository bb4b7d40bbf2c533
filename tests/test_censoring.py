"""What was cut before it ended is known to have taken at least so long, and percentiles know it."""

import asyncio
import io
import math
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from itertools import pairwise

import gevent
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scenes import errors_of, once, simulated
from stage import Stage
from thorough import examples

from chaperon import Environment, Scenario, Verdict, iterations, rate, run, step, users, users_per_second
from chaperon.cli.terminal.live_line import live_lines
from chaperon.cluster.journal.journal import Journal
from chaperon.cluster.journal.journal_file import JournalHeader
from chaperon.cluster.journal.recovery import recover
from chaperon.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    Interrupted,
    JoinTimeout,
    RendezvousTimeout,
    SessionAborted,
    SignalTimeout,
    StepTimeout,
    VisitTimeout,
    WebSocketClosed,
    WebSocketTimeout,
)
from chaperon.execution.running import Running
from chaperon.interrupts import marked
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.failures import failure_of
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import NEVER_BEGUN, WARM_UP, Failure, Key, Sample
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.percentiles import Population, percentile_text
from chaperon.report.verdict import RunInfo
from chaperon.testing import ScriptedNetwork, VirtualClock, simulate

GET = Key("shop", "GET /")
VISIT = Key("shop", "visit", "visit")
CUT = Failure("timeout", "too late", censored=True)
BAD = Failure("http 500")
QUANTILES = (0.5, 0.9, 0.95, 0.99)


def sketch_of(values, parts=1):
    pieces = []
    for part in range(parts):
        piece = Sketch()
        piece.add(values[part::parts])
        pieces.append(piece)
    return pieces[0] if parts == 1 else Sketch.merge_all(pieces)


def population(good, censored, parts=1):
    return Population(sketch_of(good, parts), sketch_of(censored, parts))


def near(values, q, slack):
    """Return the exact values around a quantile, a number of ranks to both sides."""
    ordered = sorted(values)
    place = q * len(ordered)
    low = max(math.floor(place - slack) - 1, 0)
    high = min(math.ceil(place + slack), len(ordered) - 1)
    return ordered[min(low, len(ordered) - 1)], ordered[high]


# Bounds

times = st.lists(st.floats(0.0, 10.0), min_size=0, max_size=200)


@given(times, times, st.sampled_from(QUANTILES), st.integers(1, 4))
@settings(max_examples=examples(300))
def test_the_bounds_are_those_of_the_sorted_samples(good, censored, q, parts):
    bounds = population(good, censored, parts).quantile(q)

    if not good + censored:
        assert bounds is None
        return
    slack = 2 + 0.01 * len(good + censored)
    low, high = near(good + censored, q, slack)
    assert low - 1e-9 <= bounds.lower <= high + 1e-9
    low, high = near(good + [math.inf] * len(censored), q, slack)
    assert low - 1e-9 <= bounds.upper <= high + 1e-9
    assert bounds.lower <= bounds.upper


@given(times, times)
def test_the_bounds_grow_with_the_quantile(good, censored):
    bounds = [population(good, censored).quantile(q) for q in QUANTILES]

    for one, other in pairwise(bounds):
        assert one is None or (one.lower <= other.lower + 1e-9 and one.upper <= other.upper + 1e-9)


@given(st.lists(st.floats(0.001, 10.0), min_size=1, max_size=200), st.sampled_from(QUANTILES))
def test_without_censored_samples_both_bounds_are_the_percentile_of_the_good_ones(good, q):
    bounds = population(good, []).quantile(q)

    assert bounds.lower == bounds.upper == sketch_of(good).quantile(q)


@given(times, times, st.sampled_from(QUANTILES))
def test_the_interval_holds_the_known_percentile(good, censored, q):
    found = population(good * 5, censored * 5)
    known, interval = found.known(q), found.interval(q)

    if known is not None and interval is not None:
        assert interval.low <= known <= interval.high


def test_what_was_cut_later_than_a_percentile_leaves_it_exact():
    found = population([0.010] * 700, [1.0] * 300)

    assert found.quantile(0.5) == (0.010, 0.010)
    assert found.known(0.5) == 0.010
    assert found.at_least(0.5) is None


def test_a_percentile_among_censored_samples_is_open():
    found = population([0.010] * 600, [2.0] * 400)

    assert found.quantile(0.95) == (pytest.approx(2.0), math.inf)
    assert found.known(0.95) is None
    assert found.at_least(0.95) == pytest.approx(2.0)
    assert found.interval(0.95) is None


def test_what_was_cut_at_once_pulls_the_lower_bound_down():
    found = population([0.1 + i / 1000 for i in range(900)], [0.0] * 100)

    lower, upper = found.quantile(0.5)

    assert (lower, upper) == (pytest.approx(0.5, abs=0.003), pytest.approx(0.6, abs=0.003))
    assert found.known(0.5) is None


def test_a_percentile_is_known_by_all_samples_of_its_population():
    assert population([0.01] * 71, []).bounds(0.95) is None
    assert population([0.01] * 70, [1.0] * 2).bounds(0.95) is not None


@pytest.mark.parametrize(
    ("good", "censored", "q", "said"),
    [
        ([], [], 0.95, "–"),
        ([0.01] * 10, [1.0] * 10, 0.95, "?"),
        ([0.01] * 500, [], 0.95, "~10.0ms"),  # how seconds vary is not known
        ([0.01] * 500, [3.0] * 5, 0.95, "~10.0ms"),
        ([0.01] * 500, [3.0] * 100, 0.95, "≥3.00s"),
        ([], [3.0] * 100, 0.5, "≥3.00s"),
        ([0.01] * 955, [3.0] * 45, 0.95, "~10.0ms"),  # the interval has no upper end
    ],
)
def test_a_percentile_is_printed_as_it_is_known(good, censored, q, said):
    assert percentile_text(population(good, censored), q) == said


# Series

outcomes = st.lists(
    st.tuples(
        st.floats(0.0, 5.0), st.sampled_from([None, BAD, CUT, NEVER_BEGUN]), st.one_of(st.none(), st.floats(0.0, 5.0))
    ),
    max_size=60,
)


def sample(took, failure, waited, key=VISIT):
    due = None if waited is None else 10.0 - waited
    if failure is NEVER_BEGUN:
        return Sample(key, 10.0, 10.0, failure, 0, due)
    return Sample(key, 10.0, 10.0 + took, failure, 7, due)


def figures(series):
    return [(s.count, pytest.approx(s.total), s.low, s.high) for s in series.sketches]


@given(outcomes)
def test_every_sample_is_in_one_population(seen):
    series = Series()
    series.add([sample(*one) for one in seen])

    begun = [one for one in seen if one[1] is not NEVER_BEGUN]
    due = [one for one in seen if one[2] is not None]
    assert series.good.count == sum(f is None for _, f, _ in seen)
    assert series.bad.count == sum(f is BAD for _, f, _ in seen)
    assert series.censored.count == sum(f is CUT for _, f, _ in seen)
    assert series.count == len(begun)
    assert series.errors == sum(f is not None for _, f, _ in begun)
    assert series.bytes == 7 * len(begun)
    assert series.response.count == sum(f is None for _, f, _ in due)
    assert series.response_censored.count == sum(f in (CUT, NEVER_BEGUN) for _, f, _ in due)


@given(st.lists(outcomes, min_size=1, max_size=4), st.randoms())
def test_batches_and_the_order_of_workers_change_no_count(batches, random):
    whole, parts = Series(), []
    whole.add([sample(*one) for batch in batches for one in batch])
    for batch in batches:
        part = Series()
        part.add([sample(*one) for one in batch])
        parts.append(part)
    random.shuffle(parts)

    assert figures(Series.merge_all(parts)) == figures(whole)


@given(outcomes)
def test_a_window_brings_all_populations_over_the_wire(seen):
    recorder = Recorder("alpha", began=3.0)
    for one in seen:
        recorder.record(sample(*one))
    window = recorder.cut(due={"shop": 0.75})

    arrived = unpack_window(pack_window(window, began=3.0), "alpha", began=3.0)

    assert {k: figures(s) for k, s in arrived.series.items()} == {k: figures(s) for k, s in window.series.items()}
    assert arrived.due == {"shop": 0.75}


def test_a_journal_brings_all_populations_back(tmp_path):
    recorder = Recorder("twin", began=0.0)
    journal = Journal(tmp_path / "life", JournalHeader("alpha", 1, 1, 0.0, 0))
    kept = Recorder("alpha", began=0.0, journal=journal)
    for failure in (None, BAD, CUT, NEVER_BEGUN, CUT):
        for each in (recorder, kept):
            each.record(sample(0.5, failure, 1.0))

    (found,) = recover(tmp_path / "life").unsealed

    assert figures(found.series[VISIT]) == figures(recorder.cut().series[VISIT])
    assert found.series[VISIT].response_censored.count == 3


# What is censored


def raised_from(outer, inner):
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    "exc",
    [
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.ConnectTimeout("slow"),
        requests.exceptions.Timeout("slow"),
        DeadlineExceeded("slow"),
        BodyTooLarge("large"),
        TimeoutError("slow"),
        asyncio.TimeoutError(),
        gevent.Timeout(1),
        subprocess.TimeoutExpired("sh", 1),
        StepTimeout("slow"),
        VisitTimeout("slow"),
        JoinTimeout("slow"),
        SignalTimeout("slow"),
        RendezvousTimeout("slow"),
        WebSocketTimeout("slow"),
        marked(Interrupted("the run ended")),
        marked(SessionAborted("enough")),
        marked(gevent.GreenletExit()),
        raised_from(RuntimeError("no shop"), requests.exceptions.ReadTimeout("slow")),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_what_was_cut_is_censored(exc):
    assert failure_of(exc).censored


@pytest.mark.parametrize(
    "exc",
    [
        ConnectionRefusedError("no"),
        ConnectionResetError("gone"),
        socket.gaierror("no such host"),
        ssl.SSLError("no"),
        requests.exceptions.ConnectionError("no"),
        requests.exceptions.TooManyRedirects("no"),
        requests.exceptions.ChunkedEncodingError("no"),
        WebSocketClosed(1011),
        ValueError("timeout"),
        gevent.GreenletExit(),
        Interrupted("of the author's own"),
        raised_from(RuntimeError("no shop"), ValueError("none")),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_what_ended_in_error_is_bad(exc):
    assert not failure_of(exc).censored


def test_an_outcome_that_an_author_names_a_timeout_is_bad(clock):
    def steps(session):
        with session.measure("redis", kind="redis") as measured:
            measured.fail("timeout")

    report = simulated(steps, clock=clock)

    assert (report["redis"].bad.count, report["redis"].censored) == (1, 0)


def test_a_timeout_is_censored_from_the_request_to_the_visit(target):
    def slow(session):
        session.get("/slow", timeout=0.05)

    report = once(target, slow, load=iterations(2))

    for name in ("GET /slow", "step slow", "visit"):
        assert (report[name].count, report[name].censored, report[name].bad.count) == (2, 2, 0), name
        assert report[name].service.censored.low >= 0.05


def test_a_time_limit_counts_from_its_request_not_from_when_the_loop_last_read_its_clock(target):
    def computes(session):
        session.get("/look")
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        session.get("/slow", timeout=0.03)

    report = once(target, computes, load=iterations(1))

    assert report["GET /slow"].service.censored.low >= 0.03


def test_a_status_of_500_stays_bad(target):
    report = once(target, lambda session: session.get("/status/500"), load=iterations(3))

    assert (report["GET /status/500"].bad.count, report["GET /status/500"].censored) == (3, 0)


def test_a_refused_connection_stays_bad(dead_port):
    report = once(f"http://127.0.0.1:{dead_port}", lambda session: session.get("/"), load=iterations(3))

    for name in ("GET /", "step <lambda>", "visit"):
        assert (report[name].bad.count, report[name].censored) == (3, 0)


def test_a_call_and_a_task_that_are_cut_are_censored():
    def steps(session):
        session.spawn(lambda child: child.sleep(60), task="beside")
        with session.measure("waiting"):
            session.sleep(60)

    report = simulated(steps, load=rate(10, hold=1), grace=1.0)

    for name in ("call waiting", "task beside", "step steps", "visit"):
        assert (report[name].count, report[name].censored) == (10, 10), name
        assert 1.0 <= report[name].service.censored.low <= report[name].service.censored.high <= 2.0


# What has no natural end


def test_a_session_loop_has_no_natural_end():
    def steps(session):
        with session.measure("outside"):
            for _ in session.loop():
                with session.measure("inside"):
                    session.sleep(0.5)

    report = simulated(steps, load=users(3, hold=5), grace=0.25)

    assert [report[name].censored for name in ("call outside", "step steps", "visit")] == [0, 0, 0]
    assert report["visit"].errors == 3


def test_after_a_loop_a_visit_has_a_natural_end_again():
    def steps(session):
        for turn in session.loop():
            if turn == 2:
                break
        session.sleep(100)

    report = simulated(steps, load=users(3, hold=5), grace=0.25)

    assert report["visit"].censored == 3


def test_a_closed_loads_while_loop_that_hold_cuts_has_no_natural_end():
    def steps(session):
        while True:
            session.sleep(0.5)

    held = simulated(steps, load=users(3, hold=5), grace=0.25)
    arrived = simulated(steps, load=rate(1, hold=3), grace=0.25)

    assert held["visit"].censored == 0
    assert arrived["visit"].censored == 3


def test_a_task_in_a_loop_of_its_own_has_no_natural_end():
    def ticking(session):
        for _ in session.loop():
            session.sleep(0.3)

    def steps(session):
        session.spawn(ticking)
        session.sleep(100)

    report = simulated(steps, load=users(3, hold=5), grace=0.25)

    assert report["task ticking"].censored == 0
    assert report["visit"].censored == 3


def test_every_has_no_natural_end():
    def beat(session):
        session.sleep(3)

    def steps(session):
        with session.every("1s", beat):
            session.sleep(1.5)

    report = simulated(steps)

    assert (report["call beat"].errors, report["call beat"].censored) == (1, 0)
    assert report["visit"].censored == 0


# Never begun


def test_an_arrival_that_is_dropped_waited_at_least_so_long():
    stage = Stage(rate(10, hold=5, in_flight=1), took=2.0).play()

    assert len(stage.visitors.unbegun) == stage.ledger().dropped > 0
    assert all(arrival.due is not None and now >= arrival.due for arrival, now in stage.visitors.unbegun)


def test_dropped_arrivals_are_censored_samples_of_the_response_time_alone():
    report = simulated(
        lambda session: session.sleep(2), load=rate(10, hold=5, in_flight=1), trust={"dropped": None}, grace=5.0
    )

    visit = report["visit"]
    dropped = report.visits.dropped
    assert dropped > 0
    assert (visit.count, visit.censored, visit.never_begun) == (report.visits.done, 0, dropped)
    assert visit.response.censored.count == dropped
    assert visit.service.known(0.5) is None
    assert any("never begun" in warning for warning in report.warnings)


def test_a_visit_whose_init_is_interrupted_never_began():
    def init(session):
        session.sleep(100)

    scenario = Scenario(lambda session: None, init=init, name="shop")
    report = simulated(scenario=scenario, load=rate(10, hold=2), grace=1.0)

    assert (report["visit"].count, report["visit"].never_begun) == (0, 20)
    assert report["step init"].censored == 20


@pytest.mark.parametrize(
    ("load", "planned"),
    [
        (users_per_second(1, visits=3, hold=5), 15),
        (users_per_second(1, visits=3, hold=5, think=30), 15),
        (iterations(9, users=2, hold=3), 9),
        (iterations(5, users=2, each=True, hold=3), 10),
        (rate(2, hold=4), 8),
        (users(2, hold=3), 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("end", ["by itself", "at once"])
def test_the_ledger_balances_where_visits_cannot_be_interrupted(load, planned, end):
    def stubborn(session):
        for _ in range(1000):
            with suppress(BaseException):
                session.sleep(1)

    clock = VirtualClock()
    environment = Environment(scenarios=[run(Scenario(stubborn), load)], grace=1.0)
    running = Running(environment.plan(), clock=clock).start()
    if end == "at once":
        clock.run(lambda: clock.now() >= running.began + 4.5)
        running.end_now("ended at once by Ctrl-C")
    clock.run(lambda: running.ended)
    report = running.report()

    counts = report.visits
    begun = counts.interrupted
    assert begun > 0
    assert counts.done == counts.lost == 0
    assert counts.planned == begun + counts.dropped == planned
    assert not [reason for reason in report.reasons if "lost" in reason or "balance" in reason]
    assert report.verdict is (Verdict.FAIL if end == "by itself" else Verdict.ABORTED)


def test_a_visit_that_cannot_be_interrupted_is_recorded_once():
    def stubborn(session):
        for _ in range(1000):
            try:
                session.sleep(1)
            except BaseException:
                session.sleep(40)

    report = simulated(stubborn, load=rate(10, hold=1), grace=1.0)

    assert report.visits.interrupted == 10
    assert (report["visit"].count, report["visit"].censored) == (10, 10)
    assert report["visit"].response.censored.low >= 1.0


@pytest.mark.parametrize("again", [0.0, 40.0], ids=["handled", "never ended"])
def test_a_request_that_is_open_as_its_visit_is_interrupted_is_in_the_list_of_errors(again):
    def stubborn(session):
        with session.measure("GET /", kind="http"):
            try:
                session.sleep(30)
            except BaseException:
                session.sleep(again)

    report = simulated(stubborn, load=users(3, hold=2), grace=1.0, limits=["errors(GET /: interrupted) == 0"])

    assert (report["GET /"].count, report["GET /"].censored) == (3, 3)
    assert errors_of(report) == {("GET /", "interrupted"): 3}
    assert not report.limits[0].held


# Limits, table, JSON

LIMIT_CASES = [
    # limit, good, censored, held, value, at least
    ("p95(GET /) < 100ms", [0.01] * 600, [2.0] * 400, False, None, 2.0),
    ("p95(GET /) < 3s", [0.01] * 600, [2.0] * 400, False, None, 2.0),  # between the bounds
    ("p50(GET /) < 100ms", [0.01] * 600, [2.0] * 400, True, 0.01, None),
    ("p95(GET /) < 100ms", [0.01] * 990, [2.0] * 10, True, 0.01, None),
    ("p95(GET /) > 1s", [0.01] * 600, [2.0] * 400, True, None, 2.0),
    ("p95(GET /) > 5s", [0.01] * 600, [2.0] * 400, False, None, 2.0),
    ("p99(GET /) < 100ms", [0.01] * 50, [2.0] * 2, False, None, 2.0),  # too few: the maximum counts
    ("p95(GET /) < 100ms", [], [0.01] * 100, False, None, 0.01),
    ("max(GET /) < 100ms", [0.01] * 600, [2.0] * 400, True, 0.01, None),
    ("mean(GET /) < 100ms", [], [2.0] * 400, False, None, None),
    ("errors < 1%", [0.01] * 600, [2.0] * 400, False, 0.4, None),
    ("count(GET /) >= 1000", [0.01] * 600, [2.0] * 400, True, 1000.0, None),
]


def watched(rows, limits=(), *, phases=None, due=None, duration=10.0, workers=("local",)):
    watch = RunMonitor(Collector(workers), [parse(limit) for limit in limits], brake=None)
    for place, worker in enumerate(workers):
        recorder = Recorder(worker, began=0.0)
        for row in rows[place :: len(workers)]:
            recorder.record(row)
        recorder.count_visit("shop", 0.0, "planned")
        recorder.count_visit("shop", 0.0, "done")
        watch.add(recorder.cut(phases=phases, due=due))
    return watch


def report_of(rows, limits=(), **options):
    watch = watched(rows, limits, **options)
    return watch.report(RunInfo("test", 1, "now", options.get("duration", 10.0)), finished=True)


def rows_of(good, censored, key=GET):
    return [Sample(key, 0.0, took) for took in good] + [Sample(key, 0.0, took, CUT) for took in censored]


@pytest.mark.parametrize(("limit", "good", "censored", "held", "value", "at_least"), LIMIT_CASES)
@pytest.mark.parametrize("over", ["", " over 1s"])
def test_a_limit_is_judged_by_the_bound_that_is_harder_to_hold(limit, good, censored, held, value, at_least, over):
    report = report_of(rows_of(good, censored), [limit + over])

    (found,) = report.limits
    assert (found.held, found.value, found.at_least) == (held, pytest.approx(value), pytest.approx(at_least))
    assert report.verdict is (Verdict.PASS if held else Verdict.FAIL)


def test_a_limit_between_the_bounds_breaks_and_says_so():
    report = report_of(rows_of([0.01] * 600, [2.0] * 400), ["p95(GET /) < 3s"])

    (found,) = report.limits
    assert found.shown == "≥2.00s"
    assert found.note == (
        "400 of 1,000 samples were cut before they ended; "
        "the value lies at 2.00s or above, evaluated by the upper bound; beyond it in second 0"
    )
    assert "p95(GET /) < 3s, but was ≥2.00s" in report.reasons[0]


def test_a_limit_stops_the_run_where_its_percentile_is_open():
    watch = watched(rows_of([0.01] * 600, [2.0] * 400), ["p95(GET /) < 100ms abort"])

    assert watch.report(RunInfo("test", 1, "now", 1.0), finished=True).reasons[0].startswith("limit broke")


def test_limits_by_tag_and_phase_know_what_was_cut():
    tagged = GET._replace(tags=(("kind", "search"),))
    ramp = GET._replace(phase="ramp")
    rows = rows_of([0.01] * 2600, []) + rows_of([0.01] * 100, [2.0] * 100, tagged)
    rows += rows_of([0.01] * 100, [3.0] * 80, ramp)
    phases = {("shop", "ramp"): 1.0, ("shop", "steady"): 9.0}

    report = report_of(
        rows,
        ["p95(GET / {kind=search}) < 100ms", "p95(GET /) < 100ms during ramp", "p90(GET /) < 100ms during steady"],
        phases=phases,
    )

    assert [(limit.held, limit.at_least) for limit in report.limits] == [
        (False, pytest.approx(2.0)),
        (False, pytest.approx(3.0)),
        (True, None),
    ]


def test_what_was_cut_in_the_warm_up_counts_nowhere():
    cold = rows_of([], [5.0] * 500, GET._replace(phase=WARM_UP))

    report = report_of(rows_of([0.01] * 500, []) + cold, ["p95(GET /) < 100ms"])

    assert report.verdict is Verdict.PASS
    assert report["GET /"].censored == 0
    assert report.warnings == ()


def test_a_split_over_workers_gives_the_same_bounds():
    rows = rows_of([0.01 + i / 1e5 for i in range(600)], [1.0 + i / 1000 for i in range(400)])

    alone, fleet = report_of(rows), report_of(rows, workers=("a", "b", "c"))

    for p in (50, 90, 95, 99):
        assert fleet["GET /"].bounds(p).lower == pytest.approx(alone["GET /"].bounds(p).lower, rel=0.01)
        assert fleet["GET /"].bounds(p).upper == pytest.approx(alone["GET /"].bounds(p).upper, rel=0.01)
    assert fleet["GET /"].censored == alone["GET /"].censored == 400


def test_more_than_one_in_a_hundred_censored_warns_whatever_the_limits():
    few, many = report_of(rows_of([0.01] * 990, [1.0] * 10)), report_of(rows_of([0.01] * 988, [1.0] * 12))

    assert not any("did not end" in warning for warning in few.warnings)
    assert many.warnings[0] == (
        "12 of 1,000 requests (1.2%) did not end (12 timed out or interrupted): percentiles that lie"
        " among them are lower bounds, marked ≥"
    )


def test_the_warning_names_bodies_that_were_too_large_where_there_are_some():
    large = Failure("body too large", "the body is larger than 16 bytes", censored=True)

    report = report_of([Sample(GET, 0.0, 0.01, failure) for failure in [None] * 50 + [CUT] * 20 + [large] * 30])

    assert report.warnings[0].startswith(
        "50 of 100 requests (50.0%) did not end (50 timed out, interrupted or ended by 'body too large'): "
    )


def test_steps_and_calls_that_are_cut_do_not_warn_by_themselves():
    report = report_of(rows_of([0.01] * 10, [1.0] * 90, Key("shop", "step home", "step")))

    assert report.warnings == ()


def test_the_table_has_a_column_and_a_mark_for_what_was_cut():
    out = io.StringIO()
    print_report(report_of(rows_of([0.01] * 600, [2.0] * 400)), Console(file=out, width=120))

    text = " ".join(out.getvalue().split())
    assert "censored" in text
    assert "≥2.00s" in text
    assert "≥ lower bound: the percentile lies among censored samples, which were cut before they ended" in text


def test_the_table_of_a_run_in_which_nothing_was_cut_has_no_such_column():
    out = io.StringIO()
    print_report(report_of(rows_of([0.01] * 600, [])), Console(file=out, width=120))

    assert "censored" not in out.getvalue()


def test_the_json_has_null_and_a_lower_bound():
    (row,) = as_dict(report_of(rows_of([0.01] * 600, [2.0] * 400)))["series"]

    assert (row["count"], row["errors"], row["censored"]) == (1000, 400, 400)
    assert (row["p50"], row["p95"], row["max"]) == (pytest.approx(0.01), None, 0.01)
    assert row["at_least"] == {name: pytest.approx(2.0) for name in ("p90", "p95", "p99")}
    assert row["bad"]["p50"] is None


def test_the_live_line_has_the_lower_bound():
    pulse = watched(rows_of([0.01] * 600, [2.0] * 400)).pulse()

    assert (pulse.p50, pulse.p95, pulse.p95_at_least) == (pytest.approx(0.01), None, pytest.approx(2.0))
    assert "p50 10.0ms · p95 ≥2.00s" in live_lines(pulse, "10", length=None)[0]


# Rates


def test_a_rate_counts_over_the_time_in_which_visits_were_due():
    report = simulated(
        lambda session: session.sleep(20),
        load=rate(10, hold=10),
        grace=60.0,
        limits=["rate(visit) > 9.9/s", "rate(visit) < 10.1/s"],
    )

    assert report.duration == pytest.approx(29.9, abs=0.2)
    assert report["visit"].rate == pytest.approx(10.0)
    assert [limit.held for limit in report.limits] == [True, True]


def test_pauses_and_warm_up_do_not_count_to_the_time_of_a_rate():
    from chaperon import pause

    load = rate(10, hold=10, warmup=4) >> pause(5) >> rate(10, hold=4)
    report = simulated(lambda session: session.sleep(1), load=load, grace=60.0)

    assert report["visit"].rate == pytest.approx(10.0)


def test_a_sliding_rate_is_not_judged_by_seconds_in_which_nothing_was_due():
    def steps(session):
        session.sleep(12 if session.visit.number == 199 else 1)  # the last one ends long after the others

    report = simulated(steps, load=rate(10, hold=20), grace=60.0, limits=["rate(visit) > 4/s over 2s"])

    assert report.duration > 30
    assert report.limits[0].held, report.limits[0]


def test_what_was_due_before_a_stop_is_what_a_rate_counts_over():
    stage = Stage(rate(10, hold=100), took=5.0)
    stage.play(until=10.0)
    stage.engine.stop()
    stage.play()

    assert stage.engine.due(0.0, 50.0) == {"shop": pytest.approx(10.0)}


def ignored(times, work):
    """Do some work a number of times, and catch every exception that ends it."""
    for _ in range(times):
        try:
            work()
        except BaseException:
            continue


@pytest.mark.parametrize(
    ("times", "took"),
    [
        pytest.param(1, 10.9, id="ended by its interrupt"),
        pytest.param(2, 25.9, id="ended by its kill"),
        pytest.param(3, 25.9, id="never ended"),
    ],
)
@pytest.mark.parametrize("load", [users(1, hold="10s"), rate(0.1, hold="10s")])
def test_what_handles_its_interrupt_is_known_to_take_at_least_so_long(load, times, took):
    @step
    def quick(session):
        session.sleep(0.1)

    @step
    def hangs(session):
        with session.measure("outer"):
            session.spawn(lambda task: ignored(times, lambda: task.sleep("1h")), task="aside")
            with session.measure("done"):
                pass
            with session.measure("inner", kind="database"):
                ignored(times, lambda: session.sleep("1h"))

    report = simulated(quick, hangs, load=load, grace=1, limits=[f"p95(step hangs) < {took + 1:g}s"])

    cut = {row.name: row for row in report.rows if row.censored}
    assert cut.keys() == {"visit", "step hangs", "call outer", "inner", "task aside"}
    for name in ("step hangs", "call outer", "inner"):
        assert (cut[name].count, cut[name].at_least(0.95)) == (1, pytest.approx(took))
    assert report.ledger["shop"].interrupted == 1
    assert not report.limits[0].held


@pytest.mark.parametrize("times", [1, 2, 3])
def test_requests_of_a_visit_that_handles_its_interrupts_are_censored(times):
    def hangs(peer):
        peer.receive()
        peer.sleep(3600.0)

    scenario = Scenario(lambda session: ignored(times, lambda: session.get("/")), name="shop")
    environment = Environment("http://shop.test", scenarios=[run(scenario, users(1, hold="10s"))], grace=1)

    report = simulate(environment, ScriptedNetwork(VirtualClock(), *[hangs] * times))

    assert report["GET /"].count == report["GET /"].censored == min(times, 2)
    assert report["visit"].at_least(0.95) == pytest.approx(11.0 if times == 1 else 26.0)
