"""A fine ticker in the event loop: how late it is, every response is."""

from __future__ import annotations

from statistics import median

from gevent import get_hub

from chaperon.clock import Clock, Timer
from chaperon.measure.hub_lag import HubLag

LEAST = 0.002
SPREAD = 0.004
"""A tick comes *LEAST* to *LEAST + SPREAD* seconds after the one before: 250 a second, half a percent of a core."""
GOLDEN = 0.6180339887498949
"""Its multiples modulo 1 are evenly spread, in no step with anything: a low-discrepancy sequence (Weyl)."""
CALIBRATION = 0.2
"""For how many seconds a healthy event loop is watched before the first load of a process."""
ENOUGH = 5
HEALTHY = 0.001
"""A lag beyond that is not healthy, even where nothing is sent."""


class Ticker:
    """Ticks in the hub from `start` to `stop`, each tick noted with the moment it was due."""

    def __init__(self, clock: Clock, lag: HubLag) -> None:
        self._clock = clock
        self._lag = lag
        self._due = 0.0
        self._place = 0.0
        self._timer: Timer | None = None
        self._calm: list[float] | None = None

    def __repr__(self) -> str:
        return f"<Ticker {'stopped' if self._timer is None else 'ticking'}>"

    def start(self) -> None:
        """Begin to tick."""
        if self._timer is None:
            self._next(self._clock.now())

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def calibrate(self, until: float) -> None:
        """Wait until a moment; watch the idle loop meanwhile, where this hub was not watched before. Blocks."""
        hub, now = get_hub(), self._clock.now()
        if getattr(hub, "chaperon_healthy_lag", None) is not None or until <= now:
            self._clock.sleep(until - now)
            return
        span = min(until - now, CALIBRATION)
        self._clock.sleep(until - now - span)
        calm: list[float] = []
        self._calm = calm
        self.start()
        self._clock.sleep(until - self._clock.now())
        self.stop()
        self._calm = None
        if len(calm) >= ENOUGH:
            hub.chaperon_healthy_lag = min(median(calm), HEALTHY)  # type: ignore[attr-defined]

    def _next(self, now: float) -> None:
        self._place = (self._place + GOLDEN) % 1.0
        self._due = now + LEAST + SPREAD * self._place
        self._timer = self._clock.after(self._due - now, self._tick)

    def _tick(self) -> None:
        due, now = self._due, self._clock.now()
        self._next(now)
        if self._calm is None:
            self._lag.tick(due, now, self._due)
        else:
            self._calm.append(max(now - due, 0.0))


def calibration_due() -> float:
    """Return for how many seconds the hub of this thread is still to be watched before it sends a load."""
    return CALIBRATION if getattr(get_hub(), "chaperon_healthy_lag", None) is None else 0.0


def healthy_lag() -> float:
    """Return the lag of a tick, in seconds, that the hub of this thread showed before it sent anything."""
    return getattr(get_hub(), "chaperon_healthy_lag", None) or 0.0
