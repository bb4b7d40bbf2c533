"""The generator's own part of a time: estimated beside it, marked where it matters, never subtracted."""

import json
import math
import random
from dataclasses import replace
from io import StringIO
from itertools import pairwise

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from thorough import examples

from chaperon.clock import HubClock
from chaperon.load.generator.health import Health
from chaperon.load.generator.ticker import CALIBRATION, Ticker, calibration_due, healthy_lag
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.hub_lag import HubLag
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.outputs.markdown import markdown_text
from chaperon.report.report import Verdict
from chaperon.report.rows import Row
from chaperon.report.validity.falsified import lateness_warning
from chaperon.report.validity.generator_part import GeneratorPart, percentile_shift
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.report.verdict import RunInfo

GET = Key("shop", "GET /")


def sketch_of(values):
    sketch = Sketch()
    sketch.add(values)
    return sketch


def series_of(values):
    series = Series()
    series.good.add(values)
    return series


# the estimate, request by request


def test_a_response_that_is_read_after_a_late_tick_may_have_waited_as_long():
    lag = HubLag()
    lag.begin(0.9)
    lag.tick(1.0, 1.03, 1.034)

    assert lag.waited(0.9, 1.031) == pytest.approx(0.03)
    assert lag.waited(0.9, 1.02) == pytest.approx(0.03)  # while the tick was late
    assert lag.waited(0.9, 0.99) == 0.0  # before it was due
    assert lag.waited(1.025, 1.031) == pytest.approx(0.006)  # no longer than the request was out


def test_a_tick_that_has_not_run_yet_is_late_by_what_has_passed():
    lag = HubLag()
    lag.begin(0.9)
    lag.tick(1.0, 1.0, 1.004)

    assert lag.waited(0.9, 1.05) == pytest.approx(0.046)


def test_what_keeps_the_loop_while_nothing_is_out_falsifies_nothing():
    lag = HubLag()
    lag.begin(0.9)
    lag.end(0.95)
    lag.begin(1.0499)  # a user computes for 100 ms, then sends the next request
    lag.tick(0.953, 1.05, 1.054)

    assert lag.waited(1.0499, 1.06) < 0.01
    lag.end(1.06)
    lag.tick(1.054, 1.0541, 1.058)
    assert lag.waited(1.0499, 1.055) < 0.001


def test_requests_that_ended_while_the_loop_lagged_count_for_the_time_they_were_out():
    lag = HubLag()
    lag.begin(1.0)
    lag.end(1.02)
    lag.begin(1.04)
    lag.tick(1.01, 1.05, 1.06)

    assert lag._lags == [pytest.approx(0.01 + 0.01)]


@settings(max_examples=examples(20))
@given(st.integers(0, 10_000))
def test_the_estimate_covers_what_the_loop_added_to_the_percentiles(seed):
    chance = random.Random(seed)
    free = 0.0  # the loop is busy until then: events that are ready before are handled then
    stalls = []
    for _ in range(300):
        free += chance.expovariate(1 / 0.02)
        stalls.append((free, free := free + chance.choice([0.001, 0.004, 0.015])))

    def handled(ready):
        return next((end for start, end in stalls if start <= ready < end), ready)

    lag = HubLag()
    lag.begin(0.0)
    due, rows, true = 0.003, [], []
    length = stalls[-1][1]
    for _ in range(2_000):
        begun = chance.uniform(0.0, length - 0.1)
        took = chance.choice([0.002, 0.008, 0.03])
        rows.append((begun, handled(begun + took), took))
    while due < length:
        ran = handled(due)
        following = ran + chance.uniform(0.002, 0.006)
        lag.tick(due, ran, following)
        due = following
    rows.sort(key=lambda row: row[1])
    lag.add([(GET, start, end, None, 0, None, None) for start, end, _ in rows])
    own = GeneratorPart(Sketch(), lag.cut().good)

    seen, true = sorted(end - start for start, end, _ in rows), sorted(took for *_, took in rows)
    for q in (0.5, 0.9, 0.95, 0.99):
        excess = seen[int(q * len(seen))] - true[int(q * len(true))]
        assert excess <= own.service(q) * 1.15 + 0.001


def test_without_ticks_nothing_is_estimated():
    recorder = Recorder("local", began=0.0)
    recorder.record(Sample(GET, 0.0, 0.5))

    assert recorder.cut().generator == {}


