"""The text of the progress line: figures first, then what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.cli.terminal.ascii_signs import spelled
from chaperon.measure.quantity import count_text
from chaperon.report.format import AT_LEAST, time_text
from chaperon.report.redaction.one_line import one_line
from chaperon.report.totals import Pulse

SEPARATOR = " · "
LEAST = 8
"""Columns below which the words of the plan are left out instead of being shortened."""


def live_lines(
    pulse: Pulse, target: str, *, length: float | None, width: int | None = None, encoding: str | None = None
) -> list[str]:
    """Return the live figures, then the newest error and the limit that is broken or about to be.

    *target* is the plan in words, *length* its seconds if they are known. All is one line unless *width* is
    given, in columns: then words are shortened, and what does not fit follows on further lines. Figures are whole.
    Widths are those of the text in *encoding*.
    """
    target = spelled(one_line(target), encoding)
    trouble = [tuple(spelled(part, encoding) for part in parts) for parts in _trouble(pulse)]
    if width is None:
        return [SEPARATOR.join([*_long_figures(pulse, target, length), *("".join(each) for each in trouble)])]
    figures = [spelled(each, encoding) for each in _long_figures(pulse, target, length)]
    line = SEPARATOR.join(figures)
    lines = [line] if len(line) <= width else _short_figures(pulse, target, length, width, encoding)
    return lines + _flow([_shortened(*each, width=width) for each in trouble], width)


def _long_figures(pulse: Pulse, target: str, length: float | None) -> list[str]:
    errors = count_text(pulse.errors, "error")
    if pulse.error_share:
        errors += f" ({pulse.error_share:.0%} now)"
    if pulse.dropped:
        errors += f", {pulse.dropped:,} dropped"
    return [
        _time(pulse, length),
        f"{pulse.users:,} busy, {pulse.visits_rate:,.0f} visits/s of {target}",
        f"{pulse.requests_rate:,.0f} requests/s",
        errors,
        f"p50 {_live(pulse.p50, pulse.p50_at_least)}",
        f"p95 {_live(pulse.p95, pulse.p95_at_least)}",
    ]


def _short_figures(pulse: Pulse, target: str, length: float | None, width: int, encoding: str | None) -> list[str]:
    parts = [
        _time(pulse, length),
        f"{pulse.users:,} busy",
        f"{pulse.visits_rate:,.0f} visits/s",
        f"{pulse.requests_rate:,.0f} req/s",
        count_text(pulse.errors, "error") + (f" ({pulse.error_share:.0%})" if pulse.error_share else ""),
        *([f"{pulse.dropped:,} dropped"] if pulse.dropped else []),
        f"p50 {_live(pulse.p50, pulse.p50_at_least)}",
        f"p95 {_live(pulse.p95, pulse.p95_at_least)}",
    ]
    lines = _flow([spelled(part, encoding) for part in parts], width)
    room = width - len(lines[-1]) - len(SEPARATOR)
    plan = _middle_cut(target, room - len("of "))
    return [*lines[:-1], f"{lines[-1]}{SEPARATOR}of {plan}"] if plan else lines


def _trouble(pulse: Pulse) -> list[tuple[str, str, str]]:
    """Return what is wrong as (text before, words that may be shortened, text behind)."""
    found = []
    if pulse.error_count:
        found.append((f"{pulse.error_count:,} × ", one_line(f"{pulse.error} in {pulse.error_series}"), ""))
    if pulse.limit is not None and pulse.limit.standing == "missing":
        found.append(("", one_line(f"limit {pulse.limit.text} has {pulse.limit.shown}: {pulse.limit.note}"), ""))
    elif pulse.limit is not None:
        state = "broke" if pulse.limit.broken else "is close"
        found.append(("", f"limit {one_line(pulse.limit.text)}", f" {state}: {pulse.limit.shown}"))
    return found


def _shortened(before: str, words: str, behind: str, *, width: int) -> str:
    return f"{before}{_middle_cut(words, width - len(before) - len(behind))}{behind}"


def _flow(parts: Sequence[str], width: int) -> list[str]:
    """Return *parts* joined on as few lines of *width* columns as they need."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(SEPARATOR) + len(part) <= width:
            lines[-1] += SEPARATOR + part
        else:
            lines.append(part)
    return lines


def _middle_cut(text: str, most: int) -> str:
    """Return *text* in at most *most* characters, cut in the middle; "" if there is no room for it."""
    if len(text) <= most:
        return text
    if most < LEAST:
        return ""
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[-end:]}"


def _time(pulse: Pulse, length: float | None) -> str:
    elapsed = f"{pulse.elapsed // 60}:{pulse.elapsed % 60:02d}"
    if length is None:
        return elapsed
    left = max(round(length) - pulse.elapsed, 0)
    return f"{elapsed}, {left // 60}:{left % 60:02d} left"


def _live(value: float | None, at_least: float | None) -> str:
    return time_text(value) if at_least is None else f"{AT_LEAST}{time_text(at_least)}"
