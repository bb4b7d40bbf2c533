"""How long responses waited for the event loop to read them, estimated from the lateness of a ticker."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from chaperon.measure.sample import Row
from chaperon.measure.series import Series

SAMPLED = 64
"""Of a longer batch about so many samples are estimated, evenly spread, each in place of its neighbours."""
KEPT = 5_000
"""Ticks that are remembered between two cuts."""


class HubLag:
    """Estimates, by request, for how much of its time the response was there and the event loop was not.

    A tick is an event like the arrival of a response: it became ready when it was *due*, and
    was handled when the loop came to it. A response that is read while a tick is late, or
    after it and before the next one, may have waited as long as that tick: the estimate is an
    upper one. It is never more than the request took, and never more than the part of the
    lateness in which requests were out (`begin`, `end`): what kept the loop while nothing
    was waited for falsifies nothing. All moments are readings of one clock, in seconds.
    """

    __slots__ = ("_due", "_found", "_lags", "_last", "_out", "_ran", "_since", "_until", "pending")

    def __init__(self) -> None:
        self._due: list[float] = []
        self._ran: list[float] = []
        self._lags: list[float] = []
        self._found: list[float] = []
        self._out = 0
        self._since = self._last = self._until = 0.0  # since when requests are out; the stretch before began, ended
        self.pending = 0.0

    def __repr__(self) -> str:
        return f"<HubLag of {len(self._ran)} ticks, {self._out} requests out>"

    def begin(self, now: float) -> None:
        """Note that a request goes out."""
        if not self._out:
            self._since = now
        self._out += 1

    def end(self, now: float) -> None:
        """Note that its response was read, or is waited for no longer."""
        self._out -= 1
        if not self._out:
            self._last, self._until = self._since, now

    def tick(self, due: float, ran: float, pending: float) -> None:
        """Note a tick that was *due*, and *ran* then; the next one is due at *pending*."""
        self.pending = pending
        if len(self._ran) < KEPT:
            self._due.append(due)
            self._ran.append(ran)
            self._lags.append(self._waiting(due, ran))

    def add(self, rows: Sequence[Row]) -> None:
        """Estimate the waits of a batch of requests that were recorded since the last cut; none without ticks."""
        if not self.pending:
            return
        step = max(len(rows) // SAMPLED, 1)
        for row in rows[::step]:
            waited = self.waited(row[1], row[2])
            self._found += [waited] * step if step > 1 else [waited]

    def waited(self, start: float, end: float) -> float:
        """Return for how long the response to a request, out from *start* to *end*, waited for the loop at most."""
        after = bisect_left(self._ran, end)
        waited = 0.0
        if after == len(self._ran):
            waited = end - self.pending  # the loop has not come to that tick, either
        elif self._due[after] < end:
            waited = self._lags[after]
        if after and self._lags[after - 1] > waited:
            waited = self._lags[after - 1]
        return max(min(waited, end - start), 0.0)

    def cut(self) -> Series | None:
        """Return the estimates since the last cut, None without any; the last tick is kept for what comes next."""
        found, self._found = self._found, []
        del self._due[:-1], self._ran[:-1], self._lags[:-1]
        if not found:
            return None
        series = Series()
        series.good.add(found)
        return series

    def _waiting(self, due: float, ran: float) -> float:
        """Return for how much of the time between two moments requests were out."""
        waiting = max(self._until - max(due, self._last), 0.0)
        if self._out:
            waiting += ran - max(due, self._since)
        return max(min(waiting, ran - due), 0.0)
