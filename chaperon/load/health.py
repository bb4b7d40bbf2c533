"""How well the generator itself is doing."""

from __future__ import annotations

from collections import Counter

from chaperon.clock import Clock, cpu
from chaperon.measure.sketch import Sketch

EVERY = 0.1
STALL = 1.0


class Health:
    """Watches lateness of starts, processor use, stalls of the hub.

    `tick` belongs in a greenlet of its own: it wakes ten times a second, and whatever kept
    it from waking kept every visit from going on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late: list[float] = []
        self._started = 0
        self._dropped: Counter[str] = Counter()
        self._waited = 0.0
        self._stalls = 0
        self._since = clock.now()
        self._used = cpu()

    def late(self, by: float) -> None:
        """Note that a visit started *by* seconds after it was due."""
        self._late.append(max(by, 0.0))

    def dropped(self, why: str, waited: float) -> None:
        """Note that an arrival was dropped: "late" or "cap" says why; it had *waited* so many seconds."""
        self._dropped[why] += 1
        self._waited = max(self._waited, waited)

    def tick(self) -> None:
        """Watch the hub for ever."""
        while True:
            meant = self._clock.now() + EVERY
            self._clock.sleep(EVERY)
            if self._clock.now() - meant > STALL:
                self._stalls += 1

    def cut(self) -> dict[str, float]:
        """Return what was seen since the last cut: "late_p99" (s), "cpu" (cores), "stalls"."""
        now, used = self._clock.now(), cpu()
        late = Sketch()
        late.add(self._late)
        seen = {
            "late_p99": late.quantile(0.99) or 0.0,
            "cpu": (used - self._used) / (now - self._since) if now > self._since else 0.0,
            "stalls": float(self._stalls),
        }
        self._late, self._stalls, self._since, self._used = [], 0, now, used
        return seen
