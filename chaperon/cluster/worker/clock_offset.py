"""The offset of the clock of another machine, estimated from pings and their answers (Cristian's algorithm, 1989)."""

from __future__ import annotations

from collections import deque

from chaperon.cluster.protocol.messages import CLOCK_PINGS


class ClockOffset:
    """Estimates the offset of a remote clock by the quickest of the last eight exchanges (Cristian 1989).

    Both clocks are monotonic; the error is at most half the round trip.
    """

    def __init__(self) -> None:
        self._exchanges: deque[tuple[float, float]] = deque(maxlen=CLOCK_PINGS)

    def __repr__(self) -> str:
        if not self._exchanges:
            return "<ClockOffset without an exchange>"
        return f"<ClockOffset {self.ahead:+.6f} s, good to {self.round_trip / 2:.6f} s>"

    def record(self, sent_at: float, received_at: float, replied_at: float, answered_at: float) -> None:
        """Record one exchange: *sent_at* and *answered_at* by our clock, *received_at* and *replied_at* by theirs."""
        round_trip = (answered_at - sent_at) - (replied_at - received_at)
        if round_trip >= 0.0:
            self._exchanges.append((round_trip, ((received_at - sent_at) + (replied_at - answered_at)) / 2))

    @property
    def exchanges(self) -> int:
        """How many exchanges the estimate rests on."""
        return len(self._exchanges)

    @property
    def round_trip(self) -> float:
        """The quickest round trip, in seconds."""
        return min(self._exchanges)[0]

    @property
    def ahead(self) -> float:
        """By how many seconds their clock is ahead of ours."""
        return min(self._exchanges)[1]
