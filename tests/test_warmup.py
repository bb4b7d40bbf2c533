"""Phases are separate in the report; warm-up counts to no headline, no limit."""

import io
import json

from rich.console import Console

from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.breakdown import by_tags, split
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.verdict import Ending, RunInfo, conclude


def report_of(*samples, phases, duration, limits=(), bad=()):
    record, collector = Recorder("a", began=0.0), Collector(["a"])
    for key, took in samples:
        record.record(Sample(key, 0.0, took))
    for key in bad:
        record.record(Sample(key, 0.0, 0.1, Failure("http 503", "503")))
    record.count_visit("shop", 0.0, "planned")
    record.count_visit("shop", 0.0, "done")
    collector.add(record.cut(phases=phases))
    facts = RunInfo("e", 1, "2026-01-01T00:00:00Z", duration)
    totals = collector.totals()
    return conclude(totals, [parse(text).evaluate(totals, duration) for text in limits], facts, Ending())


COLD = [(Key("shop", "GET /", phase="warm-up"), 5.0)] * 100
WARM = [(Key("shop", "GET /"), 0.1)] * 400
PHASES = {("shop", "warm-up"): 10.0, ("shop", "steady"): 40.0}


def test_warm_up_is_left_out_of_headline_and_limits():
    limits = ["max(GET /) < 1s", "rate(GET /) == 10/s", "count == 400"]

    report = report_of(*COLD, *WARM, phases=PHASES, duration=50.0, limits=limits)

    assert [limit.held for limit in report.limits] == [True] * 3, report.limits
    row = report["GET /"]
    assert (row.count, row.max, row.rate) == (400, 0.1, 10.0)


def test_a_report_splits_by_phase_with_the_rate_of_each():
    report = report_of(*COLD, *WARM, phases=PHASES, duration=50.0)

    parts = {phase: (rows[0].count, rows[0].rate) for phase, rows in split(report, "phase").items()}

    assert parts == {"warm-up": (100, 10.0), "steady": (400, 10.0)}
    told = {row["phase"]: row["count"] for row in json.loads(json.dumps(as_dict(report)))["phases"]}
    assert told == {"warm-up": 100, "steady": 400}


def test_a_report_splits_by_a_tag():
    tagged = [(Key("shop", "GET /", tags=(("kind", "search"),)), 0.2)] * 30
    report = report_of(*WARM, *tagged, phases=PHASES, duration=50.0)

    parts = {value: rows[0].count for value, rows in split(report, "kind").items()}

    assert parts == {"search": 30, "–": 400}
    assert [(tags, row.count) for tags, row in by_tags(report)] == [({"kind": "search"}, 30)]
    assert report["GET /"].count == 430
    assert split(report, "nothing") == {}


def test_the_table_is_split_by_what_is_asked_for():
    out = io.StringIO()

    print_report(report_of(*COLD, *WARM, phases=PHASES, duration=50.0), Console(file=out, width=100), ["phase", "kind"])

    assert "shop · warm-up" in out.getvalue()
    assert "shop · steady" in out.getvalue()
    assert "by kind: no series has that tag" in out.getvalue()


def test_errors_of_the_warm_up_count_to_no_limit_but_are_listed():
    bad = [key for key, _ in (*COLD[:7], *WARM[:3])]

    limits = ["errors(GET /: http 503) == 3", "errors == 3"]
    report = report_of(*WARM, phases=PHASES, duration=50.0, bad=bad, limits=limits)

    assert [limit.held for limit in report.limits] == [True, True], report.limits
    assert report.errors[0].count == 10


def test_of_many_values_of_a_tag_the_busiest_are_printed():
    out = io.StringIO()
    tagged = [(Key("shop", "GET /", tags=(("user", f"u{i}"),)), 0.2) for i in range(60) for _ in range(i + 1)]

    print_report(report_of(*tagged, phases=PHASES, duration=50.0), Console(file=out, width=100), ["user"])

    assert out.getvalue().count("shop · user=") == 20
    assert "user=u59" in out.getvalue()
    assert "by user: 40 more, with fewer samples, are in the JSON" in out.getvalue()
