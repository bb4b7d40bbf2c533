"""The report as tables on a terminal, and the live line during the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.measure.quantity import count_text
from chaperon.report.breakdown import PHASE, split, tag_names
from chaperon.report.format import AT_LEAST, MARKS, OWN, number_text, time_text
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.outputs.output import Output
from chaperon.report.percentiles import percentile_text
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import ErrorRow, Report, Verdict
from chaperon.report.rows import Row
from chaperon.report.texts import map_texts
from chaperon.report.totals import Pulse
from chaperon.report.worker_table import worker_lines

FROM_WHEN_DUE = "from when due: including the time that a visit waited before it started"
"""The line below the table that explains its rows of response times."""
_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INVALID: "magenta", Verdict.ABORTED: "yellow"}
_CUSTOM = ("value", "count", "gauge")
_UNTIMED = (*_CUSTOM, "check")
ERRORS_SHOWN = 20
HAPPENINGS_SHOWN = 30
PARTS_SHOWN = 20
NARROW = 100


def pulse_line(pulse: Pulse, target: str) -> str:
    """Return the live figures as one line."""
    errors = count_text(pulse.errors, "error")
    if pulse.error_share:
        errors += f" ({pulse.error_share:.0%} now)"
    if pulse.dropped:
        errors += f", {pulse.dropped:,} dropped"
    parts = (
        f"{pulse.elapsed // 60}:{pulse.elapsed % 60:02d}",
        f"{pulse.users:,} busy, {pulse.visits_rate:,.0f} visits/s of {target}",
        f"{pulse.requests_rate:,.0f} requests/s",
        errors,
        f"p50 {_live(pulse.p50, pulse.p50_at_least)}",
        f"p95 {_live(pulse.p95, pulse.p95_at_least)}",
    )
    return " · ".join(parts)


def _live(value: float | None, at_least: float | None) -> str:
    return time_text(value) if at_least is None else f"{AT_LEAST}{time_text(at_least)}"


class ConsoleOutput(Output):
    """Prints the report as tables; *by* splits them, as in `print_report`.

    *console* returns a context manager that gives the console; by default one on standard output.
    """

    name = "the table"

    def __init__(self, by: Sequence[str] = (), console: Callable[[], AbstractContextManager[Console]] | None = None):
        self._by = tuple(by)
        self._console = console or (lambda: nullcontext(Console()))

    def finish(self, report: Report) -> None:
        """Print the report. Raises OSError."""
        with self._console() as console:
            print_report(report, console, self._by)


def print_report(report: Report, console: Console, by: Sequence[str] = ()) -> None:
    """Print series, errors, limits, visit counts, workers, notes, warnings and, last, the verdict. Blocks on writing.

    *by* adds tables of the series split by "phase" or by the values of a tag. Texts are redacted.
    """
    report = map_texts(report, redacted_line)
    _print_series(report, report.rows, "", console)
    printed = list(report.rows)
    for name in by:
        parts = split(report, name)
        if not parts:
            known = ", ".join(tag_names(report)) or "none"
            console.print(escape(f"by {name}: no series has that tag; there are {known}"), highlight=False)
        busiest = sorted(parts, key=lambda part: -sum(row.count for row in parts[part]))[:PARTS_SHOWN]
        for part, rows in parts.items():
            if part in busiest:
                _print_series(report, rows, part if name == PHASE else f"{name}={part}", console)
                printed += rows
        if len(parts) > PARTS_SHOWN:
            rest = f"{len(parts) - PARTS_SHOWN:,} more, with fewer samples, are in the JSON"
            console.print(escape(f"by {name}: {rest}"), highlight=False)
    times_printed = "".join(cell for row in printed if row.kind not in _UNTIMED for cell in _all_times(report, row))
    marks = [f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in times_printed]
    for mark in marks:
        console.print(mark, style="dim", highlight=False)
    if any(row.response is not None for row in printed):
        console.print(FROM_WHEN_DUE, style="dim", highlight=False)
    effects = design_effect_line(printed)
    if effects:
        console.print(effects, style="dim", markup=False, highlight=False)
    if report.errors:
        _print_errors(report.errors, console)
    if report.limits:
        console.print(_limits_table(report.limits))
    for label, counts in report.ledger.items():
        planned = f"visits of {escape(redacted_line(label))}: {counts.planned:,} planned"
        console.print(f"{planned} = {counts.outcomes}", highlight=False)
    for line in worker_lines(report.workers):
        console.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    for worker, what in report.happenings[:HAPPENINGS_SHOWN]:
        if what.kind == "change":
            who = f" on {worker}" if len(report.workers) > 1 else ""
            console.print(
                f"at {what.at:.1f} s: {escape(redacted_line(what.text))}{escape(redacted_line(who))}", highlight=False
            )
    for note, times in report.notes.items():
        console.print(f"note: {times:,} {escape(note)}", highlight=False)
    for warning in report.warnings:
        console.print(f"[yellow]warning:[/] {escape(redacted_line(warning))}", highlight=False)
    colour = _COLOURS[report.verdict]
    console.print()
    console.print(f"[bold {colour}]{report.verdict.value}[/] in {report.duration:.1f} s", highlight=False)
    for reason in report.reasons:
        console.print(f"  {escape(redacted_line(reason))}", highlight=False)


def design_effect_line(rows: Sequence[Row]) -> str:
    """Return the largest design effect of each percentile over the rows as text; empty without a known one."""
    times = [t for row in rows if row.kind not in _UNTIMED for t in (row.response, row.service) if t]
    found = []
    for name, q in PERCENTILES.items():
        effects = [effect for each in times if (effect := each.design_effect(q)) is not None]
        if effects:
            found.append(f"{name} {max(effects):,.1f}")
    return f"design effect up to: {', '.join(found)}" if found else ""


def _print_series(report: Report, rows: Sequence[Row], part: str, console: Console) -> None:
    for scenario in dict.fromkeys(row.scenario for row in rows):
        mine = [r for r in rows if r.scenario == scenario]
        custom = [r for r in mine if r.kind in _CUSTOM]
        title = f"{scenario} · {part}" if part else scenario
        console.print(_series_table(report, title, [r for r in mine if r.kind not in _CUSTOM], console.width < NARROW))
        if custom:
            console.print(_custom_table(custom))


def _series_table(report: Report, title: str, rows: Sequence[Row], narrow: bool) -> Table:
    shown = ("p50", "p95", "p99") if narrow else tuple(PERCENTILES)
    title = escape(redacted_line(title))
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.padding = (0, 1, 0, 0)
    table.add_column("series", overflow="fold", min_width=16)
    cut = any(row.censored or row.never_begun for row in rows)
    for name in ("count", "errors", *(["censored"] if cut else []), "rate/s", *shown, "max"):
        table.add_column(name, justify="right", no_wrap=True)
    group = None
    for row in rows:
        if group not in (None, row.kind):
            table.add_section()
        group = row.kind
        errors = f"[red]{row.errors:,}[/]" if row.errors else "0"
        censored = [f"{row.censored + row.never_begun:,}"] if cut else []
        counts = [f"{row.count:,}", errors, *censored, f"{row.rate:,.1f}"]
        name = escape(redacted_line(row.name))
        times = ["" for _ in (*shown, "max")] if row.kind in _UNTIMED else _times(report, row, shown)
        if row.response is not None:  # the response time, from when due, is the headline figure
            table.add_row(f"{name}, from when due", *counts, *_times(report, row, shown, response=True), style="bold")
            name, counts = "  from its start", ["" for _ in counts]
        table.add_row(name, *counts, *times)
    return table


def _times(report: Report, row: Row, shown: Sequence[str], *, response: bool = False) -> list[str]:
    population = row.response if response and row.response is not None else row.service
    cells = []
    for name in shown:
        own = OWN if report.falsified(row, 100 * PERCENTILES[name], response=response) else ""
        cells.append(percentile_text(population, PERCENTILES[name]) + own)
    return [*cells, time_text(population.high if population.good else None)]


def _all_times(report: Report, row: Row) -> list[str]:
    shown = tuple(PERCENTILES)
    response = _times(report, row, shown, response=True) if row.response is not None else []
    return [*_times(report, row, shown), *response]


def _custom_table(rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("counts, values", overflow="fold", min_width=16)
    with_bytes = any(row.bytes for row in rows)  # WebSocket messages have a size besides their number
    for name in ("count", *(["bytes"] if with_bytes else []), "sum", "last", "min", "mean", "p50", "p95", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        spread = (row.min, row.mean, row.p50, row.p95, row.max)
        if row.kind == "count":
            figures = [number_text(row.total), *("" for _ in range(6))]
        elif row.kind == "gauge":
            figures = ["", *(number_text(v) for v in (row.last, row.min, row.mean)), "", "", number_text(row.max)]
        else:
            figures = [number_text(row.total), "", *(number_text(v) for v in spread)]
        size = [f"{row.bytes:,}" if row.bytes else ""] if with_bytes else []
        table.add_row(escape(redacted_line(row.name)), f"{row.count:,}", *size, *figures)
    return table


def _print_errors(errors: Sequence[ErrorRow], console: Console) -> None:
    rows = errors[:ERRORS_SHOWN]
    shown = [
        (f"{row.count:,} ×", redacted_line(row.error), redacted_line(f"{row.series} in {row.scenario}")) for row in rows
    ]
    counts, names, places = (max(map(len, column)) for column in zip(*shown, strict=True))
    console.print("[bold]errors[/]")
    for (count, error, where), row in zip(shown, rows, strict=True):
        line = Text(f"  {count:>{counts}} ")
        line.append(f"{error:<{names}}", style="red")
        line.append(f"  {where:<{places}}  from {row.first:.1f} to {row.last:.1f} s")
        console.print(line, overflow="fold")
        console.print(
            Text(f"  {'':>{counts}} {redacted_line(row.sample)}", style="dim"), overflow="ellipsis", no_wrap=True
        )
    if len(errors) > ERRORS_SHOWN:
        rest = sum(row.count for row in errors[ERRORS_SHOWN:])
        console.print(
            f"  {len(errors) - ERRORS_SHOWN} more error classes with {count_text(rest, 'error')}", highlight=False
        )
    console.print()


def _limits_table(limits: Sequence[LimitResult]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("limit", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("")
    for limit in limits:
        held = "[green]held[/]" if limit.held else "[red]broke[/]"
        when = "" if limit.at is None else f" at {limit.at} s"
        note = f"  {escape(limit.note)}" if limit.note else ""
        table.add_row(escape(limit.limit), limit.shown, f"{held}{when}{note}")
    return table
