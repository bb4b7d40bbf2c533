"""The first failing exchanges of each class of errors as text files in a folder, with an index."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from chaperon.measure.exchange import FEW, Exchange
from chaperon.measure.quantity import count_text
from chaperon.report.exchanges.exchange_names import FILE_NAME, exchange_names
from chaperon.report.exchanges.exchange_text import exchange_lines, summary_text
from chaperon.report.output_parts.output_file import make_output_folder, write_output
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import ErrorRow, Report
from chaperon.report.texts import map_texts

INDEX = "index.txt"
MOST_FILES = 1_000
"""Files written beside the index, those of the most frequent errors first."""
NONE_KEPT = "no exchange: only HTTP requests, WebSockets and checks of their messages have one"


class FailuresOutput(Output):
    """Writes each exchange of `Report.errors` to a file in *folder*, which is made if its parent exists, and an index.

    Files that an earlier run wrote there are replaced: those named in its index that this run does not write are
    removed. Other files of the folder stay.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = f"the exchanges in {folder}"
        self.exchange_folder = str(folder)

    def start(self, plan: PlannedRun) -> None:
        """Make the folder. Raises OutputError if it cannot be written to."""
        make_output_folder(self.folder)

    def finish(self, report: Report) -> None:
        """Write the files, then the index; remove the files of an earlier run. Raises OutputError and OSError."""
        make_output_folder(self.folder)  # for a report that had no start
        report = map_texts(report, redacted)
        earlier = _listed(self.folder / INDEX)
        files = _files(report)
        for name, row, exchange in files:
            write_output(self.folder / name, exchange_file_text(row, exchange, report.started))
        write_output(self.folder / INDEX, index_text(report, {name for name, _, _ in files}))
        for name in earlier.difference(name for name, _, _ in files):
            with suppress(FileNotFoundError):
                (self.folder / name).unlink()


def exchange_file_text(row: ErrorRow, exchange: Exchange, started: str) -> str:
    """Return the content of the file of one exchange of *row*; *started* is the start of the run, ISO 8601."""
    heading = [
        f"{exchange.series} in {exchange.scenario}",
        f"{exchange.error}: {exchange.message.removeprefix(f'{exchange.error}: ')}".removesuffix(": "),
        f"{count_text(row.count, 'error')} of this class from {row.when}",
        *([f"raised in {row.where}"] if row.where else []),
        *_moment(started, exchange.at),
        "",
    ]
    return "".join(f"{one_line(line)}\n" for line in (*heading, *exchange_lines(exchange)))


def index_text(report: Report, written: set[str]) -> str:
    """Return the index: every class of errors with its files among *written*; the most frequent first."""
    lines = [
        f"{report.verdict.value} · {report.environment} · started {report.started} · {report.duration:.1f} s",
        f"the first {FEW} exchanges of each class of errors" if report.errors else "no error",
    ]
    for row in report.errors:
        times = f"{row.count:,} × from {row.when}"
        lines += ["", f"{row.error} · {row.series} in {row.scenario} · {times}"]
        names = exchange_names(row)
        for name, exchange in zip(names, row.exchanges, strict=True):
            if name in written:
                lines.append(f"  {name}  at {exchange.at:.3f} s  {summary_text(exchange)}")
        left_out = len(set(names) - written)
        if left_out:
            lines.append(f"  {left_out} more not written: at most {MOST_FILES:,} files")
        if not names:
            lines.append(f"  {NONE_KEPT}")
    return "".join(f"{one_line(line)}\n" for line in lines)


def _files(report: Report) -> list[tuple[str, ErrorRow, Exchange]]:
    found = [
        (name, row, exchange)
        for row in report.errors
        for name, exchange in zip(exchange_names(row), row.exchanges, strict=True)
    ]
    return found[:MOST_FILES]


def _listed(index: Path) -> set[str]:
    """Return the names of files in the index of an earlier run; empty without one."""
    try:
        lines = index.read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    names = {line.split()[0] for line in lines if line.startswith("  ") and line.split()}
    return {name for name in names if FILE_NAME.fullmatch(name)}


def _moment(started: str, at: float) -> list[str]:
    """Return the date and time of a moment of the run as a line, to the second, as *started* is; none without it."""
    try:
        begun = datetime.fromisoformat(started.replace("Z", "+00:00"))
    except ValueError:
        return []
    return [f"at about {(begun + timedelta(seconds=at)).isoformat(timespec='seconds').replace('+00:00', 'Z')}"]
