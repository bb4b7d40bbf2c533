"""From windows to words: collector, limits, verdict, text, JSON."""

import io
import itertools
import json
import os
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from thorough import examples

from chaperon.errors import LimitError, NoSuchSeries, OutputError
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import RunEvent
from chaperon.report.collector import LATE, MISSING, TWICE, Collector
from chaperon.report.format import time_text
from chaperon.report.limits.limit_parser import parse
from chaperon.report.output_parts.series_table import TIMES_EXPLAINED
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import JsonOutput, as_dict
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import Verdict
from chaperon.report.totals import WorkerStats
from chaperon.report.verdict import Ending, RunInfo, conclude
from chaperon.report.worker_table import worker_lines

GET = Key("shop", "GET /")
VISIT = Key("shop", "visit", "visit")
FACTS = RunInfo("production", 7, "2026-01-01T00:00:00Z", 10.0)


def windows(worker, seconds=5, seed=1, each=40):
    """The windows of one worker that makes *each* requests a second."""
    chance = random.Random(f"{worker}{seed}")
    record = Recorder(worker, began=0.0)
    made = []
    for second in range(seconds):
        for _ in range(each):
            took = chance.lognormvariate(-4, 0.5)
            bad = Failure("http 503", "503 Busy") if chance.random() < 0.1 else None
            record.record(Sample(GET, second, second + took, bad, 100))
            record.record(Sample(VISIT, second, second + took, due=second - 0.1))
            record.count_visit("shop", second, "planned")
            record.count_visit("shop", second, "done")
        made.append(record.cut(users=3, health={"late_p99": 0.001 * second, "cpu": 0.5, "stalls": 0.0}))
    return made


def collected(*made, workers=("a",)):
    collector = Collector(workers)
    for window in itertools.chain(*made):
        collector.add(window)
    return collector


def report_of(collector=None, limits=(), ending=None, facts=FACTS):
    totals = (collector or collected(windows("a"))).totals()
    judged = [parse(text).evaluate(totals, facts.duration) for text in limits]
    return conclude(totals, judged, facts, ending or Ending())


# the collector


def test_seconds_add_up_to_the_whole():
    report = report_of()

    assert report["GET /"].count == sum(s.requests for s in report.seconds) == 200
    assert report["GET /"].errors == sum(s.errors for s in report.seconds)
    assert [s.counts.done for s in report.seconds] == [40] * 5
    assert report["GET /"].bytes == 20_000


@settings(max_examples=examples(20))
@given(st.randoms(use_true_random=False))
def test_the_same_windows_give_the_same_figures_in_whatever_order_they_come(chance):
    one, two = windows("a"), windows("b")
    shuffled = [*one, *two]
    chance.shuffle(shuffled)

    figures = {
        json.dumps(as_dict(report_of(collected(order, workers=("a", "b"))))["series"])
        for order in ([*one, *two], shuffled)
    }

    assert len(figures) == 1


def test_a_window_that_comes_twice_is_counted_once():
    once, twice = windows("a"), windows("a")

    totals = collected(once, twice[2:4]).totals()

    assert totals.notes[TWICE] == 2
    assert totals.series[GET].count == 200


def test_a_window_that_never_comes_is_said():
    made = windows("a")

    assert collected(made[:2], made[3:]).totals().notes[MISSING] == 1


def test_a_second_is_closed_without_a_worker_that_is_silent_for_ten():
    collector = collected(windows("a", seconds=12), workers=("a", "b"))

    assert collector.pulse().elapsed == 2
    collector.add(windows("b", seconds=1)[0])
    totals = collector.totals()

    assert totals.notes[LATE] == 1
    assert totals.series[GET].count == 13 * 40


def test_totals_include_seconds_that_are_still_open_and_leave_them_open():
    collector = collected(windows("a"), workers=("a", "b"))

    first = collector.totals().series[GET].count
    for window in windows("b"):
        collector.add(window)

    assert (first, collector.totals().series[GET].count) == (200, 400)


def test_the_pulse_is_of_the_last_seconds():
    pulse = collected(windows("a", seconds=20)).pulse()

    assert (pulse.elapsed, pulse.users, pulse.requests_rate, pulse.visits) == (20, 3, 40.0, 800)
    assert 0 < pulse.p50 < pulse.p95


def test_visits_count_in_the_second_in_which_they_ended_with_every_outcome_they_can_have_once_begun():
    collector, late = Collector(["a", "b"], patience=2.0), None
    recorders = [Recorder(name, began=0.0) for name in ("a", "b")]
    fates = ["done", "failed", "interrupted", "no_row"]
    for second in range(12):
        for recorder in recorders:
            for fate in ("planned", "planned", "dropped"):
                recorder.count_visit("shop", second, fate)
            for fate in fates if second >= 3 else ():
                recorder.count_visit("shop", second - 3, fate)  # each lasts 3 s
            window = recorder.cut(users=12)
            if second == 8 and recorder.worker == "b":
                late = window
            else:
                collector.add(window)
    collector.close()

    before = collector.pulse()
    collector.add(late)
    pulse = collector.pulse()

    assert (before.visits_rate, pulse.visits_rate) == (7.2, 8.0)
    assert [row.visits for row in pulse.seconds] == [0] * 3 + [8] * 9
    assert pulse.visits == 8 * 9


