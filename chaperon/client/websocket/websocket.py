"""A WebSocket as a scenario holds it."""

from __future__ import annotations

import json as jsons
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from chaperon.client.timings import Timings
from chaperon.client.websocket import frames
from chaperon.client.websocket.matching import Key, match_message, match_reply
from chaperon.client.websocket.message_queue import Message
from chaperon.client.websocket.metrics import USUAL_ENDS, Names, WebSocketMetrics, names_of
from chaperon.client.websocket.protocol import WebSocketProtocol
from chaperon.client.websocket.waiters import Expired
from chaperon.clock import seconds
from chaperon.errors import UsageError, WebSocketClosed, WebSocketTimeout
from chaperon.interrupts import is_a

FAREWELL = 3.0
"""Seconds to wait for the peer's close frame."""
_CLOSABLE = frozenset({1000, 1001, 1003, *range(1007, 1012)})
Within = Any
"""Seconds, or a span such as "500ms"; None for no bound; left out, the socket's own timeout."""


class WebSocket:
    """An open WebSocket; what is not closed is closed when its session ends.

    Messages are read as they come, also while the scenario is busy elsewhere, and kept, up
    to a bound, until somebody takes them; PINGs are answered. Every wait takes *timeout*, a
    span such as 5 or "500ms", None for no bound; without one it is that of the socket. Raises
    WebSocketTimeout where nothing came in time, WebSocketClosed where nothing can come any
    more, to whoever waits and at once.

    *subprotocol* is what was agreed on, *headers* what the server answered with, *timings*
    where the time to connect went. *received_at* is the moment at which the message taken
    last arrived, on the session's clock.
    """

    __slots__ = ("__weakref__", "_channel", "_tally", "_timeout", "headers", "received_at", "subprotocol", "timings")

    def __init__(
        self,
        channel: WebSocketProtocol,
        tally: WebSocketMetrics,
        *,
        timeout: float | None,
        subprotocol: str | None,
        headers: Any,
        timings: Timings,
    ) -> None:
        self.subprotocol = subprotocol
        self.headers = headers
        self.timings = timings
        self.received_at = tally.now()
        self._channel = channel
        self._tally = tally
        self._timeout = timeout

    def __repr__(self) -> str:
        code = self.close_code
        state = "open" if code is None else f"closed with {code}"
        return f"<WebSocket {self._tally.place} {state}, {len(self._channel.inbox)} messages held>"

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None:
            self.close()
        else:
            self.abandon()

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield messages until the WebSocket is closed in the usual way: 1000, 1001, or without a code."""
        while True:
            message = self._take(self._channel.inbox.pop, ..., may_end=True)
            if message is None:
                return
            yield message.body

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent or come any more."""
        return self._channel.closed is not None

    @property
    def close_code(self) -> int | None:
        """The code it was closed with; None while it is open."""
        over = self._channel.closed
        return None if over is None else over.code

    # Sending

    def send(self, message: str | bytes) -> float:
        """Send text, or bytes as a binary message; return the moment, for `expect(since=)`.

        Blocks while the peer does not take it; one that takes nothing for the socket's
        timeout is given up.
        """
        if isinstance(message, str):
            payload, opcode = message.encode(), frames.TEXT
        elif isinstance(message, (bytes, bytearray, memoryview)):
            payload, opcode = bytes(message), frames.BINARY
        else:
            raise UsageError(f"send() takes text or bytes, got {type(message).__name__}; send_json() takes the rest")
        at = self._tally.now()
        over = self._channel.over
        try:
            self._channel.send(payload, opcode, self._timeout)
        except BaseException as exc:
            self._failed(self._tally.names.send, at, exc, over)
            raise
        self._tally.sent(at, len(payload))
        return at

    def send_json(self, value: Any) -> float:
        """Send *value* as JSON text; return the moment, for `expect(since=)`."""
        return self.send(jsons.dumps(value, separators=(",", ":")))

    # Receiving

    def recv(self, timeout: Within = ...) -> str | bytes:
        """Return the next message: text as str, a binary one as bytes."""
        return self._taken(self._channel.inbox.pop, timeout).body

    def recv_json(self, timeout: Within = ...) -> Any:
        """Return the next message read as JSON; raises ValueError where it is none."""
        return jsons.loads(self.recv(timeout))

    def expect(
        self,
        wanted: Any,
        timeout: Within = ...,
        *,
        since: float | None = None,
        json: bool = False,
        name: str | None = None,
    ) -> Any:
        """Return the first message that is *wanted*; those before it are let go.

        *wanted* is text or bytes, or a dict or list that the message is as JSON, or a predicate
        of the message (read as JSON with *json*), which is called as messages come and must not
        block. The timeout is for the whole wait. With *since*, the moment at which something
        was sent, the time from there to the arrival is recorded as «round trip NAME».
        """
        wants = match_message(wanted, json)
        message = self._taken(lambda within: self._channel.inbox.skip_to(wants, within), timeout)
        if since is not None:
            self._tally.trip(self._names(name).trip, since, message.at)
        return wants.value_of(message)

    def request(self, message: Any, reply_to: Key, timeout: Within = ..., *, name: str | None = None) -> Any:
        """Send a message, return the one that answers it; the time between is «ws request NAME».

        *message* is text, bytes, or anything else to be sent as JSON. *reply_to* is the field
        that has the same value in both, such as "id" or "payload.ref", or a predicate of the
        reply. The reply is read as JSON if the message was sent as such. Messages in between
        stay, so that several tasks can ask on one WebSocket at a time.
        """
        series = self._names(name).request
        wants = match_reply(message, reply_to)
        start = self._tally.now()
        over = self._channel.over
        try:
            start = self.send(message) if isinstance(message, (str, bytes)) else self.send_json(message)
            reply = self._within(timeout, lambda within: self._channel.inbox.remove_first(wants, within))
        except BaseException as exc:
            self._failed(series, start, exc, over)
            raise
        self.received_at = reply.at
        self._tally.waited(series, start, reply.at, None, reply.size)
        return wants.value_of(reply)

    # Control

    def ping(self, timeout: Within = ...) -> float:
        """Send a PING, wait for its PONG; return the round trip in seconds."""
        series = self._tally.names.ping
        start = self._tally.now()
        over = self._channel.over
        try:
            answered: float = self._within(timeout, self._channel.ping)
        except BaseException as exc:
            self._failed(series, start, exc, over)
            raise
        self._tally.waited(series, start, answered)
        return answered - start

    def close(self, code: int = frames.NORMAL, reason: str = "", timeout: Within = FAREWELL) -> None:
        """Say goodbye, wait for the peer to say so too, close; what came before can still be taken."""
        if code not in _CLOSABLE and not 3000 <= code < 5000:
            raise UsageError(f"{code} is no code to close with: 1000, 1001, 1003, 1007 to 1011, or 3000 to 4999")
        self._channel.close(code, reason, self._span(timeout))

    def abandon(self) -> None:
        """Close at once with code 1001, without waiting for anything."""
        self._channel.abandon()

    def _taken(self, how: Callable[[float | None], Message], timeout: Within) -> Message:
        message = self._take(how, timeout, may_end=False)
        assert message is not None
        return message

    def _take(self, how: Callable[[float | None], Message], timeout: Within, *, may_end: bool) -> Message | None:
        now = self._tally.now
        start, over = now(), self.closed
        try:
            message: Message = self._within(timeout, how)
        except BaseException as exc:
            if may_end and is_a(exc, WebSocketClosed) and exc.code in USUAL_ENDS:
                return None
            self._failed(self._tally.names.recv, start, exc, over)
            raise
        self.received_at = message.at
        self._tally.waited(self._tally.names.recv, start, now(), None, message.size)
        return message

    def _failed(self, series: str, start: float, exc: BaseException, over: bool) -> None:
        """Record a call that failed, unless the WebSocket was over before: its end is recorded already."""
        if not (over and is_a(exc, WebSocketClosed)):
            self._tally.waited(series, start, self._tally.now(), exc)

    def _within(self, timeout: Within, wait: Callable[[float | None], Any]) -> Any:
        within = self._span(timeout)
        tally = self._tally
        tally.lag.begin(tally.now())
        try:
            return wait(within)
        except Expired as exc:
            if not exc.raised_here:
                raise
            raise WebSocketTimeout(f"nothing that was waited for on {self._tally.place} in {within:g} s") from None
        finally:
            tally.lag.end(tally.now())

    def _span(self, timeout: Within) -> float | None:
        if timeout is ...:
            return self._timeout
        return None if timeout is None else seconds(timeout)

    def _names(self, name: str | None) -> Names:
        return self._tally.names if name is None else names_of(name)
