"""The report as a job summary and annotations of GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO

from chaperon.errors import OutputError
from chaperon.report.outputs.markdown import markdown_text
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import Report, Verdict
from chaperon.report.texts import map_texts

SUMMARY = "GITHUB_STEP_SUMMARY"
SUMMARY_LIMIT = 1 << 20
"""Bytes: GitHub drops a summary that is larger, whole."""
ANNOTATIONS = 10
"""Annotations of one kind that GitHub keeps for a step."""
CUT = "\n\n… the rest of the report did not fit here\n"


class GitHubOutput(Output):
    """Appends the report to the file in GITHUB_STEP_SUMMARY and prints annotations to *stream*.

    An error annotation for each reason of a run that is not PASS, a warning for each warning;
    at most ten of each.
    """

    name = "the GitHub summary"

    def __init__(self, stream: IO[str], environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._summary = environ.get(SUMMARY, "")
        self._exchange_folder = ""

    def start(self, plan: PlannedRun) -> None:
        """Raise OutputError if there is no summary file that can be appended to."""
        summary_path({SUMMARY: self._summary})
        self._exchange_folder = plan.exchange_folder

    def finish(self, report: Report) -> None:
        """Append the summary and print the annotations. Raises OSError."""
        append_summary(self._summary, markdown_text(report, self._exchange_folder))
        for line in annotation_lines(report):
            print(line, file=self._stream)
        self._stream.flush()


def in_github_actions(environ: Mapping[str, str]) -> bool:
    """Return whether this is a job of GitHub Actions that has a summary."""
    return environ.get("GITHUB_ACTIONS") == "true" and bool(environ.get(SUMMARY))


def summary_path(environ: Mapping[str, str]) -> str:
    """Return the path of the job summary. Raises OutputError if there is none, or it cannot be appended to."""
    path = environ.get(SUMMARY, "")
    if not path:
        raise OutputError(f"--github needs {SUMMARY}, the path of the job summary, which GitHub sets")
    try:
        with open(path, "a", encoding="utf-8"):
            return path
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}; check {SUMMARY}") from exc


def append_summary(path: str, text: str) -> None:
    """Append *text* to the job summary at *path*, as far as it fits. Blocks; raises OSError."""
    with open(path, "ab") as file:
        file.write(fitted(text, SUMMARY_LIMIT - file.tell()))


def fitted(text: str, room: int) -> bytes:
    """Return *text* as UTF-8 in at most *room* bytes: whole lines, and a line that says what is missing."""
    raw = text.encode(errors="backslashreplace")
    if len(raw) <= room:
        return raw
    note = CUT.encode()
    head = raw[: max(room - len(note), 0)]
    return head[: head.rfind(b"\n") + 1] + note if len(head) else b""


def annotation_lines(report: Report) -> list[str]:
    """Return the workflow commands that annotate a job, at most ten errors and ten warnings."""
    report = map_texts(report, redacted_line)
    lines = []
    title = f"Chaperon: {report.verdict.value} {report.environment}"
    if report.verdict is not Verdict.PASS:
        lines += workflow_commands("error", title, report.reasons)
    return lines + workflow_commands("warning", f"Chaperon: {report.environment}", report.warnings)


def workflow_commands(kind: str, title: str, messages: Sequence[str]) -> list[str]:
    """Return at most ten workflow commands of a kind, "error" or "warning"; the last one counts what is left out."""
    shown = list(messages[:ANNOTATIONS])
    if len(messages) > ANNOTATIONS:
        shown[-1] = f"{len(messages) - ANNOTATIONS + 1:,} more are in the summary"
    return [f"::{kind} title={_property(title)}::{_data(message)}" for message in shown]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
