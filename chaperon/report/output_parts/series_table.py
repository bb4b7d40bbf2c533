"""The tables of series on a terminal: requests with their total, steps, visits, checks, values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.report.format import number_text, share_text, time_text
from chaperon.report.percentiles import percentile_text
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import Report
from chaperon.report.rows import ALL_REQUESTS, ALL_SCENARIOS, IN_ERROR, UNTIMED, Row, requests_of, total_of
from chaperon.report.table_parts import TablePart, table_parts, times_of

NARROW = 100
"""Columns of a terminal below which three percentiles are shown in place of five."""
SHORTEST = 20
"""Columns that a longer name has at least: other columns are left out before it gets fewer."""
CENSORED = "censored"
COUNTS = ("count", "errors", "err %", CENSORED, "rate/s")
SHORTER = {CENSORED: "cens."}
"""Headings in a narrow table."""
LEFT_OUT = ("p99.9", "p90", "max", CENSORED, "rate/s", "p99", "err %", "p50", "min", "mean", "last")
"""The columns that are left out where there is no room for them, the first one first."""
ELLIPSIS = "…"
WHEN_DUE = ", from when due"
DUE_ALONE = "  from when due"
FROM_ITS_START = "  from its start"
TIMES_EXPLAINED = "from when due: since it should have begun, waiting included; from its start: since it began"
ALL_CHECKS = "all checks"


@lazy_dataclass(slots=True)
class _Line:
    """One line of a table: a name, and the other cells by column; *due* says that its times are from when due."""

    name: str
    cells: dict[str, str]
    due: bool = False
    style: str = ""
    section: bool = False
    red: frozenset[str] = field(default_factory=frozenset)


def print_tables(report: Report, rows: Sequence[Row], part: str, console: Console) -> None:
    """Print *rows* as tables, those of each scenario by themselves, then a total over several scenarios.

    *part* names the part of the run that the rows are of; empty for the whole run.
    """
    for scenario in dict.fromkeys(row.scenario for row in rows):
        mine = [row for row in rows if row.scenario == scenario]
        timed, checks, others = table_parts(mine, [limit.limit for limit in report.limits])
        _print_title(scenario, part, console)
        for heading, columns, lines in (
            ("series", _timed_columns(timed.rows, console.width), list(_timed_lines(report, timed))),
            ("checks", ("count", "failed", "passed"), list(_check_lines(checks))),
            ("counts, values", _custom_columns(others.rows), list(_custom_lines(others.shown))),
        ):
            if lines:
                console.print(_table(lines, heading, columns, console.width))
        for each in (timed, checks, others):
            if each.left_out:
                console.print(each.left_out, markup=False, highlight=False)
    requests = requests_of(rows)
    if len({row.scenario for row in requests}) > 1:
        _print_title(ALL_SCENARIOS, part, console)
        console.print(
            _table([_total_line(report, requests)], "series", _timed_columns(requests, console.width), console.width)
        )


def _print_title(scenario: str, part: str, console: Console) -> None:
    title = redacted_line(f"{scenario} · {part}" if part else scenario)
    console.print(Text(cut_middle(title, console.width), style="bold"))


def times_text(report: Report, row: Row) -> str:
    """Return all percentiles that the tables show of a row, with their marks; empty where it has no times."""
    if row.kind in UNTIMED:
        return ""
    times = [*times_of(report, row).values(), *(times_of(report, row, response=True).values() if row.response else ())]
    times += [percentile_text(row.in_error, share) for share in PERCENTILES.values()] if row.bad else []
    return " ".join(times)


def cut_middle(text: str, width: int) -> str:
    """Return *text* in at most *width* columns of a terminal: what is too long loses its middle."""
    if cell_len(text) <= width:
        return text
    kept = max(width - 1, 0)
    begin = _first(text, kept - kept // 2)
    end = _first(text[::-1], kept // 2)[::-1]
    return f"{begin}{ELLIPSIS}{end}" if width > 0 else ""


def _first(text: str, width: int) -> str:
    """Return as many characters of *text* from its beginning as fit into *width* columns."""
    return chop_cells(text, width)[0] if width > 0 and text and cell_len(text[0]) <= width else ""


def _timed_columns(rows: Sequence[Row], width: int) -> tuple[str, ...]:
    cut = any(row.censored or row.never_begun for row in rows)
    percentiles = ("p50", "p95", "p99") if width < NARROW else tuple(PERCENTILES)
    return ("count", "errors", "err %", *((CENSORED,) if cut else ()), "rate/s", *percentiles, "max")


def _timed_lines(report: Report, timed: TablePart) -> Iterator[_Line]:
    requests = requests_of(timed.rows)
    group = None
    last = next(iter(requests_of(timed.shown)[-1:]), None)
    for row in timed.shown:
        line = _timed_line(report, row)
        line.section = group not in (None, row.kind)
        group = row.kind
        yield line
        if row.response is not None:
            yield _Line(FROM_ITS_START, times_of(report, row))
        if row.bad:
            yield _in_error_line(row)
        if row is last:
            total = _total_line(report, requests)
            total.section = True
            yield total


def _in_error_line(row: Row) -> _Line:
    """Return the line with the times of the bad samples of a row, from their start."""
    times = {name: percentile_text(row.in_error, share) for name, share in PERCENTILES.items()}
    return _Line(f"  {IN_ERROR}", {"count": f"{row.bad.count:,}", **times, "max": time_text(row.bad.high)})


def _total_line(report: Report, requests: Sequence[Row]) -> _Line:
    """Return the line of all *requests* together, with their service times: few of them were due at a moment."""
    scenarios = {row.scenario for row in requests}
    total = total_of(requests, ALL_SCENARIOS if len(scenarios) > 1 else scenarios.pop())
    return _Line(ALL_REQUESTS, {**_counts(total), **times_of(report, total)}, style="bold", red=_red(total))


def _timed_line(report: Report, row: Row) -> _Line:
    """Return the line of a row; with its response time, the headline figure, where it was due at a moment."""
    due = row.response is not None
    cells = {**_counts(row), **times_of(report, row, response=due)}
    return _Line(row.name, cells, due=due, style="bold" if due else "", red=_red(row))


def _counts(row: Row) -> dict[str, str]:
    return {
        "count": f"{row.count:,}",
        "errors": f"{row.errors:,}",
        "err %": share_text(row.errors, row.count),
        CENSORED: f"{row.censored + row.never_begun:,}",
        "rate/s": f"{row.rate:,.1f}",
    }


def _red(row: Row) -> frozenset[str]:
    return frozenset({"errors", "err %"} if row.errors else ())


def _check_lines(checks: TablePart) -> Iterator[_Line]:
    for row in checks.shown:
        yield _check_line(row.name, row.count, row.errors)
    if len(checks.rows) > 1:
        total = _check_line(ALL_CHECKS, sum(row.count for row in checks.rows), sum(row.errors for row in checks.rows))
        total.style, total.section = "bold", True
        yield total


def _check_line(name: str, count: int, failed: int) -> _Line:
    cells = {"count": f"{count:,}", "failed": f"{failed:,}", "passed": share_text(count - failed, count)}
    return _Line(name, cells, red=frozenset({"failed", "passed"} if failed else ()))


def _custom_columns(rows: Sequence[Row]) -> tuple[str, ...]:
    with_bytes = any(row.bytes for row in rows)  # WebSocket messages have a size
    return ("count", *(("bytes",) if with_bytes else ()), "sum", "last", "min", "mean", "p50", "p95", "max")


def _custom_lines(rows: Sequence[Row]) -> Iterator[_Line]:
    for row in rows:
        cells = {"count": f"{row.count:,}", "bytes": f"{row.bytes:,}" if row.bytes else ""}
        shown: dict[str, float | None]
        if row.kind == "count":
            shown = {"sum": row.total}
        elif row.kind == "gauge":
            shown = {"last": row.last, "min": row.min, "mean": row.mean, "max": row.max}
        else:
            shown = {
                "sum": row.total, "min": row.min, "mean": row.mean, "p50": row.p50, "p95": row.p95, "max": row.max,
            }  # fmt: skip
        yield _Line(row.name, {**cells, **{name: number_text(value) for name, value in shown.items()}})


def _table(lines: Sequence[_Line], heading: str, columns: Sequence[str], width: int) -> Table:
    """Return *lines* as a table that is at most *width* wide: names are cut in the middle, no cell is folded."""
    gap = 1 if width < NARROW else 2
    columns, room = _fitting(lines, heading, columns, width, gap)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 1, 0, 0))
    table.add_column(cut_middle(heading, room), no_wrap=True)
    for column in columns:
        shorter = SHORTER.get(column, column) if width < NARROW else column
        table.add_column(shorter, justify="right", no_wrap=True)
    for line in lines:
        if line.section:
            table.add_section()
        for name, cells in _split(line, room):
            texts = ((each, cells.get(each, "")) for each in columns)
            coloured = [f"[red]{text}[/]" if text and each in line.red else text for each, text in texts]
            table.add_row(escape(name), *coloured, style=line.style or None)
    return table


def _split(line: _Line, room: int) -> list[tuple[str, dict[str, str]]]:
    """Return the name and the cells of a line, or of two: the times by themselves if the name has no room beside it."""
    name = redacted_line(line.name)
    whole = name + WHEN_DUE if line.due else name
    if not line.due or cell_len(whole) <= room:
        return [(cut_middle(whole, room), line.cells)]
    counts = {column: text for column, text in line.cells.items() if column in COUNTS}
    times = {column: text for column, text in line.cells.items() if column not in COUNTS}
    return [(cut_middle(name, room), counts), (DUE_ALONE, times)]


def _fitting(
    lines: Sequence[_Line], heading: str, columns: Sequence[str], width: int, gap: int
) -> tuple[Sequence[str], int]:
    """Return the columns for which there is room, and how many columns of the terminal remain for names."""
    shorter = SHORTER if width < NARROW else {}
    needed = {
        column: max(len(shorter.get(column, column)), *(cell_len(line.cells.get(column, "")) for line in lines))
        for column in columns
    }
    names = (cell_len(redacted_line(line.name)) + (len(WHEN_DUE) if line.due else 0) for line in lines)
    longest = max(len(heading), *names)
    candidates = iter([column for column in LEFT_OUT if column in columns])
    while True:
        room = width - 2 - sum(needed[column] + gap for column in columns)
        left_out = next(candidates, None) if room < min(SHORTEST, longest) else None
        if left_out is None:
            return columns, max(room, 1)
        columns = [column for column in columns if column != left_out]
