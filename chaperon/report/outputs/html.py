"""The report as one HTML page with charts."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.file_output import STDOUT, FileOutput, Stdout, plain_stdout
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.page.document import html_of
from chaperon.report.page.payload import page_payload
from chaperon.report.page.steps import RunSteps
from chaperon.report.report import Report


class HtmlOutput(FileOutput):
    """Writes the page to *path*: charts of every second, and the tables of the report. It opens without a network."""

    def __init__(self, path: str | Path, *, stdout: Stdout = plain_stdout) -> None:
        super().__init__(path, stdout=stdout)
        self._steps = RunSteps()
        self._plan: PlannedRun | None = None

    def start(self, plan: PlannedRun) -> None:
        """Begin with an empty run. Raises OutputError if the file could not be written."""
        super().start(plan)
        self._plan, self._steps = plan, RunSteps()

    def second(self, second: ClosedSecond) -> None:
        """Add one second to the charts."""
        self._steps.add(second)

    def text(self, report: Report) -> str:
        """Return the page."""
        plan = self._plan or PlannedRun(report.environment, report.seed, "", tuple(report.ledger), ())
        return html_of(page_payload(report, plan, self._steps, self._link(plan.exchange_folder)))

    def _link(self, folder: str) -> str:
        """Return the URL of *folder* relative to the page."""
        if not folder:
            return ""
        here = os.getcwd() if self.path == STDOUT else os.path.dirname(os.path.realpath(self.path))
        return quote(os.path.relpath(os.path.realpath(folder), here), errors="replace")
