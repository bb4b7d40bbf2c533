"""A limit on a percentile has its 95 % interval: in the JSON always, in console and Markdown where it broke."""

from random import Random

import pytest

from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.monitor import RunMonitor
from chaperon.report.verdict import RunInfo

SECONDS = 60


@pytest.fixture(scope="module")
def totals():
    """The totals of a minute: a service, a recorded value in milliseconds, and a series with few samples."""
    chance, recorder, collector = Random(5), Recorder("w0", began=0.0), Collector(["w0"])
    for second in range(SECONDS):
        for number in range(50):
            took, at = chance.lognormvariate(-2, 0.5), second + number / 50
            recorder.record(Sample(Key("shop", "GET /"), at, at + took))
            recorder.record(Sample(Key("shop", "queue (ms)", "value"), at, at, value=1000 * took))
        collector.add(recorder.cut(users=1, health={}))
    recorder.record(Sample(Key("shop", "GET /rare"), 60.0, 60.1))
    collector.add(recorder.cut(users=1, health={}))
    return collector.totals()


def judged(text, totals):
    return parse(text).evaluate(totals, float(SECONDS))


@pytest.mark.parametrize("what", ["p50", "p95", "p99"])
def test_the_interval_is_that_of_the_series(totals, what):
    (series,) = [each for key, each in totals.series.items() if key.name == "GET /"]

    result = judged(f"{what}(GET /) < 1ms", totals)

    found = parse(f"{what} < 1ms").times_of(series).interval(float(what[1:]) / 100)
    assert result.interval == (found.low, found.high)
    assert found.low < result.value < found.high


@pytest.mark.parametrize(
    "limit", ["mean(GET /) < 1ms", "max(GET /) < 1ms", "rate(GET /) > 90", "errors < 0", "p95(GET /rare) < 1ms",
              "p99(GET /) < 1ms over 10s", "p95(GET /none) < 1s"],
)  # fmt: skip
def test_what_has_no_interval_shows_none(totals, limit):
    result = judged(limit, totals)

    assert result.interval is None
    assert "interval" not in result.remark


def test_an_interval_is_in_the_unit_of_its_value(totals):
    plain, timed = judged("p95(queue) < 1", totals), judged("p95(queue) < 1ms", totals)

    assert plain.interval[0] < plain.value < plain.interval[1]
    assert plain.interval == tuple(pytest.approx(1000 * end) for end in timed.interval)
    assert (plain.remark[-3:], timed.remark[-2:]) == (" ms", "ms")


@pytest.mark.parametrize(
    ("result", "remark"),
    [
        (LimitResult("p95 < 1s", False, 2.0, unit="s", interval=(1.8, 2.25)), "95 % interval: {} to {}"),
        (LimitResult("p95 < 1s", False, 2.0, unit="s", interval=(2.0, 2.0)), ""),
        (LimitResult("p95 < 1s", True, 0.5, unit="s", interval=(0.4, 0.6)), ""),
        (LimitResult("p95 < 1s", True, 0.5, note="held", unit="s", interval=(0.4, 0.6)), "held"),
        (LimitResult("p95 < 1s", False, 2.0, note="few", unit="s"), "few"),
        (
            LimitResult("p95 < 3", False, 5.0, note="few", unit="jobs", interval=(4, 6)),
            "95 % interval: 4 to 6 jobs; few",
        ),
    ],
)
def test_only_a_broken_limit_says_its_interval(result, remark):
    from chaperon.report.format import time_text

    assert result.remark == remark.format(time_text(1.8), time_text(2.25))


@pytest.mark.parametrize(
    ("limit", "note"),
    [
        ("p95 < 50ms", "beyond it in seconds 7–9 and 20"),
        ("p50(GET /) < 50ms", "beyond it in seconds 7–9"),
        ("p95(GET /) < 50ms", "beyond it in seconds 7–9 and 20"),
        ("bad p50(GET /) < 50ms", "beyond it in second 30"),
        ("p50 < 1ms", "beyond it in seconds 0–39"),
        ("p95 < 1s", None),
        ("max < 50ms", None),
        ("p95 > 1s", None),
        ("p95 < 50ms over 10s", None),
    ],
)
def test_a_percentile_that_broke_its_limit_says_in_which_seconds(limit, note):
    recorder, monitor = Recorder("w0", began=0.0), RunMonitor(Collector(["w0"]), [parse(limit)], brake=None)
    for second in range(40):
        for number in range(50):
            slow = second in (7, 8, 9) or (second == 20 and number < 10)
            failure = Failure("500", "500") if second == 30 and number < 20 else None
            took, at = 0.4 if slow or failure else 0.005, second + number / 50
            recorder.record(Sample(Key("shop", "GET /"), at - took, at, failure))
        monitor.add(recorder.cut(users=1, health={}))

    (result,) = monitor.report(RunInfo("e", 1, "", 40.0), finished=True).limits

    found = [part for part in (result.note or "").split("; ") if part.startswith("beyond")]
    assert found == ([] if note is None else [note])
