"""A decision on a difference between runs, in a sentence."""

from __future__ import annotations

import math

from chaperon.report.comparison.decision import ChangeKind, Decision
from chaperon.report.comparison.difference import Difference
from chaperon.report.format import time_text


def time_sentence(name: str, first: float, second: float, found: Difference, decision: Decision) -> str:
    """Return what happened to the percentile *name*, which was *first* seconds and became *second*.

    *found* is the logarithm of its ratio. What could not have been seen is always said.
    """
    low, high = math.expm1(found.low), math.expm1(found.high)
    change = f"{name} {_changed(low, high)} ({time_text(first)} → {time_text(second)})"
    match decision.change:
        case ChangeKind.SLOWER:
            said = f"more than the {_percent(decision.margin)} allowed"
        case ChangeKind.FASTER:
            said = f"by more than the margin of {_percent(decision.margin)}"
        case ChangeKind.SAME:
            said = f"within the {_percent(decision.margin)} allowed"
        case ChangeKind.UNKNOWN:
            said = f"whether by more than {_percent(decision.margin)} is unknown"
    return f"{change}: {said}; {_seen(decision, found.seconds)}"


def error_sentence(name: str, first: float, second: float, found: Difference, decision: Decision) -> str:
    """Return what happened to the share of errors *name*, which was *first* and became *second*."""
    interval = f"{100 * found.low:+.2f} to {100 * found.high:+.2f} points"
    change = f"{name} changed by {interval} ({first:.2%} → {second:.2%})"
    margin = f"{100 * decision.margin:g} points"
    said = {
        ChangeKind.SLOWER: f"more than the {margin} allowed",
        ChangeKind.FASTER: f"fewer by more than the margin of {margin}",
        ChangeKind.SAME: f"within the {margin} allowed",
        ChangeKind.UNKNOWN: f"whether by more than {margin} is unknown",
    }[decision.change]
    detectable = f"a change of {100 * decision.detectable:.2f} points or more would have been seen"
    return f"{change}: {said}; {detectable}{_longer(decision, found.seconds, margin)}"


def rate_sentence(first: float, second: float, found: Difference) -> str:
    """Return how the rate of a load by users changed; *found* is the logarithm of its ratio."""
    low, high = sorted((abs(math.expm1(found.low)), abs(math.expm1(found.high))))
    word = "higher" if found.value > 0 else "lower"
    change = f"the rate is {_range(low, high)} {word} ({first:.1f}/s → {second:.1f}/s)"
    return f"{change}: a load by users sends less as times grow, so judge times and rate together"


def value_text(value: float, *, share: bool) -> str:
    """Return a time, or a share of errors, as text."""
    return f"{value:.2%}" if share else time_text(value)


def change_text(found: Difference, *, share: bool) -> str:
    """Return the interval of a change as short text: per cent of a time, or points of a share."""
    if share:
        return f"{100 * found.low:+.2f} to {100 * found.high:+.2f} points"
    return f"{_digits(math.expm1(found.low), '+')} to {_digits(math.expm1(found.high), '+')} %"


def difference_text(difference: float, *, share: bool) -> str:
    """Return a change without an interval as short text: per cent of a time, or points of a share."""
    return f"{100 * difference:+.2f} points" if share else f"{_digits(difference, '+')} %"


def _changed(low: float, high: float) -> str:
    if low > 0:
        return f"is {_range(low, high)} slower"
    if high < 0:
        return f"is {_range(-high, -low)} faster"
    return f"changed by {_digits(low, '+')} to {_digits(high, '+')} %"


def _range(low: float, high: float) -> str:
    ends = _digits(low), _digits(high)
    return f"{ends[0]} %" if ends[0] == ends[1] else f"{ends[0]}–{ends[1]} %"


def _digits(share: float, sign: str = "") -> str:
    """Return a share as per cent without the sign of per cent: with a decimal below 1, so that it is not -0."""
    per_cent = 100 * share
    return format(per_cent, f"{sign}.{0 if abs(per_cent) >= 0.95 or not per_cent else 1}f")


def _seen(decision: Decision, seconds: int) -> str:
    seen = f"a slowdown of {_percent(decision.detectable)} or more would have been seen"
    return f"{seen}{_longer(decision, seconds, _percent(decision.margin))}"


def _longer(decision: Decision, seconds: int, margin: str) -> str:
    """Return how long runs must be to see a change by the margin, nothing if these are long enough."""
    if decision.needed <= seconds:
        return ""
    return f"; for {margin} run {_duration(decision.needed)}"


def _duration(span: float) -> str:
    if span > 86_400:
        return "more than a day"
    return f"{math.ceil(span)} s" if span < 120 else f"{math.ceil(span / 60)} min"


def _percent(share: float) -> str:
    """Return a share as per cent, rounded up where it is not whole: what is said to be seen is seen."""
    per_cent = 100 * share
    return f"{round(per_cent) if abs(per_cent - round(per_cent)) < 1e-6 else math.ceil(per_cent):,} %"
