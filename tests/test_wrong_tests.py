"""Tests that are written wrongly fail and say how to write them, in place of passing."""

import csv
import re
import socket
import urllib.request
from io import StringIO
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import gevent
import pytest
import requests
from rich.console import Console
from scenes import errors_of, once, simulated
from unjudged import UNJUDGED

import chaperon
from chaperon import (
    Environment,
    LimitError,
    Scenario,
    UsageError,
    Verdict,
    iterations,
    measured,
    measured_session,
    rate,
    run,
    users,
)
from chaperon.cli.commands.check import _judge as judge_check
from chaperon.cli.output_rows import VerdictOutput
from chaperon.load.generator import health
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import BATCH, NEWEST, Recorder
from chaperon.measure.sample import Failure, Key
from chaperon.pytest_plugin import summary_line
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.csv import CsvOutput
from chaperon.report.outputs.json import as_dict
from chaperon.report.outputs.junit import junit_text
from chaperon.report.outputs.markdown import markdown_text
from chaperon.testing import VirtualClock

PAGE = "<html>\n" + "a line of the page\n" * 20


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (True, "has a price", "got bool True: write session.check('has a price', …)"),
        (None, "has a price", "got NoneType None: write session.check('has a price', …)"),
        ([1], "has a price", "got list [1]: write session.check('has a price', …)"),
        (b"name", True, "got bytes b'name': write session.check('has a price', …)"),
        (PAGE, "has a price", "got str '<html>"),
        ("x" * 2_000, "has a price", "got str 'xxx"),
    ],
)
def test_a_check_in_the_wrong_order_says_the_right_one(target, first, second, says):
    report = once(target, lambda session: session.check(first, second))

    (error,) = report.errors
    assert (error.error, report.visits.failed) == ("TypeError", 1)
    assert error.sample.startswith("TypeError: session.check(name, condition) takes the name first, which is text; ")
    assert says in error.sample
    assert not [row for row in report.rows if row.kind == "check"]


@pytest.mark.parametrize("condition", ["text that is there", "", None, 0, [], {"a": 1}])
def test_a_check_takes_any_condition(target, condition):
    report = once(target, lambda session: session.check("it holds", condition))

    assert report["check it holds"].errors == (0 if condition else 1)
    assert report.visits.done == 1


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (True, None),
        (None, None),
        (False, "unexpected reply"),
        ("no price", "no price"),
        ("", "unexpected reply"),
    ],
)
def test_what_a_predicate_returns_decides(target, returned, error):
    report = once(target, lambda session: session.get("/", expect=lambda response: returned))

    assert errors_of(report) == ({} if error is None else {("GET /", error): 1})
    assert report["GET /"].bad.count == (error is not None)


