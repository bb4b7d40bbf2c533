"""The blocks of the live view: each returns the lines it is made of, for a width in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from chaperon.cli.live_view.recent_series import ErrorFigures, SeriesFigures
from chaperon.cli.live_view.view_state import ViewState
from chaperon.cli.live_view.words import LABEL, cut, flowed, labelled, padded, shown
from chaperon.measure.quantity import count_text
from chaperon.report.chart import columns
from chaperon.report.events.event_groups import EventGroup, event_line
from chaperon.report.format import AT_LEAST, time_text
from chaperon.report.percentiles import Bounds
from chaperon.report.totals import WorkerStats
from chaperon.report.worker_table import worker_lines

MINUTE = 60
VALUE = 7
"""Columns of a time."""
BAR = 40
"""Columns of the progress bar at most."""
STANDINGS = {
    "broken": ("broken", "bold red"),
    "near": ("close", "yellow"),
    "missing": ("missing", "yellow"),
    "held": ("held", "green"),
    "open": ("", ""),
}
URGENT = tuple(STANDINGS)
KEYS = ("p pause", "+ - scale", "s stop", "e errors", "? help")
HELP = (
    ("p", "pause: no further visit begins; p again: resume"),
    ("+ -", "send 10 % of the plan more, or less"),
    ("s", "stop: running visits may end, then the report is printed"),
    ("e", "all errors by class, with their newest words"),
    ("?", "this list"),
    ("Ctrl-C", "stop, as s does; twice: now; three times: without waiting"),
    ("Ctrl-Z", "suspend this process, the load too"),
)


def head(state: ViewState, width: int) -> Text:
    """Return the name of the run, its state, and how much of the plan is done."""
    pulse = state.pulse
    word, style = "RUNNING", "bold green"
    if pulse.ending:
        word, style = "STOPPING", "bold yellow"
    elif state.paused:
        word, style = "PAUSED", "bold yellow"
    share: float | None = None
    clock = _clock(pulse.elapsed)
    if state.length is not None:
        clock += f" of {_clock(round(state.length))}"
        share = pulse.elapsed / state.length if state.length else 1.0
    elif state.visits:
        clock += f", {pulse.visits:,} of {state.visits:,} visits"
        share = pulse.visits / state.visits
    percent = "" if share is None else f" {min(share, 1.0):4.0%}"
    fixed = f" {word}  {clock}"
    line = Text(no_wrap=True, overflow="crop", end="")
    name = cut(state.name, max(min(width - cell_len(fixed) - len(percent), 24), 0))
    line.append(name, "bold")
    line.append(f" {word}", style)
    line.append(f"  {clock}")
    room = min(width - line.cell_len - len(percent) - 2, BAR)
    if share is not None and room >= LABEL:
        done = round(min(share, 1.0) * room)
        line.append("  ")
        line.append("━" * done, "green")
        line.append("━" * (room - done), "dim")
    line.append(percent)
    return line


def why(state: ViewState, width: int) -> list[Text]:
    """Return why the run is stopped, and why it would be INVALID."""
    room = width - LABEL
    lines = [labelled("INVALID", (cut(reason, room), "magenta")) for reason in state.pulse.invalid]
    if state.pulse.ending:
        lines.insert(1, labelled("stopping", (cut(state.pulse.ending, room), "yellow")))
    return lines


def plan(state: ViewState, width: int) -> Text:
    """Return the load in words."""
    return labelled("plan", cut(state.plan, width - LABEL))


def rates(state: ViewState, width: int, *, short: bool) -> list[Text]:
    """Return what is asked for and what is done, on one line or on two."""
    pulse, room = state.pulse, width - LABEL
    if not pulse.seconds:
        waiting = labelled("done", "waiting for the first second")
        return [waiting] if short else [labelled("asked", flowed(_asked(state), room)), waiting]
    errors = count_text(pulse.errors, "error")
    share = f" ({pulse.error_share:.1%} now)" if pulse.error_share else ""
    dropped = f"{pulse.dropped:,} dropped" if pulse.dropped else ""
    done = f"{pulse.visits_rate:,.1f} visits/s"
    requests = f"{pulse.requests_rate:,.1f} requests/s"
    busy = f"{pulse.users:,} busy"
    if short:
        asked = _asked(state)
        of = f" of {asked[0]}" if asked and "visits/s" in asked[0] else ""
        figures = [f"{pulse.visits_rate:,.1f}{of}" if of else done, f"{errors}{share}", requests, busy, dropped]
        return [labelled("done", flowed(figures, room))]
    return [
        labelled("asked", flowed(_asked(state), room)),
        labelled("done", flowed([done, requests, f"{errors}{share}", busy, dropped], room)),
    ]


def _asked(state: ViewState) -> list[str]:
    parts = [
        f"{level:,.1f} {unit}" if "/" in unit else count_text(round(level), unit.removesuffix("s"))
        for unit, level in state.levels.items()
    ]
    if state.paused:
        parts.insert(0, "paused")
    if state.factor != 1.0:
        parts.append(f"{state.factor:.0%} of the plan")
    return parts or ["nothing at the moment"]


def percentiles(state: ViewState, width: int, *, short: bool) -> list[Text]:
    """Return p50, p95 and p99 of the last seconds; three lines with the last minute as columns, or one line.

    Each line of columns has a scale of its own, from 0 to its largest value.
    """
    pulse = state.pulse
    named = {
        "p50": (_time(pulse.p50, pulse.p50_at_least), [each.p50 for each in pulse.seconds]),
        "p95": (_time(pulse.p95, pulse.p95_at_least), [each.p95 for each in pulse.seconds]),
        "p99": (_time(pulse.p99, pulse.p99_at_least), [each.p99 for each in pulse.seconds]),
    }
    if short:
        return [labelled("times", flowed([f"{name} {value}" for name, (value, _) in named.items()], width - LABEL))]
    room = min(width - LABEL - VALUE - 2, MINUTE)
    lines = []
    for name, (value, values) in named.items():
        drawn = columns(values[-room:] if room > 0 else [], height=1)[0]
        lines.append(labelled(name, f"{value:>{VALUE}}  ", (drawn, "cyan")))
    return lines


def series(state: ViewState, width: int, rows: int) -> list[Text]:
    """Return the busiest series on *rows* lines, the first of which has the headings."""
    figures = state.series[: rows - 1]
    counted = f"series, {state.known:,}" if state.known > len(figures) else "series"
    cells = [("req/s", "p50", "p95", "errors"), *(_series_cells(each) for each in figures)]
    widths = [max(map(len, column)) + 2 for column in zip(*cells, strict=True)]
    while len(widths) > 1 and width - sum(widths) < 2 * LABEL:  # the last of these columns matter most
        widths.pop(1 if len(widths) > 2 else 0)
        cells = [row[:1] + row[2:] if len(row) > 2 else row[1:] for row in cells]
    room = width - sum(widths)
    several = len({each.scenario for each in figures}) > 1
    lines = []
    for place, row in enumerate(cells):
        line = Text(no_wrap=True, overflow="crop", end="")
        if place == 0:
            line.append(padded(counted, room) + _right(row, widths), "dim")
        else:
            each = figures[place - 1]
            name = f"{each.name} in {each.scenario}" if several else each.name
            line.append(padded(f"  {shown(name)}", room))
            line.append(_right(row[:-1], widths))
            line.append(f"{row[-1]:>{widths[-1]}}", "red" if each.errors else "")
        lines.append(line)
    return lines


def _series_cells(each: SeriesFigures) -> tuple[str, ...]:
    return f"{each.rate:,.1f}", _bounds(each.p50), _bounds(each.p95), f"{each.errors:,}"


def _right(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))


def errors(found: Sequence[ErrorFigures], width: int, rows: int) -> list[Text]:
    """Return the error classes on at most *rows* lines, with the newest words of each."""
    counts = max((len(f"{each.total:,}") for each in found[:rows]), default=1)
    lines = []
    for place, each in enumerate(found[:rows]):
        count = f"{each.total:>{counts},} × "
        line = labelled("" if place else "errors", count)
        room = width - line.cell_len
        where = f"{each.error} in {each.series}"
        line.append(cut(where, room), "red")
        words = each.words.removeprefix(f"{each.error}: ")
        room -= min(cell_len(shown(where)), room) + 2
        if words and words != each.error and room >= LABEL:
            line.append(f": {cut(words, room)}")
        lines.append(line)
    return lines


def limits(state: ViewState, width: int, rows: int) -> list[Text]:
    """Return the limits on at most *rows* lines, broken ones first."""
    states = sorted(state.pulse.limits, key=lambda each: URGENT.index(each.standing))
    values = [each.shown for each in states[:rows]]
    wide = max(map(cell_len, values), default=0)
    room = max(width - LABEL - wide - 2 - 8, 0)
    names = min(max((cell_len(shown(each.text)) for each in states[:rows]), default=0), room)
    lines = []
    for place, each in enumerate(states[:rows]):
        word, style = STANDINGS[each.standing]
        more = f" (+{len(states) - rows})" if place == rows - 1 and len(states) > rows else ""
        text = f"{padded(each.text, names)}  {each.shown:>{wide}}  "
        lines.append(labelled("" if place else "limits", text, (word, style), (more, "dim")))
    return lines


def generator(state: ViewState, width: int) -> Text:
    """Return the health of the generator: the worst newest figure of any worker."""
    if not any(worker.latest for worker in state.workers):
        return labelled("generator", "no figures yet")
    newest = [worker.latest for worker in state.workers if worker.latest and not worker.away]
    cpu = max((each.get("cpu", 0.0) for each in newest), default=0.0)
    late = max((each.get("late_p99", 0.0) for each in newest), default=0.0)
    lag = max((each.get("lag_max", 0.0) for each in newest), default=0.0)
    lost = sum(worker.lost for worker in state.workers)
    parts = [f"{lost} of {count_text(len(state.workers), 'worker')} lost"] if lost else []
    parts += [f"cpu {cpu:.0%} of a core", f"late p99 {time_text(late)}", _used("descriptors", newest)]
    parts += [f"lag max {time_text(lag)}", _used("ports", newest)]
    if len(state.workers) > 1:
        parts.append(f"worst of {len(newest)} workers")
    return labelled("generator", (flowed(parts, width - LABEL), "red" if lost else ""))


def _used(name: str, newest: Sequence[Mapping[str, float]]) -> str:
    known = [each for each in newest if each.get(f"{name}_limit")]
    if not known:
        return ""
    worst = max(known, key=lambda each: each[name] / each[f"{name}_limit"])
    return f"{worst[name]:,.0f} of {worst[f'{name}_limit']:,.0f} {name}"


def workers(found: Sequence[WorkerStats], width: int, rows: int) -> list[Text]:
    """Return the table of the workers on at most *rows* lines, those with the worst figures; lost ones are red."""
    lines = worker_lines(found, now=True, most=max(rows - 1, 1))[:rows]
    lost = [shown(worker.name) for worker in found if worker.lost]
    styled = []
    for place, line in enumerate(lines):
        style = "dim" if place == 0 else "red" if any(line.startswith(f"{name} ") for name in lost) else ""
        styled.append(Text(cut(line, width), style, no_wrap=True, overflow="crop", end=""))
    return styled


def events(found: Sequence[EventGroup], workers: int, width: int, rows: int) -> list[Text]:
    """Return the newest events on at most *rows* lines, equal ones on one."""
    return [
        labelled("" if place else "events", (cut(event_line(group, workers), width - LABEL), "yellow"))
        for place, group in enumerate(found[:rows])
    ]


def notices(state: ViewState, width: int) -> list[Text]:
    """Return what outputs have to say, such as the URL of a page; a URL that does not fit is cut at its end."""
    lines = []
    for label, text in state.notices.items():
        line = labelled(label, shown(text))
        line.truncate(width)
        lines.append(line)
    return lines


def keys(state: ViewState, width: int) -> list[Text]:
    """Return the answer to the newest key, or else the keys; nothing where no keys are read."""
    if not state.keys:
        return []
    if state.answer:
        return [labelled("keys", (cut(state.answer, width - LABEL), "bold"))]
    named = ["p resume" if state.paused and each == "p pause" else each for each in KEYS]
    return [labelled("keys", flowed(named, width - LABEL))]


def help_lines(width: int) -> list[Text]:
    """Return what each key does."""
    return [labelled(key, cut(words, width - LABEL)) for key, words in HELP]


def _clock(seconds: int) -> str:
    if seconds < 3_600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 3_600}:{seconds % 3_600 // 60:02d}:{seconds % 60:02d}"


def _time(value: float | None, at_least: float | None) -> str:
    return time_text(value) if at_least is None else f"{AT_LEAST}{time_text(at_least)}"


def _bounds(bounds: Bounds | None) -> str:
    return "–" if bounds is None else _time(bounds.value, bounds.at_least)
