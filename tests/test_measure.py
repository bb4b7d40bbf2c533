"""The numbers are true: sketches, series, the recorder."""

import json
import math
import random
import sys
from functools import cache
from itertools import chain, repeat, starmap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from chaperon.measure.caps import ERRORS_CAPPED, KEYS, NAMES, NAMES_CAPPED, OTHER, TAGS_CAPPED
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import REFUSED, Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.series import Series
from chaperon.measure.sketch import TOTAL, WINDOW, Sketch

KEY = Key("shop", "GET /")
N = 50_000
QUANTILES = (0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999)


SHAPES = ("lognormal", "pareto", "bimodal", "constant", "repeated", "integer milliseconds", "sorted")


@cache
def values_of(shape):
    """Return N values of a shape, the same ones each time."""
    chance = random.Random(7)
    match shape:
        case "lognormal":
            return [chance.lognormvariate(-4, 0.6) for _ in range(N)]
        case "pareto":
            return [0.01 * chance.paretovariate(2.5) for _ in range(N)]
        case "bimodal":
            modes = ((0.02, 0.002), (0.3, 0.02))
            return [chance.gauss(*modes[chance.random() >= 0.7]) for _ in range(N)]
        case "constant":
            return [0.02] * N
        case "repeated":
            return [chance.choice((0.01, 0.02, 0.03, 5.0)) for _ in range(N)]
        case "integer milliseconds":
            return [round(v, 3) for v in values_of("lognormal")]
    return sorted(values_of("lognormal"))


def exact(values, q):
    """The values around rank q, as far off as one centroid reaches: its share is 4q(1 - q)/centroids or so."""
    ranked = sorted(values)
    at = q * (len(ranked) - 1)
    slack = max(2, 8 * q * (1 - q) * len(ranked) / TOTAL)
    return ranked[max(0, math.floor(at - slack))], ranked[min(len(ranked) - 1, math.ceil(at + slack))]


