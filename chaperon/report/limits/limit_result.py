"""Limit result: whether a limit held, and the value it was evaluated on."""

from __future__ import annotations

from chaperon.lazy_dataclass import lazy_dataclass

MAXIMUM = "max "
"""Stands in `LimitResult.shown` before a maximum that is used because the percentile is unknown."""


@lazy_dataclass(frozen=True, slots=True)
class LimitResult:
    """Whether a limit held, and the value it was evaluated on.

    *value* is in *unit*, a fraction for percentages; None without data, and for a
    percentile that lies among censored samples, whose lower bound is *at_least*. *shown* is the
    value as text, *note* a remark on it. *at* is the second in which a limit broke that is
    evaluated during the run. *unit* is "s" for times, that of recorded values, "" for other numbers.
    """

    limit: str
    held: bool
    value: float | None
    shown: str = ""
    note: str | None = None
    at: int | None = None
    at_least: float | None = None
    unit: str = ""
