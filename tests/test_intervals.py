"""The intervals of a report allow for seconds that resemble each other, in every row, of any number of workers."""

import gc
import io
import json
import math
import os
import random
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.intervals import covered, widened
from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.confidence import samples_needed
from chaperon.measure.precision.history import History
from chaperon.measure.precision.long_run import dependence
from chaperon.measure.precision.second_counts import SeriesSecond
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import WARM_UP, Failure, Key, Sample
from chaperon.measure.series import Series
from chaperon.report.collector import Collector
from chaperon.report.format import time_text
from chaperon.report.limits.limit_parser import parse
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.percentiles import Population, percentile_text
from chaperon.report.rows import Row
from chaperon.report.spooling.spool import Spool
from chaperon.report.verdict import Ending, RunInfo, conclude

GET, TIMEOUT = Key("shop", "GET /"), Failure("timeout", "too late", censored=True)
INFO = RunInfo("e", 1, "2026-01-01T00:00:00Z", 60.0)


def drifting(seed, seconds=60, rate=40, sd=0.2, correlation=0.9):
    """Latencies by second, whose logarithm has a mean that wanders."""
    chance, level = random.Random(seed), 0.0
    for _ in range(seconds):
        level = correlation * level + chance.gauss(0, sd * math.sqrt(1 - correlation**2))
        yield [chance.lognormvariate(-3 + level, 0.3) for _ in range(rate)]


def collected(seconds, workers=("a",), key=lambda second, number: GET, fails=lambda second, number: None):
    """A collector to which the workers sent the samples of all seconds, dealt among them."""
    recorders = {name: Recorder(name, began=0.0) for name in workers}
    collector = Collector(workers)
    for at, values in enumerate(seconds):
        for number, value in enumerate(values):
            record = recorders[workers[number % len(workers)]]
            record.record(Sample(key(at, number), at, at + value, fails(at, number)))
        for record in recorders.values():
            record.count_visit("shop", at, "planned")
            record.count_visit("shop", at, "done")
            collector.add(record.cut())
    return collector


def report_of(collector, limits=()):
    totals = collector.totals()
    return conclude(totals, [parse(text).evaluate(totals, 60.0) for text in limits], INFO, Ending())


def width(interval):
    return math.log(interval.high / interval.low)


def test_the_interval_of_a_wandering_target_is_much_wider_than_that_of_independent_samples():
    row = report_of(collected(drifting(1)))["GET /"]

    assert row.design_effect(50) > 5
    assert width(row.interval(50)) > 2 * width(row.good.interval(0.5))
    assert row.interval(50).low <= row.p50 <= row.interval(50).high


def test_the_interval_of_a_steady_target_is_nearly_that_of_independent_samples():
    row = report_of(collected(drifting(1, 300, sd=0.0)))["GET /"]

    assert row.design_effect(50) < 1.6
    assert width(row.interval(50)) < 1.5 * width(row.good.interval(0.5))


def test_a_run_of_under_twenty_seconds_has_the_interval_of_independent_samples_marked_rough():
    short = report_of(collected(drifting(1, 19, rate=500)))["GET /"]
    long = report_of(collected(drifting(1, 20, rate=500, sd=0.0)))["GET /"]

    assert short.design_effect(50) is None
    assert short.interval(50) == short.good.interval(0.5)
    assert not short.interval(50).rough(short.p50)
    assert percentile_text(short.service, 0.5).startswith("~")
    assert not percentile_text(long.service, 0.5).startswith("~")


@pytest.mark.parametrize("workers", [("a", "b"), ("a", "b", "c", "d")])
def test_any_number_of_workers_give_the_design_effect_of_one(workers):
    one, many = (report_of(collected(drifting(2, 120, sd=0.1), names))["GET /"] for names in (("a",), workers))

    for p in (50, 90, 95):
        assert many.design_effect(p) == pytest.approx(one.design_effect(p), rel=0.05)
        assert width(many.interval(p)) == pytest.approx(width(one.interval(p)), rel=0.1)


