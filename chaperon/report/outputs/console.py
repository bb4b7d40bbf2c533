"""The report as tables on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from itertools import groupby
from operator import itemgetter

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chaperon.measure.precision.confidence import PERCENTILES, samples_needed
from chaperon.measure.quantity import count_text
from chaperon.report.breakdown import PHASE, split, tag_names
from chaperon.report.events.event_groups import event_groups, event_line
from chaperon.report.events.note_text import note_text
from chaperon.report.exchanges.exchange_names import exchange_paths
from chaperon.report.exchanges.exchange_text import summary_text
from chaperon.report.format import MARKS, UNKNOWN, listed_text
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.output_parts.series_table import TIMES_EXPLAINED, cut_middle, print_tables, times_text
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import ErrorRow, Report, Verdict
from chaperon.report.rows import UNTIMED, Row, merge_scenarios
from chaperon.report.texts import one_line_texts
from chaperon.report.worker_table import worker_lines

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INVALID: "magenta", Verdict.ABORTED: "yellow"}
INDENT = "    "
ERRORS_SHOWN = 20
EVENTS_SHOWN = 30
PARTS_SHOWN = 20
NAME_SHOWN = 60
"""Columns of a series' name in a sentence; what is longer loses its middle, as in the tables."""


class ConsoleOutput(Output):
    """Prints the report as tables; *by* splits them, *merge* adds the entries up, as in `print_report`.

    *console* returns a context manager that gives the console; by default one on standard output.
    """

    name = "the table"

    def __init__(
        self,
        by: Sequence[str] = (),
        console: Callable[[], AbstractContextManager[Console]] | None = None,
        *,
        merge: bool = False,
    ) -> None:
        self._by, self._merge = tuple(by), merge
        self._console = console or (lambda: nullcontext(Console()))
        self._exchange_folder = ""

    def start(self, plan: PlannedRun) -> None:
        """Remember the folder with the exchanges of errors, whose files are named."""
        self._exchange_folder = plan.exchange_folder

    def finish(self, report: Report) -> None:
        """Print the report. Raises OSError."""
        with self._console() as console:
            print_report(report, console, self._by, merge=self._merge, exchange_folder=self._exchange_folder)


def table_text(report: Report, by: Sequence[str] = (), *, merge: bool = False, width: int) -> str:
    """Return what `print_report` prints as text of at most *width* columns, without colours."""
    out = StringIO()
    print_report(report, Console(file=out, width=width, color_system=None, force_terminal=False), by, merge=merge)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().split("\n")[:-1])


