"""How a run was steered while it went on: pure arithmetic."""

from __future__ import annotations

import math

from chaperon.errors import PlanError
from chaperon.load.kinds.load import Shaped
from chaperon.load.share import Share


class LiveChanges:
    """Scalings, pauses, resumptions, each from an offset of the run on, told in their order.

    A pause lets nothing of an open load become due; users of closed ones stay, and rest.
    *pauses* are (from, to), the last of them without end while it goes on.
    """

    def __init__(self) -> None:
        self.paused = False
        self.pauses: list[tuple[float, float]] = []
        self._factor = 1.0
        self._open: list[tuple[float, float]] = []
        self._closed: list[tuple[float, float]] = []

    def __repr__(self) -> str:
        return f"<LiveChanges: {self._factor:g} times the plan{', paused' if self.paused else ''}>"

    def scale(self, factor: float, at: float) -> None:
        """Send *factor* times what was planned, also after a pause that goes on."""
        self._factor = factor
        self._closed.append((at, factor))
        if not self.paused:
            self._open.append((at, factor))

    def pause(self, at: float) -> bool:
        """Begin nothing more; return whether that is new."""
        if self.paused:
            return False
        self.paused = True
        self.pauses.append((at, math.inf))
        self._open.append((at, 0.0))
        return True

    def resume(self, at: float) -> bool:
        """Go on after a pause; return whether there was one."""
        if not self.paused:
            return False
        self.paused = False
        self.pauses[-1] = (self.pauses[-1][0], at)
        self._open.append((at, self._factor))
        return True

    def load(self, share: Share) -> Shaped | None:
        """Return the load of a share as it was changed, or None where it was not."""
        changes = self._open if share.load.is_open else self._closed
        if not changes:
            return None
        return share.load.following(share.load.curve.scaled([(at - share.at, factor) for at, factor in changes]))


def positive(factor: float) -> float:
    """Return a factor to scale by; raises PlanError where it is none."""
    if not 0.0 < factor < float("inf"):
        raise PlanError(f"a load is scaled by a positive number, got {factor!r}; pause() sends nothing")
    return factor