@settings(max_examples=10)
@given(st.permutations(range(4)), st.integers(1, 1_000))
def test_the_order_in_which_workers_send_changes_nothing(order, seed):
    recorders = [Recorder(name, began=0.0) for name in "abcd"]
    first, second = Collector("abcd"), Collector("abcd")

    for at, values in enumerate(drifting(seed, 30, 20)):
        for number, value in enumerate(values):
            recorders[number % 4].record(Sample(GET, at, at + value))
        windows = [record.cut() for record in recorders]
        for window in windows:
            first.add(window)
        for place in order:
            second.add(windows[place])

    assert report_of(first)["GET /"].design_effect(50) == report_of(second)["GET /"].design_effect(50)
    assert report_of(first)["GET /"].interval(95) == report_of(second)["GET /"].interval(95)


@settings(max_examples=20)
@given(st.integers(1, 1_000), st.floats(0.01, 100.0))
def test_the_unit_of_time_is_no_matter(seed, factor):
    plain = [list(values) for values in drifting(seed, 30, 40, sd=0.05)]
    scaled = [[factor * value for value in values] for values in plain]

    one, other = (Population.service(series_of(each)) for each in (plain, scaled))

    for q in (0.5, 0.9):
        assert other.design_effect(q) == pytest.approx(one.design_effect(q), rel=0.02)
        assert (other.interval(q) is None) == (one.interval(q) is None)
        if one.interval(q) is not None:
            assert other.interval(q).high == pytest.approx(factor * one.interval(q).high, rel=0.01)


def series_of(seconds):
    """The series of some seconds, through a spool."""
    spool, whole = Spool(), []
    for at, values in enumerate(seconds):
        series = Series()
        series.add([(GET, 0.0, value, None, 0, None, None) for value in values])
        spool.add(at, {GET: series})
        whole.append(series)
    return Series.merge_all(whole).with_history(spool.histories([GET])[GET])


def test_phases_tags_and_scenarios_have_design_effects_of_their_own():
    def key(second, number):
        phase = "steady" if second >= 30 else "ramp"
        return Key("shop" if number % 2 else "office", "GET /", "http", phase, (("area", "north"),))

    result = as_dict(report_of(collected(drifting(3, 90), key=key)))

    rows = {name: [row["design_effect"]["p50"] for row in result[name]] for name in ("series", "phases", "tags")}
    assert [len(effects) for effects in rows.values()] == [2, 4, 2]
    assert all(effect >= 1 for effects in rows.values() for effect in effects)
    assert rows["tags"] == rows["series"]
    assert len(set(rows["phases"])) == 4
    assert result["series"][0]["design_effect"]["p99.9"] is None  # too few samples, dependent or not


def test_the_warm_up_is_in_no_headline():
    def key(second, number):
        return Key("shop", "GET /", phase=WARM_UP if second < 20 else "steady")

    seconds = [[0.5 + second / 10] * 40 for second in range(20)] + list(drifting(1, 60, sd=0.0))

    warm, cold = report_of(collected(seconds, key=key)), report_of(collected(seconds[20:]))

    assert warm["GET /"].interval(95) == pytest.approx(cold["GET /"].interval(95), rel=0.02)
    assert warm["GET /"].design_effect(95) == pytest.approx(cold["GET /"].design_effect(95), rel=0.05)


def test_late_windows_count_in_their_second():
    recorders = [Recorder(name, began=0.0) for name in "ab"]
    punctual, late, held = Collector("ab", patience=3.0), Collector("ab", patience=3.0), []

    for at, values in enumerate(drifting(5)):
        for number, value in enumerate(values):
            recorders[number % 2].record(Sample(GET, at, at + value))
        first, second = (record.cut() for record in recorders)
        for collector in (punctual, late):
            collector.add(first)
        punctual.add(second)
        held.append(second)
    for window in held:
        late.add(window)

    for p in (50, 95):
        effects = [report_of(each)["GET /"].design_effect(p) for each in (punctual, late)]
        assert effects[0] == pytest.approx(effects[1], rel=0.1)


def test_a_censored_sample_exceeds_every_threshold():
    """Timeouts that come in bursts widen the interval of the median, though they are cut far below it."""
    values = [[0.05 + number / 1_000 for number in range(40)] for _ in range(60)]

    def burst(second, number):
        return TIMEOUT if 20 <= second < 30 and number < 20 else None

    def spread(second, number):
        return TIMEOUT if number < 3 or (number == 3 and second % 3 == 0) else None

    bursts, even = (report_of(collected(values, fails=fails))["GET /"] for fails in (burst, spread))

    assert bursts.censored == even.censored == 200
    assert bursts.design_effect(90) > 20 * even.design_effect(90)


