"""The rules that make a run INVALID for faults of the generator, with defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from chaperon.clock import WAIT, named_seconds
from chaperon.errors import PlanError
from chaperon.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True)
class ValidityRules:
    """Bounds beyond which the verdict is INVALID; None turns a rule off. Times in seconds.

    - *dropped*: share of the arrivals that were dropped.
    - *late*: p99 of the lateness of starts in a second, or *late_share* of the smallest median
      response time if that is greater, for *late_for* consecutive seconds.
    - *cpu*: CPU used or waited for by the event loop's thread, in cores, while visits wait, for
      *cpu_for* consecutive seconds.
    - *stall*: how long the event loop did not run.
    - *exhausted*: number of connections that failed because descriptors or ports ran out.
    - *own*: share of a limit's value that may be delay of the generator.

    In a run shorter than three times *late_for*, *cpu_for* or *stall*, a third of its length
    replaces that time (at least half a second for *stall*), so that no run is too short to be INVALID.
    """

    dropped: float | None = 0.01
    late: float | None = 0.05
    late_share: float | None = 0.1
    late_for: float | None = 3.0
    cpu: float | None = 0.95
    cpu_for: float | None = 5.0
    stall: float | None = 1.0
    exhausted: float | None = 0.0
    own: float | None = 0.5

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ValidityRules:
        """Return the default rules updated with *given*: numbers, "100ms", "2%", None or "off". Raises PlanError."""
        known = [f.name for f in fields(cls)]
        changed = {}
        for name, value in given.items():
            if name not in known:
                raise PlanError(f"trust has no rule {name!r}: use {', '.join(known)}")
            changed[name] = _value(name, value)
        return replace(cls(), **changed)


_TIMES = {"late": 10.0, "stall": 10.0, "late_for": WAIT, "cpu_for": WAIT}
"""Rules of times, with the largest numbers, in seconds, that they accept without a unit."""
_SHARES = {"dropped": 1.0, "own": 1.0, "late_share": math.inf}
"""Rules of shares, with the largest share: a greater one would turn the rule off."""


def _value(name: str, value: Any) -> float | None:
    if value is None or value == "off":
        return None
    if name in _TIMES:
        return named_seconds(f"trust: {name}", value, _TIMES[name])
    number = _number(value)
    if name in _SHARES and not 0.0 <= number <= _SHARES[name]:
        raise PlanError(f"trust: {name}={value!r} is not a share: write 2% or 0.02, or off")
    if not 0.0 <= number < math.inf:
        raise PlanError(f"trust: {name}={value!r} is not a number from 0 on, or off")
    return number


def _number(value: Any) -> float:
    """Return a number, or text such as "0.02" or "2%", as a number; NaN if it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    text = str(value).strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return math.nan