def test_a_long_batch_is_estimated_by_every_fourth_of_it():
    lag = HubLag()
    lag.begin(0.0)
    lag.tick(0.0, 0.5, 2.0)

    lag.add([(GET, 0.0, 1.0 + i / 1000, None, 0, None, None) for i in range(256)])

    found = lag.cut()
    assert found.good.count == 256
    assert found.good.low == found.good.high == pytest.approx(0.5)
    assert lag.cut() is None


def test_only_requests_wait_for_the_loop():
    recorder = Recorder("local", began=0.0)
    recorder.lag.tick(0.0, 0.1, 0.2)
    for key in (GET, Key("shop", "visit", "visit"), Key("shop", "step a", "step"), Key("shop", "n", "count")):
        recorder.record(Sample(key, 0.0, 0.3))

    assert recorder.cut().generator["lag"].good.count == 1


# the ticker


def test_the_ticker_sees_what_keeps_the_hub():
    clock, lag = HubClock(), HubLag()
    ticker = Ticker(clock, lag)
    lag.begin(clock.now())
    ticker.start()
    clock.sleep(0.03)

    until = clock.now() + 0.05
    while clock.now() < until:
        pass
    clock.sleep(0.01)
    ticker.stop()

    assert max(lag._lags) > 0.04
    assert all(b - a > 0.0015 for a, b in pairwise(lag._ran))
    ticks = len(lag._ran)
    clock.sleep(0.02)
    assert len(lag._ran) == ticks


def test_a_hub_is_watched_once_before_its_first_load():
    hub, clock = gevent.get_hub(), HubClock()
    hub.chaperon_healthy_lag = None
    health = Health(clock, real_time=True)
    assert calibration_due() == CALIBRATION

    for _ in range(20):  # a busy machine may let the loop turn too rarely to know
        start = clock.now()
        health.wait(start + CALIBRATION)
        assert clock.now() - start >= CALIBRATION
        if calibration_due() == 0.0:
            break

    assert 0.0 < healthy_lag() <= 0.001
    assert calibration_due() == 0.0
    assert health.cut()["healthy_lag"] == healthy_lag()


def test_waiting_too_briefly_to_know_leaves_it_for_the_next_run():
    hub, clock = gevent.get_hub(), HubClock()
    known, hub.chaperon_healthy_lag = healthy_lag(), None
    try:
        Health(clock, real_time=True).wait(clock.now() + 0.01)
        assert calibration_due() == CALIBRATION
    finally:
        hub.chaperon_healthy_lag = known or None


# from windows to figures


def run(
    lag=(),
    late=(),
    took=0.01,
    limits=(),
    workers=("local",),
    phases=None,
    healthy=0.0001,
    requests=1,
    trust=(),
    waited=0.0,
):
    """The report of a run of three seconds in which these were the lags and the latenesses of each second.

    The last visit of each second had *waited* so long before it began.
    """
    watch = RunMonitor(
        Collector(workers), [parse(text) for text in limits], brake=None, rules=ValidityRules.of(dict(trust))
    )
    for at in range(3):
        for name in workers:
            recorder = Recorder(name, began=0.0, second=at)
            for i in range(200):
                moment = at + i / 200
                recorder.count_visit("shop", moment, "planned")
                recorder.count_visit("shop", moment, "done")
                for _ in range(requests):
                    recorder.record(Sample(GET, moment, moment + took))
                recorder.record(
                    Sample(Key("shop", "visit", "visit"), moment, moment + took, due=moment - (i == 199) * waited)
                )
            window = recorder.cut(health={"healthy_lag": healthy}, phases=phases and phases[at])
            own = {"lag": series_of(list(lag)), "late": series_of(list(late))}
            generator = {what: series for what, series in own.items() if series.good}
            window = replace(window, seq=at + 1, generator=generator)
            watch.add(unpack_window(pack_window(window, began=0.0), name, began=0.0))
    return watch.report(RunInfo("e", 1, "", 3.0), finished=True)


def test_a_percentile_has_the_same_percentile_of_the_lag_beside_it():
    report = run(lag=[0.0] * 90 + [0.004] * 10, late=[0.001] * 100)

    get, visit = report["GET /"], report["visit"]
    assert report.generator_part(get, 99) == pytest.approx(0.004, rel=0.02)
    assert report.generator_part(get, 50) == pytest.approx(0.0004, rel=0.05)  # the mean, where that is more
    assert report.generator_part(visit, 99, response=True) == pytest.approx(0.005, rel=0.02)
    assert get.p99 == pytest.approx(0.01, rel=0.01)  # subtracted from nothing