def test_a_percentile_among_censored_samples_has_no_interval():
    values = [[0.05] * 40] * 60

    row = report_of(collected(values, fails=lambda second, number: TIMEOUT if number < 20 else None))["GET /"]

    assert row.p95 is row.interval(95) is None
    assert row.at_least(95) == pytest.approx(0.05)
    assert row.design_effect(95) >= 1


def test_too_few_independent_samples_are_a_question_mark_null_and_the_maximum():
    report = report_of(collected(drifting(1, rate=20)), ["p99(GET /) < 10s", "p99(GET /) < 1ms"])
    row, out = report["GET /"], io.StringIO()

    print_report(report, Console(file=out, width=140))

    assert row.count == 1_200
    assert row.p99 is row.interval(99) is None
    assert json.loads(json.dumps(as_dict(report)))["series"][0]["p99"] is None
    line = next(line for line in out.getvalue().splitlines() if "GET /" in line)
    assert line.split()[-3] == "?"
    limit, broken = report.limits
    assert limit.value == row.max
    assert limit.shown.startswith("max ")
    assert report.reasons[0].startswith("limit broke: p99(GET /) < 1ms, but the maximum was ")
    assert not broken.held
    effective = row.service.effective(0.99)
    assert effective < 368
    assert limit.note == (
        f"p99 of the samples is {time_text(row.service.quantile(0.99).value)}; 1,200 samples that resemble their "
        f"neighbours count as {effective} of 368 needed: the maximum is used instead"
    )


def test_the_table_says_by_how_much_the_samples_depend_on_each_other():
    report, out = report_of(collected(drifting(1))), io.StringIO()

    print_report(report, Console(file=out, width=80))

    effect = report["GET /"].design_effect(50)
    (line,) = [line for line in out.getvalue().splitlines() if line.startswith("design effect up to: ")]
    assert f"p50 {effect:.1f}" in line
    assert len(line) <= 80


REFUSED = Failure("http 503", "Service Unavailable")


@pytest.mark.parametrize("of", ["bad", "all"])
def test_bad_samples_that_resemble_their_neighbours_have_a_design_effect(of):
    chance = random.Random(5)

    def times_of(values):
        row = report_of(collected(values, fails=lambda second, number: REFUSED if number % 2 else None))["GET /"]
        return row.in_error if of == "bad" else row.all

    wandering = times_of(drifting(1, seconds=120))
    even = times_of([[chance.lognormvariate(-3, 0.3) for _ in range(40)] for _ in range(120)])
    assert wandering.design_effect(0.5) > 5
    assert even.design_effect(0.5) < 3
    assert width(wandering.interval(0.5)) > 2 * width(even.interval(0.5))
    assert wandering.effective(0.5) < even.effective(0.5)


@pytest.mark.parametrize("of", ["service", "response", "bad", "all"])
@pytest.mark.parametrize(("options", "step"), [({"in_memory": 1_000}, 1), ({"limit": 20_000}, 10)])
def test_every_population_comes_back_from_the_spool(of, options, step):
    held, kept, seconds = Spool(), Spool(**options), list(drifting(3, seconds=120))
    for at, values in enumerate(seconds):
        series = Series()
        fates = [(took, REFUSED if number % 3 == 0 else None) for number, took in enumerate(values)]
        series.add([(GET, at, at + took, failure, 0, at - 0.01, None) for took, failure in fates])
        for spool in (held, kept):
            spool.add(at, {GET: series})

    parts = [sorted(spool.histories([GET])[GET].seconds(), key=lambda second: second.at) for spool in (held, kept)]
    counts = [sum(part.count for second in each for part in second.counted(of)[0]) for each in parts]
    assert kept.step >= step
    assert counts[0] == counts[1] == 120 * {"service": 26, "response": 26, "bad": 14, "all": 40}[of]
    bounds = [[part.high for second in each for part in second.counted(of)[0] if part.count] for each in parts]
    assert max(bounds[0]) == max(bounds[1])
    histories = [spool.histories([GET])[GET] for spool in (held, kept)]
    effects = [each.dependence(lambda q: 0.05, 0.5, of=of).design_effect for each in histories]
    assert effects[1] == pytest.approx(effects[0], rel=0.05 if step == 1 else 0.5)


