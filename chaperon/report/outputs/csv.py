"""The report as CSV files: series, seconds per series, errors, ledger."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.measure.series import Series
from chaperon.measure.window import OUTCOMES
from chaperon.report.output_parts.output_file import make_output_folder, write_output
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.percentiles import Population
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import Report
from chaperon.report.texts import map_texts

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet: it gets an apostrophe before it."""
ALL_REQUESTS = "all requests"
_SERIES = (
    "scenario", "name", "kind", "count", "errors", "censored", "never_begun", "rate", "bytes", "total",
    "min", "mean", "max", *PERCENTILES, *(f"response_{name}" for name in PERCENTILES),
    *(f"bad_{name}" for name in PERCENTILES),
)  # fmt: skip
_SECONDS = (
    "at", "time", "scenario", "name", "kind", "phase", "late", "count", "errors", "censored", "bytes",
    "min", "mean", "max", "p50", "p95", "p99", "users", "in_flight",
)  # fmt: skip
_ERRORS = ("scenario", "series", "error", "count", "first", "last", "sample", "where")
_LEDGER = ("planned", *OUTCOMES)
_SHARES = (0.5, 0.95, 0.99)


class CsvOutput(Output):
    """Writes series.csv, seconds.csv, errors.csv and ledger.csv to a folder, which is made if its parent exists.

    Times are in seconds. seconds.csv has one row for each series and second, and one named
    "all requests" with the users and the visits in flight; a row with *late* 1 adds what came
    for a second after it was closed. An unknown figure is an empty cell.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = f"the CSV files in {folder}"
        self._file: IO[str] | None = None

    def start(self, plan: PlannedRun) -> None:
        """Make the folder, and the file of seconds under a temporary name. Raises OutputError."""
        make_output_folder(self.folder)
        handle, self._temporary = tempfile.mkstemp(prefix=".seconds.", dir=self.folder)
        self._file = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(_SECONDS)

    def second(self, second: ClosedSecond) -> None:
        """Write the rows of one second."""
        self._write(second, 0)

    def late(self, second: ClosedSecond) -> None:
        """Write what came late for a second."""
        self._write(second, 1)

    def finish(self, report: Report) -> None:
        """Write the other files and give all their names. Raises OutputError and OSError."""
        report = map_texts(report, redacted)
        write_output(self.folder / "series.csv", csv_text(_SERIES, map(_series_row, report.rows)))
        errors = ([getattr(row, name) for name in _ERRORS] for row in report.errors)
        write_output(self.folder / "errors.csv", csv_text(_ERRORS, errors))
        ledger = ([label, *(getattr(counts, name) for name in _LEDGER)] for label, counts in report.ledger.items())
        write_output(self.folder / "ledger.csv", csv_text(("scenario", *_LEDGER), ledger))
        if self._file is not None:
            self._file.close()
            os.chmod(self._temporary, (self.folder / "series.csv").stat().st_mode & 0o777)
            os.replace(self._temporary, self.folder / "seconds.csv")
            self._file = None

    def _write(self, second: ClosedSecond, late: int) -> None:
        time = datetime.fromtimestamp(second.time, timezone.utc).isoformat(timespec="milliseconds")
        rows = [
            [second.at, time, key.scenario, key.name, key.kind, key.phase, late, *_figures(series), "", ""]
            for key, series in sorted(second.series.items())
        ]
        everything = [second.at, time, "", ALL_REQUESTS, "", "", late, *_figures(second.requests)]
        rows.append([*everything, second.users, second.in_flight])
        self._rows.writerows(map(safe_cells, rows))


def _series_row(row: Any) -> list[Any]:
    service = [row.service.known(share) for share in PERCENTILES.values()]
    response = [None if row.response is None else row.response.known(share) for share in PERCENTILES.values()]
    bad = [row.in_error.known(share) for share in PERCENTILES.values()]
    return [*(getattr(row, name) for name in _SERIES[:13]), *service, *response, *bad]


def _figures(series: Series) -> list[Any]:
    good, times = series.good, Population.service(series)
    spread = (good.low, good.mean, good.high) if good else (None, None, None)
    percentiles = [times.known(share) for share in _SHARES]
    return [series.count, series.errors, series.censored.count, series.bytes, *spread, *percentiles]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV, without texts that a spreadsheet takes for a formula."""
    from io import StringIO

    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(map(safe_cells, rows))
    return text.getvalue()


def safe_cells(cells: Sequence[Any]) -> list[Any]:
    """Return the cells of a row with no text that a spreadsheet takes for a formula; no null characters."""
    return [_safe_text(cell) if isinstance(cell, str) else cell for cell in cells]


def _safe_text(text: str) -> str:
    text = text.replace("\0", "\ufffd")
    return f"'{text}" if text.startswith(FORMULA) else text
