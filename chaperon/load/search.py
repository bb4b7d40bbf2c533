"""Search for the highest rate at which the limits hold: pure arithmetic that chooses the next rate."""

from __future__ import annotations

from math import sqrt
from typing import Literal, NamedTuple

from chaperon.errors import PlanError

Outcome = Literal["held", "broke", "spent"]
"""The limits held, one of them broke, or the generator reached its own capacity before the target."""
Why = Literal["limit", "top", "bottom", "generator", "unsteady"]

GROWTH = 2.0
BACK_OFF = 0.1
CONFIRMATIONS = 4


class Trial(NamedTuple):
    """A rate to be tried, in visits per second. A *confirming* trial runs for longer."""

    rate: float
    confirming: bool = False


class Search:
    """Doubles the rate until a limit breaks, bisects until the gap is below *within*, then confirms the rate found.

    Run the trial in `next`, report its outcome with `record`, and repeat until `next` is None.
    If the confirming trial fails, the search tries lower rates, with a step that grows each time.
    If the generator reaches its capacity, the search goes no higher, and the rate found is a lower bound.
    """

    def __init__(self, start: float, to: float, *, within: float = 0.05) -> None:
        if not 0 < start <= to < float("inf"):
            raise PlanError(f"a search goes from a rate above 0 up to one not below it, got {start:g} to {to:g}")
        if not 0 < within < 1:
            raise PlanError(f"a search ends within a share between 0 and 1, got {within:g}")
        self._to = to
        self._within = within
        self._held: list[float] = []
        self._above: float | None = None
        self._confirmed = 0
        self._spent = False
        self.next: Trial | None = Trial(rounded(start))
        self.rate: float | None = None
        self.why: Why = "bottom"

    def __repr__(self) -> str:
        return f"<Search at {self.next.rate if self.next else self.rate}/s>"

    def record(self, outcome: Outcome) -> None:
        """Record the outcome of the trial in `next`, and set `next` to the following one."""
        tried = self.next
        assert tried is not None
        if outcome == "held":
            self._held.append(tried.rate)
        else:
            self._above = tried.rate
            self._held = [rate for rate in self._held if rate < tried.rate]
            self._spent = outcome == "spent"
        if tried.confirming:
            self._confirm(tried.rate, outcome)
        else:
            self._seek()

    def _seek(self) -> None:
        best = max(self._held, default=None)
        if best is None:
            self.next, self.why = None, "generator" if self._spent else "bottom"
        elif self._above is None:
            self.next = Trial(best, True) if best >= self._to else Trial(min(rounded(best * GROWTH), self._to))
        else:
            middle = rounded(sqrt(best * self._above))
            done = self._spent or self._above / best <= 1 + self._within or not best < middle < self._above
            self.next = Trial(best, True) if done else Trial(middle)

    def _confirm(self, rate: float, outcome: Outcome) -> None:
        if outcome == "held":
            self.next, self.rate = None, rate
            self.why = "top" if self._above is None else "generator" if self._spent else "limit"
            return
        lower = rounded(rate * (1 - BACK_OFF * 2**self._confirmed))
        self._confirmed += 1
        if self._confirmed >= CONFIRMATIONS or lower >= rate:
            self.next, self.why = None, "unsteady"
        else:
            self.next = Trial(lower, True)


def rounded(rate: float) -> float:
    """Return a rate rounded to three significant digits."""
    return float(f"{rate:.3g}")
