"""A comparison as a job summary and annotations of GitHub Actions."""

from __future__ import annotations

from typing import IO

from chaperon.report.comparison.as_markdown import comparison_markdown
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.outputs.github import append_summary, workflow_commands
from chaperon.report.redaction.redaction import redacted_line


def write_to_github(comparison: ComparedRuns, summary: str, stream: IO[str]) -> None:
    """Append the comparison to the file *summary* and print annotations to *stream*. Raises OSError."""
    append_summary(summary, comparison_markdown(comparison))
    for line in comparison_annotations(comparison):
        print(line, file=stream)
    stream.flush()


def comparison_annotations(comparison: ComparedRuns) -> list[str]:
    """Return the workflow commands that annotate a job, at most ten errors and ten warnings.

    An error for each reason why the runs cannot be compared and each figure that fails; a warning for each
    figure that decides and is UNKNOWN, and for each warning.
    """
    failing = {ChangeKind.SLOWER, *([ChangeKind.UNKNOWN] if comparison.strict else [])}
    unknown = {ChangeKind.UNKNOWN} - failing
    errors = [*comparison.refused, *(each.sentence for each in comparison.gated if each.change in failing)]
    doubts = [each.sentence for each in comparison.gated if each.change in unknown]
    title = f"Chaperon: {comparison.word} {comparison.second[0].header.environment}"
    return [
        line
        for kind, messages in (("error", errors), ("warning", [*doubts, *comparison.warnings]))
        for line in workflow_commands(kind, redacted_line(title), [redacted_line(each) for each in messages])
    ]
