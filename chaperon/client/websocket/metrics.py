"""What is measured of one WebSocket, under which names."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from chaperon.client.timings import Timings
from chaperon.errors import WebSocketClosed
from chaperon.interrupts import is_a
from chaperon.measure.failures import cause_of, failure_of
from chaperon.measure.meter import Meter

USUAL_ENDS = (1000, 1001, 1005)


class Names(NamedTuple):
    """The series of the WebSockets of one place."""

    connect: str
    send: str
    sent: str
    received: str
    recv: str
    request: str
    trip: str
    ping: str
    dropped: str


@lru_cache(maxsize=4096)
def names_of(place: str) -> Names:
    """Return the names for a place; thousands of sockets share them."""
    return Names(
        f"ws connect {place}",
        f"ws send {place}",
        f"ws sent {place}",
        f"ws received {place}",
        f"ws recv {place}",
        f"ws request {place}",
        f"round trip {place}",
        f"ws ping {place}",
        f"ws dropped {place}",
    )


class WebSocketMetrics:
    """Records what happens on one WebSocket.

    «ws connect», «ws recv» (the time waited in it), «ws request», «ws ping» are requests, and
    «ws send» is where it failed; «round trip» is the time from a message sent to the one that
    answers it; «ws sent», «ws received», «ws dropped», «ws closed CODE» are counts, with the
    bytes of what was counted. An end that is a fault is one error: of whoever waited, or
    of «ws recv» where nobody did.
    """

    __slots__ = ("_take", "lag", "names", "now", "place")

    def __init__(self, meter: Meter, place: str) -> None:
        self.place = place
        self.names = names_of(place)
        self.now = meter.clock.now
        self.lag = meter.recorder.lag
        self._take = meter.record

    def opened(self, start: float, failure: BaseException | None = None) -> None:
        """Record an attempt to connect."""
        self.waited(self.names.connect, start, self.now(), failure)

    def stages(self, start: float, timings: Timings) -> None:
        """Record where the time to connect went, each stage as a value."""
        end = self.now()
        for stage, spent in zip(Timings._fields, timings, strict=True):
            self._take(f"{stage} {self.names.connect}", "value", start, end, None, 0, None, spent)

    def sent(self, at: float, size: int) -> None:
        """Count a message on its way."""
        self._take(self.names.sent, "count", at, at, None, size, None, 1.0)

    def received(self, size: int) -> float:
        """Count a message that arrived now; return the moment."""
        now = self.now()
        self._take(self.names.received, "count", now, now, None, size, None, 1.0)
        return now

    def dropped(self) -> None:
        """Count a message that nobody took before the buffer was full."""
        now = self.now()
        self._take(self.names.dropped, "count", now, now, None, 0, None, 1.0)

    def waited(self, name: str, start: float, end: float, failure: BaseException | None = None, size: int = 0) -> None:
        """Record a wait that has ended: in recv, for a reply, for a pong."""
        found = None
        if failure is not None:
            asked = name != self.names.recv  # a message that nobody asked for may come whenever it likes
            found = failure_of(failure, natural=asked)
            if not asked and found.error == "interrupted":
                found = found._replace(censored=False)
            cause = cause_of(failure)
            if cause is not None and is_a(cause, WebSocketClosed):
                failure_of(cause)  # all who waited raise an error of their own for one end, listed once
        self._take(name, "ws", start, end, found, size)

    def trip(self, name: str, since: float, at: float) -> None:
        """Record the round trip of a message."""
        self._take(name, "trip", min(since, at), at)

    def ended(self, ended: WebSocketClosed, *, known: bool) -> None:
        """Count a close by its code; an unusual one that is not *known* to anybody is an error."""
        now = self.now()
        self._take(f"ws closed {ended.code} {self.place}", "count", now, now, None, 0, None, 1.0)
        if not known and ended.code not in USUAL_ENDS:
            self.waited(self.names.recv, now, now, ended)
