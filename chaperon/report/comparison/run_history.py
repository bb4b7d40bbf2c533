"""The runs of a folder, oldest first, each with a mark if it is slower than the three before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chaperon.errors import NoRunFile, RunFileError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.quantity import names_text
from chaperon.report.comparison.change import FigureChange, adjusted, change_since
from chaperon.report.comparison.comparable import refusals
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.comparison.difference import LEAST_RUNS
from chaperon.report.comparison.figure import GATES, Margins, parse_figure
from chaperon.report.comparison.measured_run import MeasuredRun, measure_steady
from chaperon.report.format import share_text
from chaperon.report.outputs.csv import csv_text
from chaperon.report.outputs.markdown import cell, table
from chaperon.report.percentiles import percentile_text
from chaperon.report.redaction.redaction import redacted
from chaperon.report.rows import Row
from chaperon.report.run_file.run_file import RunFile, read_run

SCHEMA = "chaperon-history/1"
LOOKED_AT = 12
"""Newest runs among which the three before a run are found that can be compared with it."""
NAMED = 3
"""Files that are no run files which the warning about them names."""
HEADER = ("started", "file", "verdict", "load", "rate/s", "p50", "p95", "err %", "design effect", "")
COLUMNS = (
    "file", "started", "environment", "verdict", "load", "duration", "count", "rate", "p50", "p95", "p99", "errors",
    "design_effect", "slower", "said",
)  # fmt: skip


@lazy_dataclass(frozen=True)
class KeptRun:
    """One run of a folder.

    *requests* are all its requests, without warm-up. *changes* are what its figures changed by against the three
    comparable runs *before* it; both are empty if there are fewer.
    """

    path: Path
    started: str
    environment: str
    verdict: str
    load: str
    duration: float
    requests: Row
    changes: tuple[FigureChange, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def slower(self) -> bool | None:
        """Whether a figure is slower than in the three runs before, None if there are not three to compare."""
        return bool(self.slower_changes) if self.changes else None

    @property
    def slower_changes(self) -> tuple[FigureChange, ...]:
        """The figures that are slower than in the three runs before."""
        return tuple(each for each in self.changes if each.change is ChangeKind.SLOWER)

    @property
    def errors(self) -> float | None:
        """The share of errors among all requests, None without any."""
        return self.requests.errors / self.requests.count if self.requests.count else None

    def values(self) -> dict[str, Any]:
        """Return what JSON and CSV have of it, under the names in `COLUMNS`: times in seconds, None if unknown."""
        row = self.requests
        said = ". ".join(each.sentence for each in self.slower_changes)
        texts = (self.path.name, self.started, self.environment, self.verdict, self.load)
        figures = (self.duration, row.count, row.rate, row.p50, row.p95, row.p99, self.errors, row.design_effect(95))
        return dict(zip(COLUMNS, (*map(redacted, texts), *figures, self.slower, redacted(said)), strict=True))


def read_folder(folder: Path, skipped: Callable[[str], None]) -> list[RunFile]:
    """Return the run files of a folder, by the start of their runs; *skipped* is called with why a file is none.

    Blocks while it checks them. Raises RunFileError if the folder cannot be read.
    """
    try:
        places = sorted(place for place in folder.iterdir() if place.is_file() and not place.name.startswith("."))
    except OSError as exc:
        raise RunFileError(f"cannot read the folder {folder}: {exc.strerror or exc}") from exc
    found = []
    others: dict[str, str] = {}  # by file name, why it is none
    for place in places:
        try:
            found.append(read_run(place))
        except NoRunFile as exc:
            others[place.name] = str(exc)
        except RunFileError as exc:
            skipped(str(exc))
    if len(others) == 1:
        skipped(*others.values())
    elif others:
        skipped(f"{len(others):,} files of {folder} are left out, they are no run files: {names_text(others, NAMED)}")
    return sorted(found, key=lambda file: (file.run().header.time, file.path.name))


def kept_runs(files: Sequence[RunFile], margins: Margins, skipped: Callable[[str], None]) -> Iterator[KeptRun]:
    """Yield the runs of *files*, in their order; *skipped* is called with why one has no report. Blocks."""
    recent: deque[MeasuredRun] = deque(maxlen=LOOKED_AT)
    known: dict[tuple[int, str], Path] = {}
    for file in files:
        recorded = file.run()
        first = known.setdefault((recorded.checksum, recorded.header.started), file.path)
        if first != file.path:
            skipped(f"{file.path} is left out: it is the same run as {first}")
            continue
        try:
            run = measure_steady(recorded)
        except RunFileError as exc:
            skipped(str(exc))
            continue
        before = [each for each in reversed(recent) if each.phase == run.phase and not refusals([run, each])]
        yield _kept(file.path, run, before[:LEAST_RUNS], margins)
        recent.append(run)


def _kept(path: Path, run: MeasuredRun, before: Sequence[MeasuredRun], margins: Margins) -> KeptRun:
    report, header = run.report, run.header
    requests = report.totals[-1]
    compared = before if len(before) == LEAST_RUNS and requests.count else []
    changes = [change_since(each, compared, run, margins.of(each)) for each in map(parse_figure, GATES) if compared]
    return KeptRun(
        path=path,
        started=header.started,
        environment=header.environment,
        verdict=report.verdict.value,
        load=" + ".join(load for _, load in header.loads),
        duration=report.duration,
        requests=requests,
        changes=tuple(adjusted(changes)),
        before=tuple(each.name for each in compared),
    )


def history_row(run: KeptRun) -> tuple[str, ...]:
    """Return the cells of a run in a table under `HEADER`."""
    row = run.requests
    times = [percentile_text(row.service, q) for q in (0.5, 0.95)]
    effect = row.design_effect(95)
    mark = {None: "–", True: "✕ slower", False: ""}[run.slower]
    started = run.started[:16].replace("T", " ")
    figures = (
        f"{row.rate:,.1f}",
        *times,
        share_text(row.errors, row.count),
        "–" if effect is None else f"{effect:.1f}",
    )
    return started, run.path.name, run.verdict, run.load, *figures, mark


def history_markdown(runs: Sequence[KeptRun]) -> str:
    """Return runs as a table in Markdown, oldest first, with what the slower ones are slower by."""
    rows = [tuple(map(cell, history_row(run))) for run in runs]
    said = [f"- {cell(run.path.name)}: {cell(each.sentence)}" for run in runs for each in run.slower_changes]
    return "\n".join(["## runs", "", *table(HEADER, rows, "l l l l r r r r r l"), *said, ""])


def history_dict(runs: Sequence[KeptRun]) -> dict[str, Any]:
    """Return runs as values that JSON can represent, oldest first."""
    before = [{**run.values(), "before": [redacted(name) for name in run.before]} for run in runs]
    return {"schema": SCHEMA, "runs": before}


def history_csv(runs: Sequence[KeptRun]) -> str:
    """Return runs as CSV, oldest first: times in seconds, *slower* 1, 0 or empty."""
    rows = [run.values() for run in runs]
    return csv_text(COLUMNS, ([_cell(row[name]) for name in COLUMNS] for row in rows))


def _cell(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