@pytest.mark.parametrize(
    "returned", [1, 0, [], {"price": 7}, re.match("a", "a"), b"no price", 0.5, ..., NotImplemented], ids=repr
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_predicate_that_returns_something_else_is_a_type_error(target, returned, stream):
    def asks(session):
        session.get("/", expect=lambda response: returned, stream=stream).close()

    report = once(target, asks)

    assert ("GET /", "TypeError") in errors_of(report)
    assert "write bool(…) around it" in report.errors[0].sample
    assert report["GET /"].errors == 1


def test_a_predicate_that_returns_true_or_nothing_is_a_type_error(target):
    def has_a_price(response):
        return True if response.url.endswith("/1") else None

    def asks(session):
        session.get("/1", expect=has_a_price)
        session.get("/2", expect=has_a_price)

    report = once(target, asks)

    assert errors_of(report) == {("GET /2", "TypeError"): 1}
    assert "let it return False for a bad one" in report.errors[0].sample


@pytest.mark.parametrize("expect", ["200", b"200", True, 20.0], ids=repr)
def test_what_can_be_no_status_is_a_type_error(target, expect):
    report = once(target, lambda session: session.get("/", expect=expect))

    assert errors_of(report) == {("GET /", "TypeError"): 1}
    assert "expect= takes a status, a collection of them, or a function" in report.errors[0].sample


def test_a_reason_keeps_what_the_status_was(target):
    report = once(target, lambda session: session.get("/status/503", expect=lambda response: "sold out"))

    (error,) = report.errors
    assert (error.error, error.sample) == ("sold out", "sold out (503 As Asked)")


def _plain(session):
    session.get("/").fail("no price")


def _after_a_pause(session):
    response = session.get("/")
    session.sleep(0.05)
    response.fail("no price")


def _after_a_check(session):
    response = session.get("/")
    session.check("it came", response.ok)
    response.fail("no price")


def _after_another_request(session):
    response = session.get("/")
    session.get("/other")
    response.fail("no price")


def _twice(session):
    response = session.get("/")
    response.fail("no price")
    response.fail("no stock")


def _of_a_status(session):
    session.get("/status/500", name="GET /").fail("no price")


def _of_a_redirect(session):
    session.get("/redirect", name="GET /").fail("no price")


def _of_the_first_of_a_redirect(session):
    session.get("/redirect", name="GET /").history[0].fail("no price")


def _of_a_stream(session):
    with session.get("/", stream=True) as response:
        response.fail("no price")


def _of_a_stream_that_ended(session):
    with session.get("/", stream=True) as response:
        assert response.content is not None
    response.fail("no price")


def _within_expect(session):
    session.get("/", expect=lambda response: response.fail("no price"))


def _of_a_prepared_request(session):
    request = requests.Request("GET", f"{session.http.service.url}/")
    session.http.send(session.http.prepare_request(request)).fail("no price")


def _with_tags(session):
    with session.tagged(area="shop"):
        response = session.get("/", tags={"kind": "search"})
    response.fail("no price")


def _in_a_task(session):
    session.spawn(lambda child: child.get("/"), task="asks")
    session.join("asks").fail("no price")


WAYS = [
    _plain, _after_a_pause, _after_a_check, _after_another_request, _twice, _of_a_status, _of_a_redirect,
    _of_the_first_of_a_redirect, _of_a_stream, _of_a_stream_that_ended, _within_expect, _of_a_prepared_request,
    _with_tags, _in_a_task,
]  # fmt: skip


@pytest.mark.parametrize("fail", WAYS)
def test_a_response_that_is_failed_is_bad_within_its_sample(target, fail):
    report = once(target, fail, load=iterations(3))

    row = report["GET /"]
    assert (row.count, row.errors, row.bad.count, row.good.count) == (3, 3, 3, 0)
    assert errors_of(report) == {("GET /", "no price"): 3}
    assert not [each for each in report.rows if each.name.startswith("check no")]
    assert report.visits.done == 3


def test_after_its_second_a_response_that_is_failed_is_a_failed_check(target):
    def late(session):
        response = session.get("/")
        session.sleep(2.1)
        response.fail("no price")

    report = once(target, late)

    assert (report["GET /"].count, report["GET /"].errors) == (1, 0)
    assert errors_of(report) == {("check no price", "no price"): 1}


def test_a_reason_must_be_text(target):
    report = once(target, lambda session: session.get("/").fail(None))

    assert errors_of(report) == {("step <lambda>", "TypeError"): 1}
    assert "response.fail('no price')" in report.errors[0].sample


def test_of_many_samples_the_failed_ones_are_bad_whatever_came_in_between():
    clock = VirtualClock()
    recorder = Recorder("local", began=0.0)
    meter = Meter(recorder, clock, "shop")
    failed = range(0, 3 * NEWEST, 50)
    found = {}
    for number in range(3 * NEWEST):
        meter.record("GET /", "http", number / 1000, number / 1000 + 0.01)
        asked = number - NEWEST + 1
        if asked in failed:
            found[asked] = meter.amend("GET /", asked / 1000, asked / 1000 + 0.01, None, Failure("no price"))

    window = recorder.cut()

    series = window.series[Key("shop", "GET /")]
    assert all(found.values())
    assert (series.count, series.bad.count) == (3 * NEWEST, len(found))
    assert window.errors["shop", "GET /", "no price"].count == len(found)
    assert not meter.amend("GET /", 2.999, 3.009, None, Failure("no price"))


def test_the_unmerged_samples_of_a_series_are_bounded():
    meter = Meter(recorder := Recorder("local", began=0.0), VirtualClock(), "shop")

    for number in range(10 * NEWEST):
        meter.record("GET /", "http", number / 1000, number / 1000 + 0.01)
        meter.record("step looks", "step", number / 1000, number / 1000 + 0.01)

    waiting = {key.name: len(series.rows) for key, series in recorder._open.items()}
    assert waiting["GET /"] < NEWEST + BATCH
    assert waiting["step looks"] < BATCH
    assert {series.count for series in recorder.cut().series.values()} == {10 * NEWEST}


# slow replies that count as errors


def slow_ones_refused(session):
    """Take 10 ms, of every third visit 2 s, and refuse what takes long."""
    with session.measure("GET /", kind="http") as reply:
        slow = session.visit.number % 3 == 0
        session.sleep(2.0 if slow else 0.01)
        if slow:
            reply.fail("too slow")


LIMITS = {
    "p95(GET /) < 100ms": True,
    "all p95(GET /) < 100ms": False,
    "all p50(GET /) < 100ms": True,
    "all p95 < 2100ms": True,
    "bad p50(GET /) < 100ms": False,
    "bad p95(GET /) < 2100ms": True,
    "service all p95(GET /) < 100ms": False,
    "all max(GET /) < 100ms": False,
    "all mean(GET /) < 600ms": False,
    "bad min(GET /) > 1s": True,
    "max(GET /) < 100ms": True,
    "bad p95(step slow_ones_refused) < 1ms": True,
    "bad p95(GET /nothing) < 1ms": False,
    "all p95(GET /) < 100ms over 10s": False,
    "bad p95(GET /) < 100ms over 10s": False,
    "bad p95(visit) < 1ms over 10s": True,
    "all p95(GET / in shop) < 3s during steady": True,
}


def test_limits_speak_of_all_samples_or_of_the_bad_ones():
    report = simulated(slow_ones_refused, load=iterations(900, users=5), limits=list(LIMITS))

    assert {limit.limit: limit.held for limit in report.limits} == LIMITS
    row = report["GET /"]
    assert row.p95 == pytest.approx(0.01, rel=0.01)
    assert row.all.known(0.95) == pytest.approx(2.0, rel=0.01)
    assert row.bad.known(0.95) == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("text", ["bad p95(GET /) < 1ms", "bad max < 1ms", "bad p95 < 1ms over 5s", "bad p99 > 1s"])
def test_a_limit_on_bad_samples_holds_without_any(text):
    def quick(session):
        with session.measure("GET /", kind="http"):
            session.sleep(0.01)

    report = simulated(quick, load=iterations(900, users=1), limits=[text])

    (limit,) = report.limits
    assert (limit.held, limit.value, limit.note) == (True, None, "no sample is in error")
    assert report.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("response all p95(GET /) < 1s", "a sample in error has no response time"),
        ("response bad max < 1s", "a sample in error has no response time"),
        ("all count(GET /) > 1", "count is no time"),
        ("bad errors < 1%", "errors is no time"),
        ("all rate > 1/s", "rate is no time"),
        ("bad last(level) < 1", "last is no time"),
    ],
)
def test_all_and_bad_are_written_before_times(text, says):
    with pytest.raises(LimitError, match=says):
        Environment(
            "http://localhost", limits=[text], scenarios=[run(Scenario(slow_ones_refused), iterations(1))]
        ).plan()


