"""Estimate of how long responses waited for the event loop to read them, from the lateness of a ticker."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from chaperon.measure.sample import Row
from chaperon.measure.series import Series

SAMPLED: Final = 64
"""Samples estimated per batch: of a longer batch about this many, evenly spread, each counted for its neighbours."""
KEPT: Final = 5_000
"""Most ticks kept between two cuts."""


class HubLag:
    """Estimates, per request, how long its response was ready but not yet read by the event loop.

    A tick is an event like the arrival of a response: it is ready when it is *due*, and is
    handled when the loop gets to it. A response read while a tick is late, or between that tick
    and the next, may have waited as long as the tick: the estimate is an upper bound. It is
    limited to the duration of the request, and to the part of the lateness in which requests
    were in flight (`begin`, `end`): a blocked loop distorts no measurement while none is in
    flight. *out* is the number of requests in flight. All moments are readings of one clock, in seconds.
    """

    __slots__ = ("_due", "_found", "_lags", "_last", "_ran", "_since", "_until", "out", "pending")

    def __init__(self) -> None:
        self._due: list[float] = []
        self._ran: list[float] = []
        self._lags: list[float] = []
        self._found: list[float] = []
        self.out = 0
        self._since = self._last = self._until = 0.0  # start of this period in flight; start and end of the last one
        self.pending = 0.0

    def __repr__(self) -> str:
        return f"<HubLag of {len(self._ran)} ticks, {self.out} requests out>"

    def begin(self, now: float) -> None:
        """Count a request as sent at *now*."""
        if not self.out:
            self._since = now
        self.out += 1

    def end(self, now: float) -> None:
        """Count a request as ended at *now*: its response was read or abandoned."""
        self.out -= 1
        if not self.out:
            self._last, self._until = self._since, now

    def tick(self, due: float, ran: float, pending: float) -> None:
        """Record a tick that was *due* and handled at *ran*; the next one is due at *pending*."""
        self.pending = pending
        if len(self._ran) < KEPT:
            self._due.append(due)
            self._ran.append(ran)
            self._lags.append(self._waiting(due, ran))

    def add(self, rows: Sequence[Row]) -> None:
        """Estimate the waits of a batch of requests recorded since the last cut. Does nothing before the first tick."""
        if not self.pending:
            return
        step = max(len(rows) // SAMPLED, 1)
        for row in rows[::step]:
            waited = self.waited(row[1], row[2])
            self._found += [waited] * step if step > 1 else [waited]

    def waited(self, start: float, end: float) -> float:
        """Return an upper bound, in seconds, of how long the response to a request from *start* to *end* waited."""
        after = bisect_left(self._ran, end)
        waited = 0.0
        if after == len(self._ran):
            waited = end - self.pending  # the loop has not handled that tick yet
        elif self._due[after] < end:
            waited = self._lags[after]
        if after and self._lags[after - 1] > waited:
            waited = self._lags[after - 1]
        return max(min(waited, end - start), 0.0)

    def cut(self) -> Series | None:
        """Return the estimates since the last cut as a series, None without any. The last tick is kept."""
        found, self._found = self._found, []
        del self._due[:-1], self._ran[:-1], self._lags[:-1]
        if not found:
            return None
        series = Series()
        series.good.add(found)
        return series

    def _waiting(self, due: float, ran: float) -> float:
        """Return for how many seconds between *due* and *ran* requests were in flight."""
        waiting = max(self._until - max(due, self._last), 0.0)
        if self.out:
            waiting += ran - max(due, self._since)
        return max(min(waiting, ran - due), 0.0)