def print_report(
    report: Report, console: Console, by: Sequence[str] = (), *, merge: bool = False, exchange_folder: str = ""
) -> None:
    """Print series, errors, limits, visit counts, workers, notes, warnings and, last, the verdict. Blocks on writing.

    *by* adds tables of the series split by "phase" or by the values of a tag. *merge* adds series of one name
    in several entries up. *exchange_folder* is the folder with the exchanges of errors, whose files are named.
    Texts are redacted.
    """
    report = one_line_texts(report)
    long_names = sorted({row.name for row in report.rows if len(row.name) > NAME_SHOWN}, key=len, reverse=True)

    def sentence(markup: str) -> None:
        for name in long_names:
            markup = markup.replace(escape(name), escape(cut_middle(name, NAME_SHOWN)))
        _print_sentence(console, markup)

    printed = list(merge_scenarios(report.rows) if merge else report.rows)
    print_tables(report, printed, "", console)
    for name in by:
        parts = split(report, name)
        if not parts:
            known = ", ".join(tag_names(report)) or "none"
            console.print(escape(f"by {name}: no series has that tag; there are {known}"), highlight=False)
        busiest = sorted(parts, key=lambda part: -sum(row.count for row in parts[part]))[:PARTS_SHOWN]
        for part, rows in parts.items():
            if part in busiest:
                shown = merge_scenarios(rows) if merge else rows
                print_tables(report, shown, part if name == PHASE else f"{name}={part}", console)
                printed += shown
        if len(parts) > PARTS_SHOWN:
            rest = f"{len(parts) - PARTS_SHOWN:,} more, with fewer samples, are in the JSON"
            console.print(escape(f"by {name}: {rest}"), highlight=False)
    if any(row.response is not None for row in printed):
        console.print(TIMES_EXPLAINED, style="dim", highlight=False)
    times_printed = "".join(times_text(report, row) for row in printed)
    for mark, meaning in MARKS.items():
        if mark in times_printed:
            more = known_in(printed) if mark == UNKNOWN else ""
            console.print(f"{mark} {meaning}{more}", style="dim", markup=False, highlight=False)
    effects = design_effect_line(printed)
    if effects:
        console.print(effects, style="dim", markup=False, highlight=False)
    if report.errors:
        _print_errors(report.errors, console, exchange_folder)
    if report.limits:
        console.print(_limits_table(report.limits, console.width // 2))
    for label, counts in report.ledger.items():
        planned = f"visits of {escape(redacted_line(label))}: {counts.planned:,} planned"
        console.print(f"{planned} = {counts.outcomes}", highlight=False)
    for line in worker_lines(report.workers):
        console.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    events = event_groups(report.happenings)
    for event in events[:EVENTS_SHOWN]:
        sentence(escape(redacted_line(event_line(event, len(report.workers)))))
    if len(events) > EVENTS_SHOWN:
        console.print(f"{count_text(len(events) - EVENTS_SHOWN, 'further event')} in the JSON report", highlight=False)
    for note, times in report.notes.items():
        sentence(escape(f"note: {note_text(note, times)}"))
    for warning in report.warnings:
        sentence(f"[yellow]warning:[/] {escape(redacted_line(warning))}")
    colour = _COLOURS[report.verdict]
    console.print()
    word = report.verdict.value
    rest = escape(redacted_line(report.headline.removeprefix(word)))
    sentence(f"[bold {colour}]{word}[/] in {report.duration:.1f} s{rest}")
    for reason in report.reasons_below:
        sentence(f"  {escape(redacted_line(reason))}")


def _print_sentence(console: Console, markup: str) -> None:
    """Print a sentence with console markup; where it needs several lines, those after the first are indented."""
    first, *more = Text.from_markup(markup).wrap(console, max(console.width - len(INDENT), len(INDENT)))
    console.print(first, highlight=False)
    for line in more:
        console.print(Text(INDENT).append_text(line), highlight=False)


def known_in(rows: Sequence[Row]) -> str:
    """Return how long a run like this must last for percentiles that are unknown, as text; empty if none is.

    Of each percentile it is the length for the series that has most samples in relation to those that it needs, and
    at least that of the percentile before: how much samples depend on each other is not known where they are few.
    """
    found, least = [], 0.0
    for name, q in PERCENTILES.items():
        lengths = [
            row.duration * samples_needed(q) / times.effective(q)
            for row in rows
            if row.kind not in UNTIMED
            for times in (row.response, row.service)
            if times and times.bounds(q) is None
        ]
        if any(lengths):
            least = max(least, min(filter(None, lengths)))
            found.append((_span_text(least), name))
    spans = [f"{span} for {listed_text([name for _, name in each])}" for span, each in groupby(found, itemgetter(0))]
    return f"; the busiest series needs a run of about {', '.join(spans)}" if spans else ""


def _span_text(span: float) -> str:
    """Return a span in seconds as an option takes it, rounded up to whole seconds, minutes or hours: "75s", "5m"."""
    for unit, length in (("s", 1), ("m", 60), ("h", 3_600)):
        if span < 120 * length or unit == "h":
            break
    return f"{math.ceil(span / length):,}{unit}"


def design_effect_line(rows: Sequence[Row]) -> str:
    """Return the largest design effect of each percentile over the rows as text; empty without a known one."""
    times = [t for row in rows if row.kind not in UNTIMED for t in (row.response, row.service) if t]
    found = []
    for name, q in PERCENTILES.items():
        effects = [effect for each in times if (effect := each.design_effect(q)) is not None]
        if effects:
            found.append(f"{name} {max(effects):,.1f}")
    return f"design effect up to: {', '.join(found)}" if found else ""


def _print_errors(errors: Sequence[ErrorRow], console: Console, exchange_folder: str) -> None:
    rows = errors[:ERRORS_SHOWN]
    shown = [
        (f"{row.count:,} ×", redacted_line(row.error), redacted_line(f"{row.series} in {row.scenario}")) for row in rows
    ]
    spans = [f"  from {row.when}" for row in rows]
    counts, names = max(len(count) for count, _, _ in shown), max(len(error) for _, error, _ in shown)
    names = min(names, console.width // 3)
    room = max(console.width - 2 - counts - 1 - names - 2 - max(map(len, spans)), 1)
    places = min(max(len(where) for _, _, where in shown), room)
    console.print("[bold]errors[/]")
    for (count, error, where), span, row in zip(shown, spans, rows, strict=True):
        line = Text(f"  {count:>{counts}} ")
        line.append(f"{cut_middle(error, names):<{names}}", style="red")
        line.append(f"  {cut_middle(where, places):<{places}}{span}")
        console.print(line, overflow="ellipsis", no_wrap=True)
        console.print(
            Text(f"  {'':>{counts}} {redacted_line(row.sample)}", style="dim"), overflow="ellipsis", no_wrap=True
        )
        for exchange in row.exchanges[:1]:
            text = f"  {'':>{counts}} {redacted_line(summary_text(exchange))}"
            console.print(Text(text, style="dim"), overflow="ellipsis", no_wrap=True)
        for path in exchange_paths(exchange_folder, row)[:1]:  # whole, so that it can be copied
            text = f"  {'':>{counts}} see {redacted_line(path)}"
            console.print(Text(text, style="dim"), overflow="ignore", no_wrap=True, crop=False, soft_wrap=True)
    if len(errors) > ERRORS_SHOWN:
        rest = sum(row.count for row in errors[ERRORS_SHOWN:])
        console.print(
            f"  {len(errors) - ERRORS_SHOWN} more error classes with {count_text(rest, 'error')}", highlight=False
        )
    console.print()


def _limits_table(limits: Sequence[LimitResult], widest: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("limit", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("")
    for limit in limits:
        held = "[green]held[/]" if limit.held else "[red]broke[/]"
        when = "" if limit.at is None else f" at {limit.at} s"
        note = f"  {escape(limit.remark)}" if limit.remark else ""
        table.add_row(escape(cut_middle(limit.limit, widest)), limit.shown, f"{held}{when}{note}")
    return table