@pytest.mark.parametrize("load", [iterations(900, users=5), rate(50, hold=20)], ids=str)
def test_a_series_with_errors_has_a_row_of_their_times_in_every_output(load, tmp_path):
    report = simulated(slow_ones_refused, load=load)

    shown = table_of(report)
    line = next(line for line in shown.splitlines() if line.strip().startswith("in error"))
    assert line.split()[2] == f"{report['GET /'].bad.count:,}"
    assert line.count("2.00s") >= 3
    assert shown.count("in error") == 1
    (series,) = [each for each in as_dict(report)["series"] if each["name"] == "GET /"]
    assert series["bad"]["p95"] == series["all"]["p95"] == pytest.approx(2.0, rel=0.01)
    assert series["p95"] == pytest.approx(0.01, rel=0.01)
    assert "| … in error |" in markdown_text(report)
    CsvOutput(tmp_path).finish(report)
    with open(tmp_path / "series.csv", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["name"] == "GET /"]
    assert float(row["bad_p95"]) == pytest.approx(2.0, rel=0.01)
    assert float(row["p95"]) == pytest.approx(0.01, rel=0.01)


def table_of(report, width=120):
    out = StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


# many series


def test_a_table_has_forty_series_and_says_how_many_more():
    def many(session):
        for number in range(session.visit.number % 100 + 1):
            with session.measure(f"GET /{number}", kind="http"):
                pass

    report = simulated(many, load=iterations(100), limits=["p95(GET /99) < 1s"])
    shown = table_of(report)

    names = [line.split()[1] for line in shown.splitlines() if line.strip().startswith("GET /")]
    assert "/99" in names  # the least used of all: a limit names it
    assert "/0" in names
    assert len(names) == 38  # and a step, and the visit
    assert "step many" in shown
    more = sum(row.count for row in report.rows) - sum(report[f"GET {name}"].count for name in names) - 200
    assert f"62 more series ({more:,} samples, 0 in error) are in the JSON report" in shown
    assert "62 more series" in markdown_text(report)
    total = next(line for line in shown.splitlines() if "all requests" in line)
    assert total.split()[2] == "5,050"


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_a_narrow_table_leaves_columns_out_and_cuts_no_figure(width):
    def browse(session):
        for name in ("GET /products", "GET /baskets/of/every/customer"):
            with session.measure(name, kind="http"):
                session.sleep(0.0123 + 0.001 * session.random.random())
        session.record("basket", 1_000)

    shown = table_of(simulated(browse, load=iterations(2_000, users=10)), width)

    long, short = rows = [line for line in shown.splitlines() if line.startswith(" GET")]
    assert max(map(len, shown.splitlines())) <= width
    assert all("2,000" in line and "ms " in line for line in rows)
    (values,) = (line.split() for line in shown.splitlines() if line.startswith(" basket"))
    assert values[:3] == ["basket", "2,000", "2,000,000"]
    assert set(values[3:]) <= {"1,000"}
    assert [long.count("…"), short.count("…")] == [width < 120, width < 40]