def test_a_limit_on_bad_samples_is_judged_by_how_many_are_independent():
    limits = ["bad p95(GET /) < 10s", "all p95(GET /) < 10s", "p95(GET /) < 10s"]
    fails = {"fails": lambda second, number: REFUSED if number % 4 else None}
    report = report_of(collected(drifting(1, rate=20), **fails), limits)

    bad, everything, _ = report.limits
    row = report["GET /"]
    for limit, times in ((bad, row.in_error), (everything, row.all)):
        assert samples_needed(0.95) > times.effective(0.95)
        assert limit.shown.startswith("max ")
        assert f"count as {times.effective(0.95)} of 72 needed" in limit.note
    values = as_dict(report)["series"][0]
    assert values["bad"]["p95"] is values["all"]["p95"] is None


def test_a_series_without_bad_samples_has_one_population():
    row = report_of(collected(drifting(2)))["GET /"]

    assert row.all.interval(0.95) == row.service.interval(0.95)
    assert not row.in_error
    assert row.in_error.known(0.5) is row.in_error.design_effect(0.5) is None


def test_the_seconds_are_read_once_for_all_percentiles():
    reads = []

    def source():
        reads.append(1)
        return [SeriesSecond(at, series.good.to_centroids(), 0, Centroids(()), 0) for at in range(30)]

    series = second_of([0.01 * n for n in range(1, 500)])
    row = Row("shop", "GET /", "http", Series.merge_all([series] * 30).with_history(History([source])), 30.0)

    assert None not in [row.design_effect(p) for p in (50, 90, 95, 99, 99.9)]
    assert None not in (row.p50, row.p999, row.interval(95))
    assert len(reads) == 1


def test_a_report_made_in_mid_run_stays_as_it_was():
    values = list(drifting(6, 120))
    collector = collected(values[:60])
    before = report_of(collector)
    record = Recorder("a", began=0.0)
    for _ in range(60):
        record.cut()

    for at, more in enumerate(values[60:], 60):
        for value in more:
            record.record(Sample(GET, at, at + 9 * value))
        collector.add(record.cut())

    fresh = report_of(collected(values[:60]))
    assert before["GET /"].design_effect(50) == fresh["GET /"].design_effect(50)
    assert report_of(collector)["GET /"].count == 2 * fresh["GET /"].count


# The spool


def second_of(values, *, due=False, cut=0, bad=0):
    series = Series()
    rows = [(GET, 1.0, 1.0 + value, None, 0, 0.5 if due else None, None) for value in values]
    rows += [(GET, 1.0, 2.0, TIMEOUT, 0, 0.5 if due else None, None)] * cut
    rows += [(GET, 1.0, 2.0, Failure("http 500"), 0, None, None)] * bad
    series.add(rows)
    return series


def kept(spool, key=GET):
    return sorted(spool.histories([key])[key].seconds(), key=lambda second: second.at)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.floats(0.0, 100.0), max_size=300), st.booleans(), st.integers(0, 5), st.integers(0, 5)),
        max_size=12,
    ),
    st.sampled_from([0, 1 << 20]),
)
def test_what_is_kept_is_read_again(seconds, in_memory):
    spool = Spool(in_memory=in_memory)
    for at, (values, due, cut, bad) in enumerate(seconds):
        spool.add(at, {GET: second_of(values, due=due, cut=cut, bad=bad), Key("shop", "other"): second_of([1.0])})

    for (values, due, cut, bad), second in zip(seconds, kept(spool), strict=True):
        assert isinstance(second, SeriesSecond)
        assert (second.good.count, second.censored, second.bad, second.step) == (len(values), cut, bad, 1)
        assert (second.response.count, second.response_censored) == ((len(values), cut) if due else (0, 0))
        if values:
            assert (second.good.low, second.good.high) == pytest.approx((min(values), max(values)), abs=1e-9)
            for value in (0.0, *values[:5]):
                near = [sum(v > value + slack for v in values) for slack in (1e-9, -1e-9)]
                assert near[0] - 3 <= second.good.above(value) <= near[1] + 3


