"""Live changes of a load (scale, pause, resume) applied to its curve: pure arithmetic."""

from __future__ import annotations

import math

from chaperon.errors import PlanError
from chaperon.load.kinds.load import Shaped
from chaperon.load.share import Share


class LiveChanges:
    """The changes made during a run, each from an offset of the run in seconds, recorded in order.

    During a pause no arrival of an open load is due; users of closed loads stay and start no
    visit. *factor* is the current multiple of the plan. *pauses* are (from, to) offsets; the end of the current pause
    is infinite.
    """

    def __init__(self) -> None:
        self.paused = False
        self.pauses: list[tuple[float, float]] = []
        self.factor = 1.0
        self._open: list[tuple[float, float]] = []
        self._closed: list[tuple[float, float]] = []

    def __repr__(self) -> str:
        return f"<LiveChanges: {self.factor:g} times the plan{', paused' if self.paused else ''}>"

    def scale(self, factor: float, at: float, *, by: str = "") -> None:
        """Multiply the planned level by *factor* from offset *at*. During a pause it takes effect at its end.

        *by* does not matter here, nor below: it is for the event of an engine.
        """
        self.factor = factor
        self._closed.append((at, factor))
        if not self.paused:
            self._open.append((at, factor))

    def pause(self, at: float, *, by: str = "") -> bool:
        """Pause from offset *at*. Return whether the load was not paused already."""
        if self.paused:
            return False
        self.paused = True
        self.pauses.append((at, math.inf))
        self._open.append((at, 0.0))
        return True

    def resume(self, at: float, *, by: str = "") -> bool:
        """End the pause at offset *at*. Return whether the load was paused."""
        if not self.paused:
            return False
        self.paused = False
        self.pauses[-1] = (self.pauses[-1][0], at)
        self._open.append((at, self.factor))
        return True

    def load(self, share: Share) -> Shaped | None:
        """Return the load of a share with the changes applied, or None without any."""
        changes = self._open if share.load.is_open else self._closed
        if not changes:
            return None
        return share.load.following(share.load.curve.scaled([(at - share.at, factor) for at, factor in changes]))


def positive(factor: float) -> float:
    """Return *factor*. Raises PlanError unless it is positive and finite."""
    if not 0.0 < factor < float("inf"):
        raise PlanError(f"a load is scaled by a positive number, got {factor!r}; pause() sends nothing")
    return factor
