"""A percentile comes with its confidence interval, and is left out if too few samples are known."""

import io
import json
import random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from thorough import examples

from chaperon.measure.precision.confidence import ranks, samples_needed
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.measure.sketch import Sketch
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.outputs.console import known_in, print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.verdict import Ending, RunInfo, conclude


@pytest.mark.parametrize(("p", "n"), [(50, 6), (90, 36), (95, 72), (99, 368), (99.9, 3_688)])
def test_a_percentile_is_known_from_the_n_at_which_its_interval_has_an_upper_end(p, n):
    q = p / 100

    assert samples_needed(q) == n
    assert ranks(n - 1, q) is None
    assert ranks(n, q)[1] == n


@pytest.mark.parametrize(("n", "q"), [(72, 0.95), (50, 0.5), (500, 0.99), (3_000, 0.9), (5_000, 0.99)])
def test_the_interval_holds_the_true_quantile_as_often_as_it_says(n, q):
    chance = random.Random(n)
    low, high = ranks(n, q)

    held = 0
    for _ in range(1_000):  # the k-th of n uniform samples is Beta(k, n + 1 - k)
        least = chance.betavariate(low, n + 1 - low)
        most = least + (1 - least) * chance.betavariate(high - low, n + 1 - high)
        held += least <= q <= most

    assert 0.935 <= held / 1_000 <= 0.99


@settings(max_examples=examples(60))
@given(st.integers(1, 100_000), st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99, 0.999]))
def test_ranks_stand_in_order_around_the_quantile(n, q):
    found = ranks(n, q)

    if found is not None:
        assert 1 <= found[0] <= max(n * q, 1) <= found[1] <= n


def sketch(n, seed=1):
    chance = random.Random(seed)
    made = Sketch(1000)
    made.add([chance.lognormvariate(-3, 0.5) for _ in range(n)])
    return made


def test_the_interval_shrinks_with_the_samples_and_holds_the_value():
    widths = []
    for n in (100, 1_000, 10_000, 100_000):
        low, high = sketch(n).interval(0.95)
        assert low <= sketch(n).known(0.95) <= high
        widths.append(high - low)

    assert widths == sorted(widths, reverse=True)


def report_of(n, limits=(), seconds=1):
    chance, key = random.Random(1), Key("shop", "GET /")
    record, collector = Recorder("a", began=0.0), Collector(["a"])
    for second in range(seconds):
        for _ in range(n // seconds):
            record.record(Sample(key, second, second + chance.lognormvariate(-3, 0.5)))
        record.count_visit("shop", second, "planned")
        record.count_visit("shop", second, "done")
        collector.add(record.cut())
    totals = collector.totals()
    facts = RunInfo("e", 1, "2026-01-01T00:00:00Z", 10.0)
    return conclude(totals, [parse(text).evaluate(totals, 10.0) for text in limits], facts, Ending())


def test_what_is_not_known_is_null_in_json_and_a_question_mark_in_the_table():
    report, out = report_of(100), io.StringIO()

    print_report(report, Console(file=out, width=140))

    row = json.loads(json.dumps(as_dict(report)))["series"][0]
    assert row["p95"] is not None
    assert row["p99"] is row["p99.9"] is row["intervals"]["p99"] is None
    assert row["intervals"]["p95"][0] <= row["p95"] <= row["intervals"]["p95"][1]
    assert report["GET /"].p99 is None
    line = next(line for line in out.getvalue().splitlines() if "GET /" in line)
    assert line.split()[-3:-1] == ["?", "?"]
    assert line.split()[-4].startswith("~")
    known = "? too few samples to know; the busiest series needs a run of about 37s for p99, 7m for p99.9\n"
    assert known in out.getvalue()
    assert "~ 95 % interval wider than ±10 %, or under 20 s: too short to know how seconds vary\n" in out.getvalue()


class Unknown:
    """Times of as many samples as each percentile needs, none of which is known, as far as `known_in` reads them."""

    def effective(self, q):
        return samples_needed(q)

    def bounds(self, q):
        return None


def test_percentiles_that_need_an_equally_long_run_are_named_together():
    row = SimpleNamespace(kind="http", duration=60.0, response=None, service=Unknown())
    longer = SimpleNamespace(kind="http", duration=81.0, response=None, service=Unknown())
    longer.service.bounds = lambda q: None if q > 0.99 else (1, 2)
    row.service.bounds = lambda q: None if q < 0.999 else (1, 2)

    assert known_in([row]) == "; the busiest series needs a run of about 60s for p50, p90, p95 and p99"
    assert known_in([longer, row]).endswith("about 60s for p50, p90, p95 and p99, 81s for p99.9")


def test_a_table_of_what_is_known_needs_no_marks():
    out = io.StringIO()

    print_report(report_of(150_000, seconds=30), Console(file=out, width=140))

    assert "?" not in out.getvalue()
    assert "~" not in out.getvalue()


def test_a_limit_on_what_is_not_known_is_judged_by_the_maximum_and_says_so():
    (limit,) = report_of(100, ["p99(GET /) < 10s"]).limits

    assert limit.value == report_of(100)["GET /"].max
    assert limit.note == "100 of 368 samples needed: the maximum is used instead"
