"""The report as JUnit XML, which CI servers show as tests."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from chaperon.measure.quantity import count_text
from chaperon.report.output_parts.junit_xml import add_case, document, new_suite, set_outcome
from chaperon.report.outputs.file_output import FileOutput
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import Report, Verdict
from chaperon.report.texts import map_texts

LIMIT_BROKE = "limit broke"


class JUnitOutput(FileOutput):
    """Writes the suites "limits", "checks" and "run" to *path*.

    A limit that broke, or has no data, is a failure, and so is a check that failed at least
    once. An INVALID run is an error. Errors that a PASS does not speak of are a skipped test.
    Times are those of the run, in seconds, never latencies.
    """

    def text(self, report: Report) -> str:
        """Return the report as JUnit XML."""
        return junit_text(report)


def junit_text(report: Report) -> str:
    """Return the report as JUnit XML."""
    report = map_texts(report, redacted)
    suites = (_limits(report), _checks(report), _run(report))
    name = f"chaperon {report.environment}"
    return document(name, suites, started=report.started, duration=report.duration)


def _limits(report: Report) -> ET.Element:
    suite = new_suite("limits")
    for limit in report.limits:
        case = add_case(suite, "chaperon.limits", limit.limit)
        if not limit.held:
            nothing = limit.value is None and limit.at_least is None
            when = "" if limit.at is None else f" at {limit.at} s"
            note = f" ({limit.note})" if limit.note else ""
            set_outcome(case, "failure", "no data" if nothing else LIMIT_BROKE, f"was {limit.shown}{when}{note}")
    if not report.limits:
        set_outcome(add_case(suite, "chaperon.limits", "no limit"), "skipped", None, "the run has no limits")
    return suite


def _checks(report: Report) -> ET.Element:
    suite = new_suite("checks")
    checks = [row for row in report.rows if row.kind == "check"]
    for row in checks:
        case = add_case(suite, f"chaperon.checks.{row.scenario}", row.name)
        if row.errors:
            share = row.errors / row.count if row.count else 1.0
            set_outcome(case, "failure", "check failed", f"failed {row.errors:,} of {row.count:,} times ({share:.2%})")
    if not checks:
        set_outcome(add_case(suite, "chaperon.checks", "no check"), "skipped", None, "the scenarios make no checks")
    return suite


def _run(report: Report) -> ET.Element:
    suite = new_suite("run")
    suite.set("time", f"{report.duration:.3f}")
    case = add_case(suite, "chaperon.run", "the run is valid", report.duration)
    others = [reason for reason in report.reasons if not reason.startswith(LIMIT_BROKE)]
    if report.verdict is Verdict.INVALID:
        set_outcome(case, "error", "INVALID", *others)
    ended = add_case(suite, "chaperon.run", "the run ended as planned")
    if report.verdict is Verdict.ABORTED:
        set_outcome(ended, "error", "ABORTED", *others)
    elif report.verdict is Verdict.FAIL and others:
        set_outcome(ended, "failure", "FAIL", *others)
    elif report.verdict is Verdict.PASS and others:
        set_outcome(add_case(suite, "chaperon.run", "a limit covers errors"), "skipped", None, *others)
    for label, counts in report.ledger.items():
        case = add_case(suite, "chaperon.run", f"the ledger of {label} balances")
        if report.finished and not counts.balanced:
            visits = f"{count_text(counts.planned, 'visit')} planned, {counts.ended:,} ended"
            set_outcome(case, "failure", "ledger", f"{visits}: {counts.outcomes}")
    return suite