def test_failing_for_counts_the_seconds_in_which_nothing_else_happened():
    record, collector = Recorder("a", began=0.0), Collector(["a"])
    seen = []

    for failure in (None, Failure("e"), Failure("e"), "quiet", Failure("e"), None):
        if failure != "quiet":
            record.record(Sample(GET, 0.0, 1.0, failure))
        collector.add(record.cut())
        seen.append(collector.failing_for)

    assert seen == [0, 1, 2, 2, 4, 0]


def test_reading_the_totals_leaves_the_streak_of_failures_as_it_is():
    record, collector = Recorder("a", began=0.0), Collector(["a", "b"])
    record.record(Sample(GET, 0.0, 1.0, Failure("e")))
    collector.add(record.cut())

    assert collector.totals().series[GET].errors == 1
    assert (collector.closed, collector.failing_for) == (-1, 0)


def test_visits_that_fail_without_a_good_request_count_as_failing_too():
    record, collector = Recorder("a", began=0.0), Collector(["a"])
    seen = []

    for fate, request in zip(["failed"] * 4 + ["done"], ["none", "bad", "good", "none", "none"], strict=True):
        record.count_visit("shop", 0.0, fate)
        if request != "none":
            record.record(Sample(GET, 0.0, 1.0, Failure("e") if request == "bad" else None))
        collector.add(record.cut())
        seen.append(collector.failing_for)

    assert seen == [1, 2, 0, 1, 0]


def test_of_a_phase_every_worker_tells_the_same_length():
    made = [
        [Recorder(name, began=0.0).cut(phases={("shop", "steady"): 1.0}, health={}) for _ in range(1)]
        for name in ("a", "b")
    ]

    totals = collected(*made, workers=("a", "b")).totals()

    assert totals.phases == {("shop", "steady"): 1.0}


def test_what_happened_is_told_with_its_worker_in_order():
    one, two = Recorder("a", began=0.0), Recorder("b", began=0.0)
    late, early = RunEvent(0.7, "blocked", "shop.py:3", 0.3), RunEvent(0.2, "change", "paused")
    one.record_event(late)
    two.record_event(early)

    totals = collected([one.cut()], [two.cut()], workers=("a", "b")).totals()

    assert totals.happenings == [("b", early), ("a", late)]


# the report


def test_a_series_is_found_by_name_by_scenario_and_by_its_visit():
    report = report_of()

    assert report["GET /"].count == report["GET /", "shop"].count == 200
    assert report["visit"].count == report["visit shop"].count == 200
    assert report["visit"].response.low >= 0.1
    assert "GET /" in report
    assert "GET /x" not in report
    with pytest.raises(NoSuchSeries, match=r"did you mean 'GET /'"):
        report["GET"]


# limits


@pytest.mark.parametrize(
    "text",
    [
        "p95(GET /) < 300ms",
        "errors(GET /) < 20%",
        "errors < 20%",
        "rate(GET /) > 10/s",
        "rate > 600/m",
        "count(visit) >= 200",
        "max(visit shop) < 5s",
        "p99.9(GET / in shop) <= 5s",
        "mean < 1",
        "service p95(visit) < 80ms",
        "response p95(visit) > 100ms",
        "p50(visit) > 100ms",
        "errors(GET / : http 503) > 0",
        "errors(GET /: http 404) == 0",
    ],
)
def test_limits_that_hold(text):
    (result,) = report_of(limits=[text]).limits

    assert result.held, result


