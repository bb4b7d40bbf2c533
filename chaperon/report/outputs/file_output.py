"""FileOutput: the base of outputs that write one text file at the end of a run."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from chaperon.errors import OutputError
from chaperon.report.output_parts.output_file import probe_output, write_output
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.report import Report

STDOUT = "-"
"""The path that means standard output."""
Stdout = Callable[[], AbstractContextManager[TextIO]]
"""Returns a context manager that gives the stream to write to."""


def plain_stdout() -> AbstractContextManager[TextIO]:
    """Return standard output as it is."""
    return nullcontext(sys.stdout)


class FileOutput(Output):
    """Writes `text` of the report to a file, whole or not at all, or to standard output where the path is "-".

    A subclass overrides `text`. *stdout* gives the stream for "-".
    """

    def __init__(self, path: str | Path, *, stdout: Stdout = plain_stdout) -> None:
        self.path = path
        self.name = "the file on standard output" if path == STDOUT else f"{path}"
        self._stdout = stdout
        self._exchange_folder = ""

    @abstractmethod
    def text(self, report: Report) -> str:
        """Return what is written of the report. Its texts hold no secrets."""
        raise NotImplementedError

    def start(self, plan: PlannedRun) -> None:
        """Raise OutputError if the file could not be written, for example into a missing folder."""
        probe(self.path)
        self._exchange_folder = plan.exchange_folder

    def finish(self, report: Report) -> None:
        """Write the file. Raises OutputError, OSError."""
        write_text(self.path, self.text(report), stdout=self._stdout)


def probe(path: str | Path) -> None:
    """Raise OutputError unless a file can be written to *path*, or *path* is "-"."""
    if path != STDOUT:
        probe_output(path)


def write_text(path: str | Path, text: str, *, stdout: Stdout = plain_stdout) -> None:
    """Write *text* to *path*, whole or not at all, or to *stdout* if that is "-". Raises OutputError, OSError."""
    if path == STDOUT:
        with stdout() as stream:
            stream.write(text)
        return
    try:
        write_output(path, text)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror or exc}; give another path") from exc
