"""Base class of the open loads: arrivals on a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.arrivals import arrivals_until, offsets, planned_arrivals
from chaperon.load.kinds.load import Shaped
from chaperon.measure.quantity import count_text

CLOSE_TO_STOP = 1e-6
"""Arrivals within this many seconds before a stop are not counted as due: readings of the clock are rounded."""


@lazy_dataclass(frozen=True)
class Arriving(Shaped):
    """An open load: the level of the curve is arrivals per second, at even distances or as a *poisson* process.

    Arrivals while *in_flight* are in flight are dropped.
    """

    is_open: ClassVar[bool] = True
    lost_note: ClassVar[str] = (
        "lost workers on an open load: what was due after the last word counts as lost, made or not"
    )

    poisson: bool = False
    in_flight: int | None = None

    @property
    def visits_each(self) -> int:
        """The number of visits that one arrival makes."""
        return 1

    def planned(self, *, seed: object = 0) -> int | None:
        arrivals = planned_arrivals(self, seed=seed)
        return None if arrivals is None else arrivals * self.visits_each

    def expected(self) -> int:
        return round(self.curve.area) * self.visits_each

    def due_by(self, stopped: float | None, original: Shaped, *, seed: object = 0) -> tuple[int, bool]:
        moment = float("inf") if stopped is None else stopped - CLOSE_TO_STOP
        arrivals = arrivals_until(self, moment, seed=seed)
        exact = self is original and stopped is None and arrivals is not None
        return (arrivals or 0) * self.visits_each, exact

    def schedule(self, skip: int = 0, *, seed: object = 0) -> Iterator[tuple[int, float]]:
        return offsets(self, seed=seed, skip=skip)

    def _count(self, seed: object, noun: str) -> str:
        arrivals = planned_arrivals(self, seed=seed)
        if arrivals is None:
            return f"about {count_text(round(self.curve.area), noun)}"
        return count_text(arrivals, noun)

    def _spaced(self) -> str:
        return "a Poisson process, seeded" if self.poisson else "at even distances"