@pytest.mark.parametrize("text", ["p95(GET /) < 1ms", "errors < 1%", "p95(GET /nowhere) < 300ms", "count > 1000"])
def test_limits_that_break_and_no_data_breaks_a_limit(text):
    report = report_of(limits=[text])

    assert report.verdict is Verdict.FAIL
    assert report.reasons[0].startswith(f"limit broke: {text}, but was ")


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", 0, "expected p95"),
        ("q95 < 1s", 0, "expected p95"),
        ("p101 < 1s", 0, "between 0 and 100"),
        ("p95(GET / < 1s", 3, "is not closed"),
        ("p95() < 1s", 4, "series is missing"),
        ("p95(GET /) 1s", 11, "a comparison"),
        ("p95(GET /) < fast", 13, "a number"),
        ("p95(GET /) < 300 m/s", 18, "unexpected text"),
        ("p95(GET /) < 300parsecs", 13, "a number"),
        ("p95 < 5%", 5, "not a share"),
        ("errors < 5s", 8, "not a time"),
        ("count > 5/s", 7, "not a rate"),
        ("errors < 0.05", 8, "write 5%"),
        ("errors(timeout) < 101%", 17, "at most 100%"),
        ("count(step pay) > 200.5%", 17, "at most 100%"),
        ("p95 < 1s over", 13, "a span"),
        ("p95 < 1s over 10ms", 9, "once a second"),
        ("p95 < 1s over 3s over 3s", 17, "is given twice"),
        ("p95 < 1s during", 15, "a phase"),
        ("p95 < 1s during ramp over 3s", 0, "cannot be combined"),
        ("p95 < 1s abort after", 20, "a span"),
        ("p95 < 1s abort 5s", 15, "unexpected text"),
        ("count > 5 abort", 0, "grows until the end"),
        ("errors(GET / {a=b}: http 500) < 5", 0, "cannot be combined with tags"),
    ],
)
def test_a_wrong_limit_is_shown_where_it_is_wrong(text, at, why):
    with pytest.raises(LimitError) as caught:
        parse(text)

    message, shown, pointer = str(caught.value).split("\n")
    assert why in message
    assert shown == f"  {text}"
    assert pointer.index("^") - 2 == at


@given(st.text(alphabet="p95(GET /){}<>=% :sin0.errors\n", max_size=30))
def test_whatever_is_typed_is_read_or_refused(text):
    with suppress(LimitError):
        assert parse(text).text == text


# the verdict


def test_invalid_comes_before_fail_before_aborted_before_pass():
    broken = ["errors < 1%"]

    verdicts = [
        report_of(limits=broken, ending=Ending(aborted="Ctrl-C", faults=("a fault",))).verdict,
        report_of(limits=broken, ending=Ending(aborted="Ctrl-C")).verdict,
        report_of(ending=Ending(aborted="Ctrl-C")).verdict,
        report_of().verdict,
    ]

    assert verdicts == [Verdict.INVALID, Verdict.FAIL, Verdict.ABORTED, Verdict.PASS]
    assert [verdict.exit_code for verdict in verdicts] == [5, 4, 130, 0]
    assert [v.exit_code for v in verdicts] == [5, 4, 130, 0]


def test_a_run_without_a_visit_done_fails():
    assert report_of(Collector(["a"])).reasons == ("no visit was done",)


@pytest.mark.parametrize(
    ("visit", "limits", "ending", "verdict"),
    [
        ("interrupted", ["p95(GET /) < 1s"], Ending(aborted="Ctrl-C"), Verdict.ABORTED),
        ("interrupted", ["p95(GET /) < 1s"], Ending(), Verdict.FAIL),
        ("failed", [], Ending(aborted="Ctrl-C"), Verdict.FAIL),
        ("interrupted", [], Ending(aborted="Ctrl-C", unreached="no connection"), Verdict.FAIL),
    ],
)
def test_a_run_stopped_before_there_was_data_is_aborted(visit, limits, ending, verdict):
    record, collector = Recorder("a", began=0.0), Collector(["a"])
    for outcome in ("planned", visit):
        record.count_visit("shopping", 0.0, outcome)
    collector.add(record.cut())

    report = report_of(collector, limits=limits, ending=ending)

    assert report.verdict is verdict
    without_data = [*["limit broke: p95(GET /) < 1s, but was no data" for _ in limits], "no visit was done"]
    if verdict is Verdict.ABORTED:
        assert report.reasons == ("Ctrl-C", *without_data)
    assert set(without_data) <= set(report.reasons)


def test_a_ledger_that_does_not_balance_is_invalid():
    record, collector = Recorder("a", began=0.0), Collector(["a"])
    record.count_visit("shop", 0.0, "planned")
    collector.add(record.cut())

    assert report_of(collector).verdict is Verdict.INVALID
    assert report_of(collector, ending=Ending(finished=False)).verdict is Verdict.PASS


# outputs


