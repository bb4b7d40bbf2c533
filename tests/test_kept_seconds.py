"""The seconds of a series in columns say what they say one by one."""

import heapq
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon.measure.precision.centroids import NONE, Centroids
from chaperon.measure.precision.history import History, SecondsPart
from chaperon.measure.precision.kept_seconds import KeptSeconds
from chaperon.measure.precision.second_counts import SecondCounts, SeriesSecond
from chaperon.measure.sample import Failure, Key
from chaperon.measure.series import Series
from chaperon.report.spooling.spool import Spool

GET = Key("shop", "GET /")
values = st.lists(st.floats(0.0, 10.0), max_size=30).map(sorted)
single = values.map(lambda means: Centroids(means) if means else NONE)
heavy = st.lists(st.tuples(st.floats(0.0, 10.0), st.integers(1, 9)), min_size=1, max_size=30).map(
    lambda pairs: Centroids([mean for mean, _ in sorted(pairs)], [weight for _, weight in pairs], -1.0, 11.0)
)
some = st.one_of(single, heavy)
counts = st.integers(0, 5)
second = st.builds(SeriesSecond, st.integers(0, 40), some, counts, some, counts, counts, st.integers(1, 10), some)


def kept_of(seconds):
    kept = KeptSeconds()
    for each in seconds:
        kept.append(
            each.at, each.step, each.good, each.censored, each.response, each.response_censored, each.bad,
            each.bad_times,
        )  # fmt: skip
    return kept


def plain(centroids):
    return list(centroids.means), list(centroids.weights), centroids.low, centroids.high, centroids.count


def fields(second):
    return [plain(each) if isinstance(each, Centroids) else each for each in second]


@given(st.lists(second, max_size=12), st.data())
def test_seconds_come_back_as_they_were_the_last_first(seconds, data):
    most = data.draw(st.integers(0, len(seconds)))
    start, end = data.draw(st.integers(0, 20)), data.draw(st.integers(10, 50))
    kept = kept_of(seconds)

    for each in (kept, KeptSeconds.of_bytes(kept.to_bytes())):
        assert len(each) == len(seconds)
        assert list(map(fields, each.seconds(most))) == list(map(fields, reversed(seconds[:most])))
        stretch = [second for second in reversed(seconds[:most]) if start <= second.at < end]
        assert list(map(fields, each.seconds(most, start, end))) == list(map(fields, stretch))


@given(st.lists(second, max_size=12), st.lists(st.floats(-1.0, 12.0), max_size=5), st.data())
def test_columns_count_what_seconds_count(seconds, bounds, data):
    most = data.draw(st.integers(0, len(seconds)))
    of = data.draw(st.sampled_from(["service", "response", "bad", "all"]))
    one_by_one, in_columns = SecondCounts(bounds), SecondCounts(bounds)

    for each in reversed(seconds[:most]):
        each.count_in(one_by_one, of)
    kept_of(seconds).count_in(in_columns, of, most)

    assert in_columns.seconds == one_by_one.seconds
    assert in_columns.counts == one_by_one.counts
    assert in_columns.step == one_by_one.step
    for found, wanted in zip(in_columns.above, one_by_one.above, strict=True):
        assert found == pytest.approx(wanted)


def test_the_bytes_that_a_second_takes_are_said():
    kept = KeptSeconds()
    grown = [
        kept.append(at, 1, Centroids([0.1] * at), 0, Centroids([0.2], [3], 0.1, 0.3), 0, 0, NONE) for at in range(50)
    ]

    assert sum(grown) == len(kept.to_bytes()) - 16


def test_a_weight_that_no_run_can_have_is_cut_not_raised():
    kept = kept_of([SeriesSecond(0, Centroids([0.1], [1 << 40], 0.1, 0.1), 0, NONE, 0)])

    assert next(kept.seconds()).good.count == 0xFFFFFFFF


def test_seconds_appended_later_do_not_change_a_history():
    spool, series = Spool(), Series()
    series.add([(GET, 0.0, 0.1 + 0.001 * n, None, 0, None, None) for n in range(10)])
    for at in range(30):
        spool.add(at, {GET: series})
    before = spool.histories([GET])[GET]
    for at in range(30, 60):
        spool.add(at, {GET: series})

    assert sorted(each.at for each in before.seconds()) == list(range(30))
    assert before.dependence(lambda q: 0.105, 0.5).seconds == 30
    assert spool.histories([GET])[GET].dependence(lambda q: 0.105, 0.5).seconds == 60


def test_sums_of_the_same_series_are_estimated_once():
    reads = []
    kept = kept_of([SeriesSecond(at, Centroids([0.1, 0.2, 0.3]), 0, NONE, 0) for at in range(30)])

    def source():
        reads.append(1)
        return [SecondsPart(kept, len(kept))]

    estimates = {}
    parts = [History([source], estimates), History([lambda: source()], estimates)]
    for _ in range(3):
        History.merge_all(parts).dependence(lambda q: 0.15, 0.5)

    assert len(reads) == 2


pairs = st.tuples(st.sampled_from([0.5, 1.0, 2.0, 3.0]), st.floats(0.0, 9.0, width=32))
slowest = st.lists(pairs, max_size=10).map(lambda found: sorted(found, reverse=True))


@given(st.lists(slowest, max_size=60))
def test_the_slowest_samples_of_a_sum_are_those_of_its_parts(many):
    packed = [array("f", [number for pair in found for number in pair]).tobytes() for found in many]
    parts = [Series.of(Series().sketches, 0, None, each, 0.0) for each in packed]

    whole = Series.merge_all(parts).slowest

    assert whole == heapq.nlargest(10, [pair for found in many for pair in found])
    assert Series.merge_all([Series.merge_all(parts[:20]), *parts[20:]]).slowest == whole


def test_a_second_with_errors_alone_is_counted():
    series = Series()
    series.add([(GET, 0.0, 0.1, Failure("http 500"), 0, None, None)] * 3)
    spool = Spool()
    spool.add(7, {GET: series})
    counted = SecondCounts([0.05])
    for part in spool.histories([GET])[GET].seconds():
        part.count_in(counted, "bad")

    assert (counted.seconds, counted.counts, counted.above) == ([7], [3], [[3.0]])
