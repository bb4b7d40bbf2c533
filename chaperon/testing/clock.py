"""A virtual clock: time advances only when all greenlets wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import gevent
from gevent.event import Event


class _Appointment:
    __slots__ = ("deed",)

    def __init__(self, deed: Callable[[], object]) -> None:
        self.deed: Callable[[], object] | None = deed

    def cancel(self) -> None:
        self.deed = None


class VirtualClock:
    """A `Clock` for tests: an hour passes at once, in the right order.

    Whenever every greenlet waits, `run` moves time on to the next moment a greenlet waits
    for. Only what waits on this clock is simulated; keep real sockets out of it.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self._order = count()
        self._waiting: list[tuple[float, int, _Appointment]] = []

    def __repr__(self) -> str:
        return f"<VirtualClock at {self._now:g}>"

    def now(self) -> float:
        """Return the simulated time in seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Block the greenlet for *seconds* of simulated time."""
        woken = Event()
        appointment = self.after(seconds, woken.set)
        try:
            woken.wait()
        finally:
            appointment.cancel()

    def after(self, seconds: float, deed: Callable[[], object]) -> _Appointment:
        """Call *deed* from the hub after *seconds* of simulated time."""
        appointment = _Appointment(deed)
        heapq.heappush(self._waiting, (self._now + max(seconds, 0.0), next(self._order), appointment))
        return appointment

    def run(self, until: Callable[[], bool]) -> None:
        """Advance time until a condition holds. Raises RuntimeError if no timer is left that could change it."""
        while True:
            gevent.idle()
            if until():
                return
            while self._waiting and self._waiting[0][2].deed is None:
                heapq.heappop(self._waiting)
            if not self._waiting:
                raise RuntimeError("no greenlet waits for this clock, so the condition cannot become true")
            self._now = max(self._now, self._waiting[0][0])
            due = []
            while self._waiting and self._waiting[0][0] <= self._now:
                due.append(heapq.heappop(self._waiting)[2])
            for appointment in due:
                gevent.get_hub().loop.run_callback(self._keep, appointment)

    @staticmethod
    def _keep(appointment: _Appointment) -> None:
        if appointment.deed is not None:
            appointment.deed()