def test_a_visit_of_many_requests_waits_as_often():
    one, nine = run(lag=[0.001] * 100), run(lag=[0.001] * 100, requests=9)

    assert one.generator_part(one["visit"], 95) == pytest.approx(0.001, rel=0.01)
    assert nine.generator_part(nine["visit"], 95) == pytest.approx(0.009, rel=0.01)
    assert nine.generator_part(nine["GET /"], 95) == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize(
    ("lag", "took", "mark", "spoils"),
    [
        (0.0100, 0.0001, False, False),  # no figure is wrong by more than itself
        (0.0005, 0.0006, False, False),  # less than a millisecond: a fast target is not at fault for being fast
        (0.0008, 0.0020, True, False),  # with what a healthy loop adds it is wrong by a millisecond
        (0.0008, 0.0010, True, False),
        (0.0012, 0.0100, True, False),
        (0.0012, 0.0130, False, False),  # less than a tenth
        (0.0100, 0.0190, True, True),
        (0.0100, 0.0210, True, False),
    ],
)
def test_from_a_tenth_a_figure_is_marked_and_from_half_of_it_a_limit_proves_nothing(lag, took, mark, spoils):
    limit = f"p95(GET /) < {4000 * took:g}ms"
    report = run(lag=[lag] * 100, took=took, limits=[limit])

    assert report.falsified(report["GET /"], 95) is mark
    assert (report.verdict is Verdict.INVALID) is spoils
    assert any("marked *" in warning for warning in report.warnings) is mark
    if spoils:
        assert f"{limit} was evaluated on a time that is not the target's: up to 10.0ms" in report.reasons[0]


def test_markdown_marks_the_same_figures_as_the_console_and_explains_the_marks():
    report = run(lag=[0.0] * 90 + [0.004] * 10, late=[0.0002] * 90 + [0.05] * 10, waited=0.3)
    console = Console(width=200, file=StringIO())

    print_report(report, console)

    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    printed = dict(line.split("  ", 1) for line in lines if "  " in line)
    written = {cells[0].strip("* "): cells for cells in map(cells_of, markdown_text(report).splitlines()) if cells}
    for name in ("GET /", "visit, from when due", "all requests"):
        figures = printed[name].split()
        assert written[name][5:] == [figures[n] for n in (4, 6, 7, 9)], name  # p50, p95, p99, max of ten
    assert any("*" in cell for cells in written.values() for cell in cells[5:])
    assert "\\* a tenth of it or more may be delay of the generator itself" in markdown_text(report)


def cells_of(line):
    """Return the cells of a row of a Markdown table, without escapes; none of another line."""
    return [cell.strip().replace("\\", "") for cell in line.strip("|").split("|")] if line.startswith("| ") else []


def test_the_share_is_a_rule_of_trust():
    windows = {"lag": [0.01] * 100, "took": 0.019, "limits": ["p95(GET /) < 100ms"]}

    assert run(**windows).verdict is Verdict.INVALID
    assert run(**windows, trust={"own": "60%"}).verdict is Verdict.PASS
    assert run(**windows, trust={"own": "off"}).verdict is Verdict.PASS


def test_a_lag_that_is_healthy_here_is_no_fault():
    assert run(lag=[0.0014] * 100, took=0.002, limits=["p95 < 20ms"], healthy=0.0001).verdict is Verdict.INVALID
    assert run(lag=[0.0014] * 100, took=0.002, limits=["p95 < 20ms"], healthy=0.0005).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        ("p95(GET /) < 380ms", Verdict.INVALID),
        ("p95(GET /) < 400ms", Verdict.PASS),  # by more than a factor of 20, with all of the delay in it
        ("p95(GET /) > 1ms", Verdict.INVALID),
        ("p95(GET /) < 1ms", Verdict.INVALID),
    ],
)
def test_a_limit_that_holds_by_far_does_not_hang_on_the_generators_part(limit, verdict):
    report = run(lag=[0.01] * 100, took=0.019, limits=[limit])

    assert report.verdict is verdict
    assert report.falsified(report["GET /"], 95)


