"""Limit result: whether a limit held, and the value it was evaluated on."""

from __future__ import annotations

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.format import number_text, time_text

MAXIMUM = "max "
"""Stands in `LimitResult.shown` before a maximum that is used because the percentile is unknown."""


@lazy_dataclass(frozen=True, slots=True)
class LimitResult:
    """Whether a limit held, and the value it was evaluated on.

    *value* is in *unit*, a fraction for percentages; None without data, and for a
    percentile that lies among censored samples, whose lower bound is *at_least*. *shown* is the
    value as text, *note* a remark on it. *at* is the second in which a limit broke that is
    evaluated during the run. *unit* is "s" for times, that of recorded values, "" for other numbers.
    *interval* is the 95 % confidence interval of a percentile over the whole run, in *unit*; None where it is unknown.
    """

    limit: str
    held: bool
    value: float | None
    shown: str = ""
    note: str | None = None
    at: int | None = None
    at_least: float | None = None
    unit: str = ""
    interval: tuple[float, float] | None = None

    @property
    def remark(self) -> str:
        """The text beside the value: the interval of a limit that broke, then the note; "" if there is neither."""
        said = []
        if self.interval is not None and not self.held:
            low, high = (time_text(end) if self.unit == "s" else number_text(end) for end in self.interval)
            unit = "" if self.unit in ("", "s") else f" {self.unit}"
            if low != high:
                said.append(f"95 % interval: {low} to {high}{unit}")
        return "; ".join([*said, *([self.note] if self.note else [])])