# errors that no limit covers


def faulty(session):
    """Make a request and a check that fail in every second visit, and a visit that fails in every tenth."""
    bad = session.visit.number % 2 == 0
    with session.measure("GET /", kind="http") as reply:
        session.sleep(0.01)
        if bad:
            reply.fail("http 500" if session.visit.number % 4 else "http 503")
    session.check("sane", not bad)
    if session.visit.number % 10 == 0:
        raise KeyError("missing")


ALL_THREE = "no limit covers 50 failed requests, 50 failed checks and 10 failed visits"
UNCOUNTED = {
    (): ALL_THREE,
    ("p95 < 1s",): ALL_THREE,
    ("all p95 < 1s", "rate(GET /) > 0/s", "count(GET /) > 1"): ALL_THREE,
    ("errors < 99%",): "no limit covers 50 failed checks and 10 failed visits",
    ("errors(GET /: http 500) < 99%", "errors(checks) < 99%"): "no limit covers 25 failed requests and "
    "10 failed visits",
    ("errors(GET /: http 500) < 99", "rate(GET /: http 503) < 99/s", "errors(checks) < 99%", "errors(visits) < 99"): "",
    ("errors < 99% over 1s abort", "errors(check sane) < 99%"): "no limit covers 10 failed visits",
    ("errors < 99% during steady", "errors(checks) < 99", "errors(visit shop) < 99"): "",
}