@pytest.mark.parametrize("what", ["p50(visit)", "response p99(visit)", "mean(visit)", "max(visit)"])
def test_limits_on_the_response_time_are_judged_by_late_starts(what):
    late = {"late": [0.02] * 100, "took": 0.03}

    assert run(limits=[f"{what} < 500ms"], **late).verdict is Verdict.INVALID
    assert run(limits=["service p50(visit) < 500ms", "errors < 1%", "rate > 1"], **late).verdict is Verdict.PASS


def test_without_a_limit_there_is_a_mark_alone():
    report = run(lag=[0.02] * 100, took=0.03)
    console = Console(width=140, record=True)

    print_report(report, console)

    assert report.verdict is Verdict.PASS
    printed = console.export_text()
    assert "30.0ms*" in printed
    assert "* a tenth of it or more may be delay of the generator itself" in printed
    assert "up to 20.0ms of 30.0ms" in printed


def test_a_figure_too_small_to_be_wrong_by_a_millisecond_is_not_marked():
    report = run(lag=[0.002] * 100, took=0.00001)

    assert not report.falsified(report["GET /"], 50)
    assert report.warnings == ()


def test_the_warning_names_the_figure_with_the_largest_part():
    own = GeneratorPart(Sketch(), series_of([0.002] * 100).good)
    rows = [Row("", name, "http", series_of([took] * 100), 10.0) for name, took in (("short", 0.001), ("long", 0.01))]

    warning = lateness_warning(rows, own)

    assert warning is not None
    assert "the worst is p50 of long: up to 2.00ms of 10.0ms" in warning


def test_the_json_has_the_estimate_beside_every_percentile():
    report = run(lag=[0.002] * 100, late=[0.003] * 100)

    found = json.loads(json.dumps(as_dict(report)))

    get, visit = found["series"]
    assert get["generator_part"]["p95"] == pytest.approx(0.002, rel=0.01)
    assert get["response_generator_part"] is None
    assert visit["response_generator_part"]["p99"] == pytest.approx(0.005, rel=0.01)
    assert set(visit["generator_part"]) == {"p50", "p90", "p95", "p99", "p99.9"}


def test_what_was_not_seen_is_null_in_the_json():
    found = as_dict(run())

    assert set(found["series"][0]["generator_part"].values()) == {None}


def test_the_warm_up_falsifies_no_headline():
    warm = {("shop", "warm-up"): 1.0}

    report = run(lag=[0.02] * 100, phases=[warm, warm, warm])

    assert report.generator_part(report["GET /"], 95) is None


def test_workers_are_merged_as_one():
    one, three = run(lag=[0.001, 0.02] * 50), run(lag=[0.001, 0.02] * 50, workers=("a", "b", "c"))

    for p in (50, 95, 99):
        assert three.generator_part(three["GET /"], p) == pytest.approx(one.generator_part(one["GET /"], p), rel=0.05)


def test_a_few_late_samples_move_a_percentile_between_distant_values_by_more_than_most_were_late():
    times = [0.02] * 95 + [0.1 + 0.02 * i for i in range(5)]  # as of a target that pauses
    late = [0.0] * 97 + [0.3] * 3
    seen = sorted([*times[:92], *(t + 0.3 for t in times[92:95]), *times[95:]])

    def part(q):
        return sorted(late)[min(int(q * 100), 99)]

    own = percentile_shift(lambda q: seen[min(int(q * 100), 99)], part, 0.95)

    assert part(0.95) == 0.0
    assert own >= seen[95] - sorted(times)[94]
    assert percentile_shift(lambda q: 0.02, lambda q: 0.0001, 0.95) == 0.0001
    assert percentile_shift(lambda q: 0.02, lambda q: None, 0.95) is None


PAIRS = st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=60)


@given(PAIRS, st.sampled_from([0.5, 0.95]))
def test_what_a_percentile_was_moved_by_is_never_more_than_its_part(pairs, q):
    def quantile(values, share):
        ordered = sorted(values)
        return ordered[min(max(math.ceil(share * len(ordered) - 1e-9) - 1, 0), len(ordered) - 1)]

    true, late = [x for x, _ in pairs], [y for _, y in pairs]
    said = [x + y for x, y in pairs]
    own = percentile_shift(lambda share: quantile(said, share), lambda share: quantile(late, share), q)

    assert quantile(said, q) - quantile(true, q) <= own + 1e-9
