"""Which faults of the generator make a run worthless: rules with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from chaperon.clock import seconds
from chaperon.errors import PlanError


@dataclass(frozen=True, slots=True)
class ValidityRules:
    """Beyond these, the verdict is INVALID; None turns a rule off.

    *dropped*: which share of the arrivals. *late*: the lateness of starts, its p99 in a
    second, or *late_share* of the smallest median response where that is larger, for
    *late_for* seconds running. *cpu*: the cores the hub's thread uses or waits for, while
    visits wait, for *cpu_for* seconds running. *stall*: for how long nothing went on. *exhausted*:
    how many connections could not be made for want of descriptors or ports. *own*: which share
    of a time that a limit hangs on may be the generator's own part. A run of less
    than three times one of these spans is judged by a third of its own length in its place,
    where visits start late or the core is used up, and for *stall* (half a second at least):
    no run is too short to be INVALID.
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
        """Return the defaults, but for what is *given*: numbers, "100ms", "2%", None or "off". Raises PlanError."""
        known = [f.name for f in fields(cls)]
        changed = {}
        for name, value in given.items():
            if name not in known:
                raise PlanError(f"no rule of trust is called {name!r}: there are {', '.join(known)}")
            changed[name] = _value(name, value)
        return replace(cls(), **changed)


def _value(name: str, value: Any) -> float | None:
    if value is None or value == "off":
        return None
    if isinstance(value, str) and value.endswith("%"):
        try:
            return float(value[:-1]) / 100
        except ValueError:
            raise PlanError(f"trust: {name}={value!r} is not a share, such as 2%") from None
    try:
        return seconds(value)
    except PlanError as exc:
        raise PlanError(f"trust: {name}: {exc}") from None