def shares_of(line):
    """Return the line with the shares of 100 visits, each with a request and a check, in place of numbers."""
    which = "errors" if line == ALL_THREE else "these errors"
    shares = re.sub(r"(\d+) failed (\w+?)s\b", r"\1.0% of \2s", line)
    return shares.replace("no limit covers ", f"no limit covers {which}: ") + " failed"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("limits", "line"), UNCOUNTED.items(), ids=str)
def test_errors_that_no_limit_covers_are_named_above_the_verdict(limits, line, strict):
    report = simulated(faulty, load=iterations(100), limits=limits, strict=strict)

    failed = bool(line) and strict
    assert report.verdict is (Verdict.FAIL if failed else Verdict.PASS)
    assert list(report.reasons) == ([line] if failed else [shares_of(line)] if line else [])
    assert report.headline == ("FAIL" if failed else f"PASS, {shares_of(line)}" if line else "PASS")
    warning = f"{line}: no effect on the verdict"
    assert [text for text in report.warnings if "limit covers" in text] == ([warning] if line and not strict else [])
    lines = [text.strip() for text in table_of(report, 200).splitlines() if text.strip()]
    if line:
        assert (lines[-1] if strict else lines[-2]).endswith(line if strict else warning)
        assert strict or lines[-1].endswith(f" s, {shares_of(line)}")


def test_every_output_says_in_its_verdict_that_errors_did_not_count(capsys):
    report = simulated(faulty, load=iterations(100))
    VerdictOutput().finish(report)
    quiet = capsys.readouterr().out.splitlines()
    case = next(each for each in ET.fromstring(junit_text(report)).iter("testcase") if "errors" in each.get("name"))
    said = shares_of(UNCOUNTED[()])

    assert quiet[0] == f"PASS, {said}"
    assert markdown_text(report).splitlines()[0].startswith(f"## ✓ PASS, {said} · ")
    assert (as_dict(report)["verdict"], as_dict(report)["reasons"]) == ("PASS", [said])
    assert case.find("skipped").get("message") == said
    assert summary_line(report).startswith(f"PASS, {said}, ")


@pytest.mark.parametrize("load", [iterations(20, users=20), rate(10, hold=2)], ids=["closed", "open"])
def test_a_visit_that_fails_in_its_init_is_a_failed_visit_in_ledger_series_limits_and_verdict(load):
    def init(session):
        if session.visit.number < 3:
            raise ValueError("no account")

    def told(*limits, **options):
        return simulated(
            scenario=Scenario(lambda session: None, init=init, name="shop"), load=load, limits=limits, **options
        )

    report = told("errors(visits) < 1%")

    assert (report.visits.planned, report.visits.failed) == (20, 3)
    assert (report["visit"].count, report["visit"].errors) == (20, 3)
    assert report.verdict is Verdict.FAIL
    assert errors_of(report) == {("step init", "ValueError"): 3}
    assert told(strict=True).reasons == ("no limit covers 3 failed visits",)


def test_a_cleanup_that_fails_is_an_error_that_no_limit_covers():
    def cleanup(session):
        raise ValueError("no way out")

    def told(*limits, **options):
        scenario = Scenario(lambda session: None, cleanup=cleanup, name="shop")
        return simulated(scenario=scenario, load=users(3), limits=limits, **options)

    assert told().headline == "PASS, no limit covers errors: 100% of cleanups failed"
    assert told().warnings[-1] == "no limit covers 3 failed cleanups: no effect on the verdict"
    assert told(strict=True).reasons == ("no limit covers 3 failed cleanups",)
    assert told("errors(step cleanup) < 4", strict=True).headline == "PASS"


