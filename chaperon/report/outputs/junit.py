"""The report as JUnit XML, which CI servers show as tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from chaperon.measure.quantity import count_text
from chaperon.report.outputs.file_output import FileOutput
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import Report, Verdict
from chaperon.report.texts import map_texts

# characters that XML 1.0 (section 2.2) does not allow, not even escaped
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LIMIT_BROKE = "limit broke"


class JUnitOutput(FileOutput):
    """Writes the suites "limits", "checks" and "run" to *path*.

    A limit that broke, or has no data, is a failure, and so is a check that failed at least
    once. An INVALID run is an error. Times are those of the run, in seconds, never latencies.
    """

    def text(self, report: Report) -> str:
        """Return the report as JUnit XML."""
        return junit_text(report)


def junit_text(report: Report) -> str:
    """Return the report as JUnit XML."""
    report = map_texts(report, redacted)
    root = ET.Element("testsuites", name=_text(f"chaperon {report.environment}"))
    for suite in (_limits(report), _checks(report), _run(report)):
        cases = suite.findall("testcase")
        counts = {what: sum(case.find(tag) is not None for case in cases) for what, tag in _COUNTED.items()}
        suite.attrib |= {
            "tests": str(len(cases)),
            **{what: str(count) for what, count in counts.items()},
            "time": f"{report.duration:.3f}" if suite.get("name") == "run" else "0",
            "timestamp": report.started.removesuffix("Z").partition("+")[0].partition(".")[0],
        }
        root.append(suite)
    for what in ("tests", *_COUNTED):
        root.set(what, str(sum(int(suite.get(what, "0")) for suite in root)))
    root.set("time", f"{report.duration:.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _limits(report: Report) -> ET.Element:
    suite = ET.Element("testsuite", name="limits")
    for limit in report.limits:
        case = _case(suite, "chaperon.limits", limit.limit)
        if not limit.held:
            nothing = limit.value is None and limit.at_least is None
            when = "" if limit.at is None else f" at {limit.at} s"
            note = f" ({limit.note})" if limit.note else ""
            _outcome(case, "failure", "no data" if nothing else LIMIT_BROKE, f"was {limit.shown}{when}{note}")
    if not report.limits:
        _outcome(_case(suite, "chaperon.limits", "no limit"), "skipped", None, "the run has no limits")
    return suite


def _checks(report: Report) -> ET.Element:
    suite = ET.Element("testsuite", name="checks")
    checks = [row for row in report.rows if row.kind == "check"]
    for row in checks:
        case = _case(suite, f"chaperon.checks.{row.scenario}", row.name)
        if row.errors:
            share = row.errors / row.count if row.count else 1.0
            _outcome(case, "failure", "check failed", f"failed {row.errors:,} of {row.count:,} times ({share:.2%})")
    if not checks:
        _outcome(_case(suite, "chaperon.checks", "no check"), "skipped", None, "the scenarios make no checks")
    return suite


def _run(report: Report) -> ET.Element:
    suite = ET.Element("testsuite", name="run")
    case = _case(suite, "chaperon.run", "the run is valid", report.duration)
    others = [reason for reason in report.reasons if not reason.startswith(LIMIT_BROKE)]
    if report.verdict is Verdict.INVALID:
        _outcome(case, "error", "INVALID", *others)
    ended = _case(suite, "chaperon.run", "the run ended as planned")
    if report.verdict is Verdict.ABORTED:
        _outcome(ended, "error", "ABORTED", *others)
    elif report.verdict is Verdict.FAIL and others:
        _outcome(ended, "failure", "FAIL", *others)
    for label, counts in report.ledger.items():
        case = _case(suite, "chaperon.run", f"the ledger of {label} balances")
        if report.finished and not counts.balanced:
            visits = f"{count_text(counts.planned, 'visit')} planned, {counts.ended:,} ended"
            _outcome(case, "failure", "ledger", f"{visits}: {counts.outcomes}")
    return suite


def _case(suite: ET.Element, group: str, name: str, took: float = 0.0) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_text(group), name=_text(name), time=f"{took:.3f}")


def _outcome(case: ET.Element, tag: str, kind: str | None, *lines: str) -> None:
    texts = [_text(line) for line in lines]
    outcome = ET.SubElement(case, tag, message=texts[0] if texts else "")
    if kind is not None:
        outcome.set("type", kind)
        outcome.text = "\n".join(texts)


def _text(text: str) -> str:
    """Return *text* without what XML does not allow; a character that cannot be is shown as U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)
