"""The unit of what a limit is evaluated on: seconds for times, that of the recorded values otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chaperon.measure.sample import Key
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.rows import value_unit

TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds in each unit of time that a limit may have."""
BARE = 10.0
"""The number from which a time in a limit needs its unit: 300 is more likely milliseconds than five minutes."""

_AMBIGUOUS = "without a unit would be"
_TIMED_NAME = re.compile(r"(?:[A-Z]+ /|ws |step |call |task |visit\b)")


def unit_of(keys: Iterable[Key]) -> str | None:
    """Return the unit of the values of series, "" if they have none or different ones; None if any are times."""
    units = {value_unit(key.kind, key.name) for key in keys}
    if None in units:
        return None
    return units.pop() if len(units) == 1 else ""


def is_timed_name(name: str | None) -> bool:
    """Return whether a series of this name can only have times; None stands for all requests."""
    return name is None or _TIMED_NAME.match(name) is not None


def ambiguity(number: str) -> str:
    """Return what is wrong with a time in a limit that is *number* without a unit."""
    return f"{number} {_AMBIGUOUS} {number} s: write {number}ms or {number}s"


def ambiguous_limits(results: Sequence[LimitResult]) -> list[str]:
    """Return a warning for each limit whose number, as only the run has shown, is a time without a unit."""
    notes = [(each.limit, (each.note or "").partition("; ")[0]) for each in results]
    return [f"limit {limit}: {note}" for limit, note in notes if _AMBIGUOUS in note]
