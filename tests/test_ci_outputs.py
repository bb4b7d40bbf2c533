"""What CI servers, spreadsheets and people in a browser are given: JUnit, CSV, Markdown, GitHub."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from chaperon import Environment, OutputError, Scenario, rate, run, step
from chaperon.execution.running import Running
from chaperon.measure.window import VisitCounts
from chaperon.report.outputs.csv import CsvOutput
from chaperon.report.outputs.github import ANNOTATIONS, SUMMARY_LIMIT, GitHubOutput, annotation_lines, fitted
from chaperon.report.outputs.junit import JUnitOutput, junit_text
from chaperon.report.outputs.markdown import MarkdownOutput, cell, markdown_text
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.report import Verdict
from chaperon.testing import VirtualClock

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "schemas" / "junit.xsd"))
HOSTILE = (
    "</testcase>]]>", "a,b\nc\"d", "=cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "pipe | bar", "`code` <b>&amp;",
    "\u202eevil\u2066", "\0nul\x1b[31m", "\ud800 half", "x" * 10_000, "::error::boo", "%0A::warning::",
    "[a](javascript:b)",
)  # fmt: skip
PLAN = PlannedRun("shop", 0, "50/s", ("shop",), ())


def report_of(names=("GET /",), limits=(), outputs=()):
    """Return the report of a short run in simulated time with a series and a check of each name."""

    @step
    def use(session):
        for name in names:
            with session.measure(name, kind="rpc"):
                session.sleep(0.01)
            session.check(name, session.visit.number % 10 > 0)
        if session.visit.number % 7 == 0:
            raise ValueError(names[0])

    clock = VirtualClock()
    environment = Environment(scenarios=[run(Scenario(use, name="shop"), rate(20, hold="5s"))], limits=limits)
    running = Running(environment.plan(), clock=clock).start(outputs)
    clock.run(lambda: running.ended)
    running.finish()
    return running.report()


@pytest.fixture(scope="module")
def report():
    return report_of(limits=["p95(GET /) < 1s", "p95(GET /) < 1ms", "max(nowhere) < 1s"])


def parsed(text):
    root = etree.fromstring(text.encode(errors="strict"))
    SCHEMA.assertValid(root)
    return {suite.get("name"): {case.get("name"): case for case in suite} for suite in root}


def outcome(case):
    return None if not len(case) else (case[0].tag, case[0].get("type"))


def test_junit_has_a_case_for_each_limit_check_and_rule_of_the_run(report):
    suites = parsed(junit_text(report))

    assert {name: outcome(case) for name, case in suites["limits"].items()} == {
        "p95(GET /) < 1s": None,
        "p95(GET /) < 1ms": ("failure", "limit broke"),
        "max(nowhere) < 1s": ("failure", "no data"),
    }
    assert outcome(suites["checks"]["check GET /"]) == ("failure", "check failed")
    assert suites["checks"]["check GET /"][0].get("message").startswith("failed 10 of 100 times")
    assert [outcome(case) for case in suites["run"].values()] == [None, None, None]


@pytest.mark.parametrize(
    ("changes", "name", "found"),
    [
        ({"verdict": Verdict.INVALID, "reasons": ("late",)}, "the run is valid", ("error", "INVALID")),
        ({"verdict": Verdict.ABORTED, "reasons": ("stopped",)}, "the run ended as planned", ("error", "ABORTED")),
        ({"verdict": Verdict.FAIL, "reasons": ("no visit",)}, "the run ended as planned", ("failure", "FAIL")),
        ({"verdict": Verdict.FAIL, "reasons": ("limit broke: x",)}, "the run ended as planned", None),
        ({"ledger": {"shop": VisitCounts(planned=2)}}, "the ledger of shop balances", ("failure", "ledger")),
    ],
)
def test_junit_tells_a_run_that_is_not_sound_from_a_limit_that_broke(report, changes, name, found):
    assert outcome(parsed(junit_text(replace(report, **changes)))["run"][name]) == found


def test_junit_is_never_empty():
    report = replace(report_of(), rows=(), limits=(), ledger={}, reasons=())
    suites = parsed(junit_text(report))

    assert {name: len(cases) for name, cases in suites.items()} == {"limits": 1, "checks": 1, "run": 2}
    assert outcome(suites["limits"]["no limit"])[0] == "skipped"


def test_hostile_names_reach_every_format_as_text(tmp_path):
    table = CsvOutput(tmp_path / "csv")
    report = report_of(HOSTILE, outputs=[table])

    suites = parsed(junit_text(report))
    text = markdown_text(report)

    assert len(suites["checks"]) == len(HOSTILE)
    assert not re.search(r"(?<!\\)<b>|\u202e|\x1b|\0", text)
    assert not re.search(r"^::", text, re.MULTILINE)
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5, 6, 7, 10)
    for name in ("series", "seconds", "errors"):
        with (tmp_path / "csv" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file, strict=True))
        assert len({len(row) for row in rows}) == 1
        texts = [each for row in rows[1:] for each in row if not re.fullmatch(r"-?[\d.]+(e-?\d+)?", each)]
        assert texts
        assert not [each for each in texts if each[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_csv_has_the_figures_of_the_report(tmp_path):
    report = report_of(outputs=[CsvOutput(tmp_path / "csv")])

    with (tmp_path / "csv" / "series.csv").open(newline="") as file:
        series = {(row["scenario"], row["name"], row["kind"]): row for row in csv.DictReader(file)}
    with (tmp_path / "csv" / "seconds.csv").open(newline="") as file:
        seconds = list(csv.DictReader(file))
    row = series["shop", "GET /", "rpc"]
    assert float(row["p50"]) == report["GET /"].p50
    assert int(row["count"]) == report["GET /"].count
    mine = [each for each in seconds if each["name"] == "GET /"]
    assert sum(int(each["count"]) for each in mine) == report["GET /"].count
    whole = [each for each in seconds if each["name"] == "all requests"]
    assert [int(each["at"]) for each in whole] == [second.at for second in report.seconds]
    assert all(each["users"] for each in whole)
    assert not [path for path in (tmp_path / "csv").iterdir() if path.name.startswith(".")]


def test_markdown_says_the_verdict_first_and_what_broke(report):
    lines = markdown_text(report).splitlines()

    assert lines[0].startswith("## ✕ FAIL · environment")
    assert any("limit broke: p95(GET /) \\< 1ms" in line for line in lines[:6])
    assert "| p95(GET /) \\< 1ms | 10.00ms | **broke** | beyond it in seconds 0–4 |" in lines
    assert any(line.startswith("| GET / | 100 | 0 | 0% | 20.0 |") for line in lines)


def test_github_appends_to_the_summary_and_annotates(report, tmp_path):
    summary, stream = tmp_path / "summary.md", io.StringIO()
    summary.write_text("# before\n")
    output = GitHubOutput(stream, {"GITHUB_STEP_SUMMARY": str(summary)})
    output.start(PLAN)
    output.finish(report)

    assert summary.read_text().startswith("# before\n## ✕ FAIL")
    assert stream.getvalue().splitlines()[0] == (
        "::error title=Chaperon%3A FAIL environment::"
        "limit broke: p95(GET /) < 1ms, but was 10.00ms (beyond it in seconds 0–4)"
    )


def test_github_gets_ten_annotations_at_most_and_none_for_a_pass(report):
    many = replace(report, reasons=tuple(f"reason {n}: 100%\nand more" for n in range(25)), warnings=())

    lines = annotation_lines(many)
    assert len(lines) == ANNOTATIONS
    assert lines[0].endswith("::reason 0: 100%25\\nand more")
    assert lines[-1].endswith("16 more are in the summary")
    assert annotation_lines(replace(report, verdict=Verdict.PASS, warnings=())) == []


@given(st.lists(st.text(max_size=80), max_size=20), st.integers(0, 2_000))
def test_a_summary_is_cut_to_the_room_there_is_at_the_end_of_a_line(lines, room):
    text = "\n".join(lines)

    cut = fitted(text, room)
    assert len(cut) <= max(room, 0)
    assert cut == text.encode(errors="backslashreplace") or cut == b"" or b"did not fit here" in cut


def test_a_summary_that_is_full_already_gets_nothing_more(report, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (SUMMARY_LIMIT - 20))
    GitHubOutput(io.StringIO(), {"GITHUB_STEP_SUMMARY": str(summary)}).finish(report)

    assert summary.stat().st_size <= SUMMARY_LIMIT


@given(st.text(max_size=400))
def test_a_cell_of_a_table_is_one_line_without_markup(text):
    made = cell(text)

    assert "\n" not in made
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<`]", made)


@pytest.mark.parametrize(
    "output",
    [
        lambda folder: JUnitOutput(folder / "nowhere" / "junit.xml"),
        lambda folder: MarkdownOutput(folder / "nowhere" / "report.md"),
        lambda folder: CsvOutput(folder / "nowhere" / "csv"),
        lambda folder: GitHubOutput(io.StringIO(), {"GITHUB_STEP_SUMMARY": str(folder / "nowhere" / "summary")}),
        lambda folder: GitHubOutput(io.StringIO(), {}),
    ],
)
def test_an_output_that_cannot_be_written_is_found_before_the_run(output, tmp_path):
    with pytest.raises(OutputError):
        output(tmp_path).start(PLAN)


def test_junit_and_markdown_are_files_when_the_run_is_over(report, tmp_path):
    for output in (JUnitOutput(tmp_path / "junit.xml"), MarkdownOutput(tmp_path / "report.md")):
        output.finish(report)

    assert parsed((tmp_path / "junit.xml").read_text().partition("?>")[2].strip())
    assert (tmp_path / "report.md").read_text() == markdown_text(report)