def test_errors_of_the_warm_up_are_told_apart_where_errors_are_listed():
    def fail(session):
        with session.measure("GET /", kind="http") as reply:
            reply.fail("http 500")

    report = simulated(fail, load=rate(10, hold=3, warmup=1))

    (error,) = report.errors
    assert (error.count, error.warm, report["GET /"].errors) == (30, 10, 20)
    assert error.when == "0.0 to 2.9 s, 10 in the warm-up"
    assert "from 0.0 to 2.9 s, 10 in the warm-up" in table_of(report)
    assert "| 0.0–2.9 s, 10 in the warm-up |" in markdown_text(report)
    assert as_dict(report)["errors"][0]["warm"] == 10
    assert simulated(fail, load=rate(10, hold=3)).errors[0].when == "0.0 to 2.9 s"


def test_a_check_fails_on_errors_that_no_limit_covers():
    report = judge_check(simulated(lambda session: session.check("sane", False)))

    assert report.verdict is Verdict.FAIL
    assert report.reasons == ("1 error",)
    assert not report.warnings


def test_a_run_without_errors_has_no_such_line():
    report = simulated(lambda session: session.check("sane", True), strict=True)

    assert (report.verdict, report.warnings) == (Verdict.PASS, ())


def test_sockets_of_the_machine_are_no_warning_of_a_simulated_run(monkeypatch):
    monkeypatch.setattr(health, "ports", lambda: {"ports": 27_000.0, "ports_limit": 28_232.0})

    report = simulated(lambda session: session.check("sane", True))

    assert (report.verdict, report.warnings) == (Verdict.PASS, ())


def test_one_failed_request_is_in_the_singular():
    report = simulated(faulty, load=iterations(1), limits=["errors(visits) < 2"])

    line = "no limit covers 1 failed request and 1 failed check: no effect on the verdict"
    assert line in report.warnings


def test_errors_of_the_warm_up_are_not_spoken_of():
    report = simulated(faulty, load=users(1, hold=10, think=1, warmup=11))

    assert not [text for text in report.warnings if "limit covers" in text]


@pytest.mark.parametrize("strict", [False, True])
def test_a_kept_run_is_as_strict_as_it_was(target, tmp_path, strict):
    path = str(tmp_path / "kept.chap")

    environment = Environment(
        target.url, scenarios=[run(lambda session: session.get("/status/500"), users(1))], strict=strict, trust=UNJUDGED
    )
    report = environment.execute(run_file=path)

    kept = chaperon.read_run(path).run()
    assert kept.report().verdict is report.verdict is (Verdict.FAIL if strict else Verdict.PASS)
    assert kept.report(strict=True).verdict is Verdict.FAIL
    assert chaperon.read_run(path).report(strict=True).verdict is Verdict.FAIL
    assert kept.report(strict=True, limits=["errors <= 100%"]).verdict is Verdict.PASS


# requests that were never measured


def _plain_requests(session):
    requests.get(f"{session.http.service.url}/plain")


def _a_session_of_its_own(session):
    with requests.Session() as own:
        own.get(f"{session.http.service.url}/plain")


def _a_socket(session):
    url = urlsplit(session.http.service.url)
    socket.create_connection((url.hostname, url.port)).close()


def _a_socket_by_connect_ex(session):
    url = urlsplit(session.http.service.url)
    with socket.socket() as own:
        own.settimeout(5)
        assert own.connect_ex((url.hostname, url.port)) == 0


def _urllib(session):
    urllib.request.urlopen(f"{session.http.service.url}/plain").read()


def _in_a_task_of_its_own(session):
    session.spawn(lambda child: _plain_requests(child), task="asks")
    session.join("asks")


def _in_a_scenario_of_its_own(session):
    session.run(Scenario(_plain_requests, name="inner"))


UNMEASURED_WAYS = [
    _plain_requests, _a_session_of_its_own, _a_socket, _a_socket_by_connect_ex, _urllib, _in_a_task_of_its_own,
    _in_a_scenario_of_its_own,
]  # fmt: skip