def test_beyond_its_limit_seconds_are_kept_in_steps():
    spool, series = Spool(limit=70_000), second_of([0.01 * n for n in range(50)])

    for at in range(400):
        spool.add(at, {GET: series})

    seconds = kept(spool)
    assert {1, 10} <= {second.step for second in seconds}
    assert sum(second.good.count for second in seconds) == 400 * 50
    assert spool.histories([GET])[GET].dependence(lambda q: q / 2, 0.5).design_effect == 1.0
    assert spool.step == 10


def test_a_full_disk_ends_the_spool_with_a_note_and_the_run_goes_on(monkeypatch):
    collector = collected(drifting(1, 30))
    record = Recorder("b", began=0.0)
    for _ in range(30):
        record.cut()
    collector.join("b")

    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(collector._spool._file, "_file", full)
        monkeypatch.setattr(collector._spool, "_most_in_memory", 0)
        for at in range(30, 40):
            record.record(Sample(GET, at, at + 0.5))
            collector.add(record.cut())
        collector.close()

    report = report_of(collector)
    (note,) = [note for note in report.notes if "No space left on device" in note]
    assert "intervals treat samples as independent" in note
    assert report["GET /"].count == 30 * 40 + 10
    assert report["GET /"].design_effect(50) is None
    assert report["GET /"].interval(50) == report["GET /"].good.interval(0.5)


def test_a_missing_temporary_folder_ends_the_spool_too(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    spool = Spool(in_memory=100)

    spool.add(0, {GET: second_of([0.1] * 50)})
    spool.add(1, {GET: second_of([0.1] * 50)})

    assert "No such file or directory" in spool.failure
    assert not spool.histories([GET])


def test_the_file_of_a_spool_has_no_name_and_is_closed_with_it(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gc.collect()  # what other tests left open is closed with it, now or below
    before = len(os.listdir("/proc/self/fd"))
    spool = Spool(in_memory=0)
    spool.add(0, {GET: second_of([0.1] * 50)})

    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert not list(tmp_path.iterdir())
    del spool
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


# Counting


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=200), st.floats(0.0, 10.0))
def test_single_samples_are_counted_exactly(values, value):
    found = Centroids(sorted(values))

    assert found.count == len(values)
    assert found.above(value) == sum(each > value for each in values)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=40, unique_by=lambda pair: pair[0]),
    st.lists(st.floats(-2.0, 53.0), min_size=2),
)
def test_what_is_above_a_value_falls_from_all_to_none(pairs, values):
    means, weights = zip(*sorted((float(mean), weight) for mean, weight in pairs), strict=True)
    found = Centroids(means, weights, means[0] - 0.5, means[-1] + 0.5)

    above = [found.above(value) for value in sorted(values)]

    assert above == sorted(above, reverse=True)
    assert found.above(means[0] - 1) == found.count == sum(weights)
    assert found.above(means[-1] + 1) == 0
    middle = len(means) // 2
    assert found.above(means[middle]) == sum(weights[middle + 1 :]) + (
        weights[middle] / 2 if weights[middle] > 1 else 0
    )


@pytest.mark.parametrize("rate", [30, 1_000])
def test_the_design_effect_of_sketches_is_that_of_the_samples(rate):
    run = list(drifting(8, 60, rate))
    ordered = sorted(value for values in run for value in values)

    for q in (0.5, 0.9, 0.99):
        at = ordered[int(q * len(ordered))]
        exact = dependence({t: (sum(v > at for v in values), len(values)) for t, values in enumerate(run)}, q)
        assert Population.service(series_of(run)).design_effect(q) == pytest.approx(exact.design_effect, rel=0.15)


# Coverage


@pytest.mark.long
@pytest.mark.parametrize("q", [0.5, 0.95])
def test_the_interval_holds_the_truth_of_a_queue_at_70_percent(q):
    held, _ = covered(range(1, 41), q, seconds=120)

    assert held >= 36


@pytest.mark.long
@pytest.mark.parametrize("q", [0.5, 0.95])
def test_on_independent_samples_the_interval_is_at_most_a_quarter_wider(q):
    assert 1.0 <= widened(range(1, 51), q, rate=20) <= 1.25
