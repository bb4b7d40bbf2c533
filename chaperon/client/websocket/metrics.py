"""The series recorded for one WebSocket, and their names."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from chaperon.client.timings import Timings
from chaperon.client.websocket.conversation import Conversation
from chaperon.client.websocket.socket_exchange import keep_socket_exchange
from chaperon.errors import WebSocketClosed
from chaperon.interrupts import is_a
from chaperon.measure.failures import cause_of, failure_of
from chaperon.measure.meter import Meter
from chaperon.measure.sample import Failure

USUAL_ENDS = (1000, 1001, 1005)


class Names(NamedTuple):
    """The series names of all WebSockets with one *place* (path or `name=`)."""

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
    """Return the series names for a place, cached since thousands of sockets share them."""
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
    """Records the series of one WebSocket.

    «ws connect», «ws recv» (seconds blocked in it), «ws request» and «ws ping» are requests; «ws send»
    holds failed sends only. «round trip» is the time from sending a message to the arrival of its answer.
    «ws sent», «ws received», «ws dropped» and «ws closed CODE» are counts, with bytes. An abnormal close
    is one error: of the call that was waiting, or of «ws recv» if none was. *conversation* is what
    explains an error, once the WebSocket is open.
    """

    __slots__ = (
        "_explains",
        "_meter",
        "_received",
        "_recorder",
        "_recv",
        "_sent",
        "conversation",
        "lag",
        "names",
        "now",
        "place",
    )

    def __init__(self, meter: Meter, place: str) -> None:
        self.place = place
        self.names = names_of(place)
        self.now = meter.clock.now
        self._recorder = meter.recorder
        self.lag = meter.recorder.lag
        self._meter = meter
        self._sent = meter.slot(self.names.sent, "count")
        self._received = meter.slot(self.names.received, "count")
        self._recv = meter.slot(self.names.recv, "ws")
        self._explains = meter.recorder.exchanges.tap is not None
        self.conversation: Conversation | None = None

    def opened(self, start: float, failure: BaseException | None = None, redirects: int = 0) -> Failure | None:
        """Record an attempt to connect, and count its redirects. Return the failure that was recorded."""
        end = self.now()
        found = self.waited(self.names.connect, start, end, failure)
        if redirects:
            self._meter.record(f"redirects {self.names.connect}", "count", start, end, None, 0, None, float(redirects))
        return found

    def stages(self, start: float, timings: Timings) -> None:
        """Record the seconds of each stage of connecting, one value series per stage."""
        end = self.now()
        for stage, spent in zip(Timings._fields, timings, strict=True):
            self._meter.record(f"{stage} {self.names.connect}", "value", start, end, None, 0, None, spent)

    def sent(self, at: float, size: int) -> None:
        """Count a sent message of *size* bytes; *at* is when `send` was called."""
        self._recorder.messages += 1
        self._meter.record_in(self._sent, at, at, None, size, None, 1.0)

    def received(self, size: int) -> float:
        """Count a received message of *size* bytes; return the current clock reading in seconds."""
        now = self.now()
        self._meter.record_in(self._received, now, now, None, size, None, 1.0)
        return now

    def read(self, start: float, end: float, size: int) -> None:
        """Record a finished «ws recv» that returned a message of *size* bytes."""
        self._meter.record_in(self._recv, start, end, None, size, None, None)
        if self._explains and self.conversation is not None:
            keep_socket_exchange(self._meter, self.conversation, self.names.recv, start, end, None)

    def dropped(self) -> None:
        """Count a message dropped because the queue was full."""
        now = self.now()
        self._meter.record(self.names.dropped, "count", now, now, None, 0, None, 1.0)

    def waited(
        self,
        name: str,
        start: float,
        end: float,
        failure: BaseException | None = None,
        size: int = 0,
        *,
        listened: bool = False,
    ) -> Failure | None:
        """Record a finished wait from *start* to *end*: a connect, recv, request or ping, or a failed send.

        Return the failure that was recorded, None for a success. One that only *listened* has no natural end.
        """
        found = None
        if failure is not None:
            found = failure_of(failure, natural=not listened)
            if listened and found.error == "interrupted":
                found = found._replace(censored=False)
            cause = cause_of(failure)
            if cause is not None and is_a(cause, WebSocketClosed):
                failure_of(cause)  # each waiter raises its own copy of the close; list the original once
        self._meter.record(name, "ws", start, end, found, size)
        if (found is not None or self._explains) and self.conversation is not None:
            keep_socket_exchange(self._meter, self.conversation, name, start, end, found)
        return found

    def trip(self, name: str, since: float, at: float) -> None:
        """Record a round trip: sent at *since*, answer arrived at *at*."""
        self._meter.record(name, "trip", min(since, at), at)

    def untripped(self, name: str, since: float, exc: BaseException) -> None:
        """Record a round trip that was cut by *exc* before its answer arrived; other exceptions are none of a trip."""
        found, now = failure_of(exc), self.now()
        if found.censored:
            self._meter.record(name, "trip", min(since, now), now, found)

    def ended(self, ended: WebSocketClosed, *, known: bool) -> None:
        """Count a close by its code; record an abnormal one as an error unless a call already raised it (*known*)."""
        now = self.now()
        self._meter.record(f"ws closed {ended.code} {self.place}", "count", now, now, None, 0, None, 1.0)
        if self.conversation is not None:
            self.conversation.closed = f"closed with code {ended.code}{ended.reason and f': {ended.reason}'}"
        if not known and ended.code not in USUAL_ENDS:
            self.waited(self.names.recv, now, now, ended, listened=True)