@pytest.mark.parametrize("way", UNMEASURED_WAYS)
def test_a_step_that_connects_past_the_session_is_named(target, way):
    report = once(target, way, load=iterations(3))

    (warning,) = [text for text in report.warnings if "outside the session" in text]
    assert warning.startswith("3 connections were opened outside the session (test_wrong_tests.py:")
    assert "chaperon.measured_session(…)" in warning
    assert not [note for note in report.notes if "outside the session" in note]
    assert warning in " ".join(table_of(report, 10_000).split("\n"))
    assert report.visits.done == 3


def _by_the_session(session):
    session.get("/")


def _by_urllib3(session):
    session.get("/", stream=True, proxies={"http": None}).close()


def _within_measure(session):
    with session.measure("plain", kind="sdk"):
        _plain_requests(session)


def _within_a_measured_call(session):
    measured(_plain_requests)(session)


def _by_a_session_that_is_measured(session):
    with measured_session(requests.Session()) as own:
        own.get(f"{session.http.service.url}/plain")


def _by_a_greenlet_of_its_own(session):
    gevent.spawn(_plain_requests, session).join()


MEASURED_WAYS = [
    _by_the_session, _by_urllib3, _within_measure, _within_a_measured_call, _by_a_session_that_is_measured,
    _by_a_greenlet_of_its_own,
]  # fmt: skip


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
@pytest.mark.parametrize("way", MEASURED_WAYS)
def test_what_is_measured_is_not_named(target, way, transport):
    report = once(target, way, load=iterations(3), transport=transport)

    assert not [text for text in report.warnings if "outside the session" in text]
    assert report.visits.done == 3


def test_a_foreign_session_is_measured_as_the_sessions_own(target):
    own = measured_session(measured_session(requests.Session()))
    own.headers["X-Own"] = "1"

    def asks(session):
        url = session.http.service.url
        assert own.get(f"{url}/redirect").history
        own.get(f"{url}/status/500")
        own.post(f"{url}/sold", data={"n": 1}).fail("no price")
        with own.get(f"{url}/streamed", stream=True) as response:
            assert response.content
        with pytest.raises(requests.ConnectionError):
            own.get("http://127.0.0.1:1/nothing")

    report = once(target, asks)

    assert errors_of(report) == {
        ("GET /status/500", "http 500"): 1,
        ("POST /sold", "no price"): 1,
        ("GET http://127.0.0.1:1/nothing", "connect refused"): 1,
    }
    assert {row.name: row.count for row in report.rows if row.kind == "http"} == {
        "GET /redirect": 1, "GET /status/500": 1, "POST /sold": 1, "GET /streamed": 1,
        "GET http://127.0.0.1:1/nothing": 1,
    }  # fmt: skip
    assert report["redirects GET /redirect"].total == 1
    assert own.get(f"{target.url}/after the run").status_code == 200


def test_what_is_no_session_is_refused():
    with pytest.raises(UsageError, match=r"measured_session takes a requests\.Session"):
        measured_session(object())


def test_after_a_run_the_socket_class_is_as_it_was(target):
    before = socket.socket.connect, socket.socket.connect_ex

    once(target, _plain_requests)

    assert (socket.socket.connect, socket.socket.connect_ex) == before


@pytest.mark.parametrize("condition", [lambda: False, test_a_check_takes_any_condition])
def test_a_check_of_a_function_says_to_call_it(target, condition):
    report = once(target, lambda session: session.check("never", condition))

    (error,) = [error for error in report.errors if error.series.startswith("step")]
    assert "takes a condition, got a function, which is never false: call it first" in error.sample


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("think", "users(10, hold='5m', think=…)"),
        ("wait_time", "users(10, hold='5m', think=between('1s', '3s'))"),
        ("weight", "mix({browse: 3, buy: 1})"),
        ("delay", "users(10, hold='5m', delay=…)"),
        ("init", "Scenario(browse, init=init)"),
        ("limits", "Environment(limits=[…])"),
    ],
)
def test_run_refuses_words_that_belong_elsewhere(word, remedy):
    with pytest.raises(chaperon.LoadError, match=re.escape(remedy)):
        run(Scenario(len), users(2, hold="1s"), **{word: 1})
