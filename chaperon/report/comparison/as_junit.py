"""A comparison as JUnit XML: the suite "comparison", a case for each figure that decides."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from chaperon.report.comparison.change import FigureChange
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.output_parts.junit_xml import add_case, document, new_suite, set_outcome
from chaperon.report.redaction.redaction import redacted

COMPARABLE = "the runs can be compared"


def comparison_junit(comparison: ComparedRuns) -> str:
    """Return a comparison as JUnit XML. It always has a case that says whether the runs can be compared.

    A figure that is slower is a failure; one that is UNKNOWN is skipped, with *strict* a failure. Runs that cannot be
    compared are an error. Times are those of the second run, or of the first of several, never latencies.
    """
    suite = new_suite("comparison")
    case = add_case(suite, "chaperon.comparison", COMPARABLE)
    if comparison.refused:
        set_outcome(case, "error", comparison.word, *map(redacted, comparison.refused))
    for change in comparison.gated:
        _set_change(add_case(suite, "chaperon.comparison", redacted(change.figure.text)), change, comparison)
    run = comparison.second[0]
    name = redacted(f"chaperon compare {run.header.environment}")
    return document(name, [suite], started=run.header.started, duration=run.report.duration)


def _set_change(case: ET.Element, change: FigureChange, comparison: ComparedRuns) -> None:
    sentence = redacted(change.sentence)
    if change.change is ChangeKind.SLOWER:
        set_outcome(case, "failure", "slower", sentence)
    elif change.change is ChangeKind.UNKNOWN:
        if comparison.strict:
            set_outcome(case, "failure", "unknown", sentence)
        else:
            set_outcome(case, "skipped", None, sentence)