def filled(values, centroids=TOTAL):
    sketch = Sketch(centroids)
    for start in range(0, len(values), 512):
        sketch.add(values[start : start + 512])
    return sketch


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_agree_with_sorted_data_in_one_pass(shape):
    values = values_of(shape)

    sketch = filled(values)

    for q in QUANTILES:
        low, high = exact(values, q)
        assert low * 0.99 <= sketch.quantile(q) <= high * 1.01, q
    assert (sketch.count, sketch.low, sketch.high) == (N, min(values), max(values))
    assert sketch.total == pytest.approx(math.fsum(values))


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_agree_with_sorted_data_after_a_thousand_merges(shape):
    values = values_of(shape)
    total = Sketch(TOTAL)

    for start in range(0, N, N // 1000):
        total = Sketch.merge_all([total, filled(values[start : start + N // 1000], WINDOW)])

    for q in QUANTILES:
        low, high = exact(values, q)
        assert low * 0.98 <= total.quantile(q) <= high * 1.02, q
    assert (total.count, total.low, total.high) == (N, min(values), max(values))


latencies = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


@given(latencies, st.floats(0, 1))
def test_a_quantile_never_leaves_what_was_seen(values, q):
    assert min(values) <= filled(values, WINDOW).quantile(q) <= max(values)


@given(st.lists(latencies, min_size=1, max_size=8))
def test_merging_is_addition(parts):
    merged = Sketch.merge_all([filled(p) for p in parts])

    flat = [v for p in parts for v in p]
    assert merged.count == len(flat)
    assert (merged.low, merged.high) == (min(flat), max(flat))
    assert merged.total == pytest.approx(math.fsum(flat))


def test_an_empty_sketch_knows_nothing():
    assert Sketch().quantile(0.5) is None
    assert Sketch().mean is None


def test_the_tdigest_handed_out_can_be_read_back():
    values = values_of("lognormal")[:20_000]

    handed = filled(values).tdigest()

    assert type(handed).__module__.startswith("tdigest")
    assert handed.n == 20_000
    assert handed.percentile(95) == pytest.approx(sorted(values)[19_000], rel=0.02)
    assert sum(c["c"] for c in json.loads(json.dumps(handed.to_dict()))["centroids"]) == 20_000


def test_good_and_bad_samples_are_apart():
    series = Series()

    series.add([Sample(KEY, 0.0, 0.02)] * 99 + [Sample(KEY, 0.0, 30.0, Failure("timeout"))])

    assert (series.count, series.errors) == (100, 1)
    assert series.good.high == 0.02
    assert series.bad.low == 30.0


def test_response_time_counts_from_when_the_sample_was_due():
    series = Series()

    series.add([Sample(KEY, 5.0, 6.0, due=2.0)])

    assert series.good.high == 1.0
    assert series.response.high == 4.0


def test_the_slowest_samples_are_kept_with_their_moments():
    series = Series()

    for end in range(1, 2001):
        series.add([Sample(KEY, 0.0, float(end))])

    assert [took for took, _ in series.slowest] == [2000.0 - n for n in range(10)]


def recorder():
    return Recorder("here", began=100.0)


def test_windows_are_numbered_and_hold_only_what_came_since_the_last():
    record = recorder()

    record.record(Sample(KEY, 100.1, 100.2, bytes=7))
    first, second = record.cut(), record.cut()

    assert (first.seq, first.at, second.seq, second.at) == (1, 0, 2, 1)
    assert first.series[KEY].bytes == 7
    assert not second.series


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001])
def test_what_is_no_latency_is_refused_and_counted(value):
    record = recorder()

    record.record(Sample(KEY, 0.0, 0.0, value=value))
    record.record(Sample(KEY, 0.0, value))
    window = record.cut()

    assert window.notes[REFUSED] == 2
    assert KEY not in window.series


def test_only_a_gauge_may_be_negative():
    record = recorder()
    record.record(Sample(Key("shop", "warmth", "gauge"), 0.0, 0.0, value=-3.0))

    (series,) = record.cut().series.values()

    assert series.last == (0.0, -3.0)


def test_names_are_capped_and_it_is_said():
    record = recorder()

    for i in range(NAMES + 500):
        record.record(Sample(Key("shop", f"GET /{i}"), 0.0, 1.0))
    window = record.cut()

    assert len(window.series) == NAMES + 1
    assert window.series[Key("shop", OTHER)].count == 500
    assert window.notes[NAMES_CAPPED] == 500


def test_keys_are_capped_and_it_is_said():
    record = recorder()

    for i in range(KEYS + 100):
        record.record(Sample(KEY._replace(tags=(("id", str(i)),)), 0.0, 1.0))
    window = record.cut()

    assert len(window.series) == KEYS + 1
    assert window.notes[TAGS_CAPPED] == 100
    assert sum(s.count for s in window.series.values()) == KEYS + 100


def test_error_messages_are_capped_and_it_is_said():
    record = recorder()

    for i in range(300):
        record.record(Sample(KEY, 0.0, 1.0, Failure(f"error {i}", "x" * 10_000)))
    window = record.cut()

    assert sum(t.count for t in window.errors.values()) == 300
    assert len(window.errors) == 201
    assert window.notes[ERRORS_CAPPED] == 100
    assert max(len(t.sample) for t in window.errors.values()) == 500


def test_an_exception_already_named_further_in_is_counted_but_not_listed():
    record = recorder()
    record.record(Sample(KEY, 0.0, 1.0, Failure("timeout", listed=False)))

    window = record.cut()

    assert window.series[KEY].errors == 1
    assert not window.errors


def test_a_tap_sees_every_sample_that_is_taken():
    seen = []
    record = Recorder("here", began=0.0, tap=seen.append)

    record.record(Sample(KEY, 0.0, 1.0))
    record.record(Sample(KEY, 0.0, math.nan))

    assert [s.took for s in seen] == [1.0]


@pytest.mark.long
def test_memory_is_flat_over_millions_of_samples():
    thousands = examples(1_000)
    total = Series(TOTAL)
    record = recorder()
    thousand = [(KEY, 0.0, took, None, 0, None, None) for took in values_of("lognormal")[:1000]]
    resident = []

    for _ in range(10):
        for _ in starmap(record.record_fields, chain.from_iterable(repeat(thousand, thousands))):
            pass
        total = Series.merge_all([total, record.cut().series[KEY]])
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)

    assert total.count == 10_000 * thousands
    assert len(total.good.as_dict()["centroids"]) <= TOTAL
    assert resident[-1] - resident[1] < 2_000_000


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100), st.booleans()), max_size=200), st.integers(1, 5))
def test_no_sample_is_lost_or_counted_twice_however_it_is_cut(facts, every):
    record = recorder()
    windows = []

    for i, (name, took, bad) in enumerate(facts):
        record.record(Sample(Key("s", name), 0.0, took, Failure("e") if bad else None))
        if i % every == 0:
            windows.append(record.cut())
    windows.append(record.cut())

    assert sum(s.count for w in windows for s in w.series.values()) == len(facts)
    assert sum(t.count for w in windows for t in w.errors.values()) == sum(bad for *_, bad in facts)


def test_a_meter_counts_to_the_phase_and_the_tags_it_was_turned_to(clock):
    record = recorder()
    meter = Meter(record, clock, "shop")
    other = meter.fork()

    meter.set_phase("ramp", (("area", "checkout"),))
    meter.record("GET /", "http", 0.0, 1.0)
    meter.record("GET /", "http", 0.0, 1.0, tags=())
    other.record("GET /", "http", 0.0, 1.0)

    assert set(record.cut().series) == {
        Key("shop", "GET /", "http", "ramp", (("area", "checkout"),)),
        Key("shop", "GET /", "http", "ramp"),
        Key("shop", "GET /"),
    }


def test_a_sum_beyond_any_float_stays_the_greatest_float():
    sketch = filled([1.7e308, 1.7e308], WINDOW)

    assert sketch.total == Sketch.merge_all([sketch, sketch]).total == sys.float_info.max