def test_the_json_keeps_its_contract():
    found = json.loads(json.dumps(as_dict(report_of(limits=["p95(GET /) < 300ms"]))))

    assert {"schema", "verdict", "reasons", "started", "duration", "environment", "chaperon", "seed"} <= set(found)
    series = {s["name"]: s for s in found["series"]}
    percentiles = {"p50", "p90", "p95", "p99", "p99.9"}
    assert {"scenario", "name", "kind", "count", "errors", "rate", "bytes", "min", "mean", "max", "bad"} <= set(
        series["GET /"]
    )
    assert {"censored", "never_begun", "at_least"} <= set(series["GET /"])
    assert percentiles <= set(series["GET /"])
    assert series["GET /"]["response"] is None
    assert {*percentiles, "censored", "at_least"} == set(series["visit"]["response"])
    assert series["visit"]["bad"]["p50"] is None
    assert set(found["errors"][0]) == {
        "scenario",
        "series",
        "error",
        "count",
        "first",
        "last",
        "sample",
        "where",
        "exchanges",
        "warm",
    }
    assert {"scenario", "planned", "done", "failed", "interrupted", "dropped", "lost"} <= set(found["ledger"][0])
    assert {"limit", "held", "value"} <= set(found["limits"][0])
    assert {"at", "requests", "errors", "users", "planned", "done", "p50", "p95"} <= set(found["seconds"][0])
    assert found["generator"] == {"late_p99": 0.004, "cpu": 0.5, "stalls": 0.0}
    assert {"name", "visits", "windows", "lost", "late_p99", "cpu"} <= set(found["workers"][0])


def test_the_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.json"
    JsonOutput(path).finish(report_of())

    with pytest.raises(OutputError, match="cannot write"):
        JsonOutput(tmp_path / "no such folder" / "out.json").finish(report_of())
    with pytest.raises(OutputError, match="No space left"):
        JsonOutput("/dev/full").finish(report_of())

    assert json.loads(path.read_text())["schema"] == "chaperon-report/1"
    assert os.listdir(tmp_path) == ["out.json"]


def test_the_json_goes_where_a_link_leads(tmp_path):
    place, link = tmp_path / "place.json", tmp_path / "link.json"
    link.symlink_to(place)

    JsonOutput(link).finish(report_of())

    assert link.is_symlink()
    assert json.loads(place.read_text())["schema"] == "chaperon-report/1"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://me:secret@host/", "http://***@host/"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("GET /x?token=abc&y=1", "GET /x?token=***&y=1"),
    ],
)
def test_secrets_are_masked(text, hidden):
    assert redacted(text) == hidden


def test_what_others_say_cannot_steer_the_terminal():
    record, out = Recorder("a", began=0.0), io.StringIO()
    evil = "a\x1b[2Jb\x9bc\nd\re"
    record.record(Sample(Key(evil, evil), 0.0, 1.0, Failure(evil, evil)))
    record.count_visit(evil, 0.0, "planned")

    print_report(report_of(collected([record.cut()])), Console(file=out, width=200))

    assert "a\\x1b[2Jb\\x9bc\\nd\\re" in out.getvalue()
    assert not set(out.getvalue()) & set("\x1b\x9b\r")


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_holds_every_series_and_fits(width):
    out = io.StringIO()

    print_report(report_of(limits=["p95(GET /) < 300ms"]), Console(file=out, width=width))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("PASS")
    assert " ".join(out.getvalue().split()).count(TIMES_EXPLAINED) == 1
    for word in ("GET /", "visit", "from when due", "http 503", "held", "200 planned = 200 done", "p95", "max"):
        assert word in out.getvalue()


def test_times_are_written_as_people_read_them():
    assert [time_text(t) for t in (None, 0.0004, 0.0234, 0.203, 1.5, 250.0)] == [
        "–",
        "0.40ms",
        "23.4ms",
        "203ms",
        "1.50s",
        "250s",
    ]


def test_what_was_counted_with_bytes_shows_them():
    recorder, out = Recorder("a", began=0.0), io.StringIO()
    for size in (1_000, 500):
        recorder.record(Sample(Key("chat", "ws sent /", "count"), 0.1, 0.1, None, size, None, 1.0))
    recorder.record(Sample(Key("chat", "basket", "value"), 0.2, 0.2, value=3.0))

    print_report(report_of(collected([recorder.cut()])), Console(file=out, width=200))

    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["ws", "sent", "/", "2", "1,500", "2"] in lines
    assert ["basket", "1", "3"] in [line[:3] for line in lines]


def tally(name, **health):
    return WorkerStats(name, visits=10, health={"cpu": 0.5, **health}, latest={"cpu": 0.1})


def test_the_workers_of_a_run_are_told_apart_and_the_lost_one_said():
    sick = replace(tally("beta", late_p99=0.5, lag_max=1.2), lost=True, losses=3)

    lines = worker_lines([tally("alpha", late_p99=0.001), sick])

    assert lines == [
        "workers  visits   cpu  late p99  lag max",
        "alpha        10  0.50    1.00ms   0.00ms",
        "beta         10  0.50     500ms    1.20s  lost, 3 visits with it",
    ]


def test_of_many_workers_those_are_shown_that_are_worst_off():
    lines = worker_lines([tally(f"w{n:03}", late_p99=n / 1000) for n in range(50)], most=3)

    assert [line.split()[0] for line in lines] == ["workers", "w047", "w048", "w049", "and"]
    assert lines[-1] == "and 47 workers with better figures"


def test_one_worker_alone_is_no_crew():
    assert worker_lines([tally("local")]) == []
