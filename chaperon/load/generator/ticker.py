"""Ticker: frequent timer events in the event loop, whose lateness estimates that of responses."""

from __future__ import annotations

from gevent import get_hub

from chaperon.clock import Clock, Timer
from chaperon.measure.hub_lag import HubLag

LEAST = 0.002
SPREAD = 0.004
"""Ticks are LEAST to LEAST + SPREAD seconds apart: 250 per second, which cost 0.5 % of a core."""
GOLDEN = 0.6180339887498949
"""Its multiples modulo 1 are a low-discrepancy sequence (Weyl): evenly spread, without a period to coincide with."""
CALIBRATION = 0.2
"""Seconds for which the idle event loop is measured before the first load of a process."""
ENOUGH = 5
HEALTHY = 0.001
"""Upper bound, in seconds, of the lag taken as healthy, also if the idle loop showed more."""


class Ticker:
    """Ticks in the hub from `start` to `stop`, and records in *lag* when each tick was due and when it ran."""

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
        """Start ticking. Returns at once."""
        if self._timer is None:
            self._next(self._clock.now())

    def stop(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def calibrate(self, until: float) -> None:
        """Block until the clock reads *until*. Meanwhile measure the lag of the idle hub, once per hub."""
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
            hub.chaperon_healthy_lag = min(sorted(calm)[len(calm) // 2], HEALTHY)  # type: ignore[attr-defined]

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
    """Return for how many seconds the hub of this thread must still be measured before its first load, or 0."""
    return CALIBRATION if getattr(get_hub(), "chaperon_healthy_lag", None) is None else 0.0


def healthy_lag() -> float:
    """Return the median lag, in seconds, of the idle hub of this thread; 0 if it was not measured."""
    return getattr(get_hub(), "chaperon_healthy_lag", None) or 0.0
