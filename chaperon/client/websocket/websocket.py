"""The WebSocket class that scenarios use."""

from __future__ import annotations

import json as jsons
from collections.abc import Iterator
from http.client import HTTPMessage
from types import TracebackType
from typing import Any

from chaperon.client.timings import Timings
from chaperon.client.websocket import frames
from chaperon.client.websocket.conversation import Conversation
from chaperon.client.websocket.handshake import parsed_headers
from chaperon.client.websocket.matching import Key, match_message, match_reply
from chaperon.client.websocket.measured_calls import MeasuredCalls
from chaperon.client.websocket.message_queue import Message
from chaperon.client.websocket.metrics import Names, WebSocketMetrics, names_of
from chaperon.client.websocket.protocol import WebSocketProtocol
from chaperon.clock import seconds
from chaperon.errors import UsageError

FAREWELL = 3.0
"""Seconds to wait for the peer's close frame."""
_CLOSABLE = frozenset({1000, 1001, 1003, *range(1007, 1012)})
Within = Any
"""Seconds, or a span such as "500ms"; None for no limit; if omitted, the default timeout of the WebSocket."""


class WebSocket:
    """An open WebSocket. If the scenario does not close it, it is closed when its session ends.

    Messages are received and PINGs answered in the background, also while the scenario is busy. Received
    messages are queued, up to a limit, until they are read. Every blocking method takes *timeout*: seconds,
    a span such as "500ms", or None for no limit; the default is the timeout of the WebSocket. It raises
    WebSocketTimeout when the timeout expires, and WebSocketClosed as soon as the WebSocket is closed.

    *subprotocol* is the one the server chose, or None; *compression* is "deflate" if the server agreed to
    it, or None; *headers* are those of its handshake response;
    *timings* holds the seconds of each stage of connecting. *received_at* is the reading of the session's
    clock, in seconds, at which the message read last had arrived.
    """

    __slots__ = (
        "__weakref__",
        "_calls",
        "_conversation",
        "_head",
        "_metrics",
        "_protocol",
        "_timeout",
        "compression",
        "subprotocol",
    )

    def __init__(
        self,
        protocol: WebSocketProtocol,
        metrics: WebSocketMetrics,
        *,
        timeout: float | None,
        subprotocol: str | None,
        compression: str | None,
        conversation: Conversation,
    ) -> None:
        self.subprotocol = subprotocol
        self.compression = compression
        self._head: HTTPMessage | None = None  # parsed when asked for: thousands of open WebSockets have one each
        self._conversation = conversation
        self._calls = MeasuredCalls(protocol, metrics, conversation)
        self._protocol = protocol
        self._metrics = metrics
        self._timeout = timeout

    def __repr__(self) -> str:
        code = self.close_code
        state = "open" if code is None else f"closed with {code}"
        return f"<WebSocket {self._metrics.place} {state}, {len(self._protocol.inbox)} messages held>"

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None:
            self.close()
        else:
            self.abort()

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield messages until a normal close: code 1000, 1001, or none. Blocks.

        Raises WebSocketTimeout, and WebSocketClosed for any other close.
        """
        while True:
            message = self._calls.next_unless_over(self._timeout)
            if message is None:
                return
            yield message.body

    @property
    def headers(self) -> HTTPMessage:
        """The headers of the handshake response."""
        if self._head is None:
            self._head = parsed_headers(self._conversation.answered)
        return self._head

    @property
    def timings(self) -> Timings:
        """The seconds of each stage of connecting."""
        return self._conversation.timings

    @property
    def received_at(self) -> float:
        """The clock reading, in seconds, at which the message read last had arrived."""
        return self._calls.received_at

    @property
    def closed(self) -> bool:
        """Whether the WebSocket is closed."""
        return self._protocol.closed is not None

    @property
    def close_code(self) -> int | None:
        """The close code; None while the WebSocket is open."""
        over = self._protocol.closed
        return None if over is None else over.code

    # Sending

    def send(self, message: str | bytes) -> float:
        """Send str as a text message or bytes as a binary message.

        Returns the clock reading, in seconds, of the call, for `expect(since=)`. Blocks while the peer does
        not read; after the timeout of the WebSocket it is closed. Raises WebSocketClosed, UsageError.
        """
        if isinstance(message, str):
            payload, opcode = message.encode(), frames.TEXT
        elif isinstance(message, (bytes, bytearray, memoryview)):
            payload, opcode = bytes(message), frames.BINARY
        else:
            raise UsageError(f"send() takes text or bytes, got {type(message).__name__}; send_json() takes the rest")
        return self._calls.send(payload, opcode, self._timeout)

    def send_json(self, value: Any) -> float:
        """Send *value* as JSON text; otherwise the same as `send`."""
        return self.send(jsons.dumps(value, separators=(",", ":")))

    # Receiving

    def recv(self, timeout: Within = ...) -> str | bytes:
        """Return the next message, str for text, bytes for binary. Blocks.

        Raises WebSocketTimeout, WebSocketClosed.
        """
        return self._calls.next_message(self._timeout if timeout is ... else self._span(timeout)).body

    def recv_json(self, timeout: Within = ...) -> Any:
        """Return the next message parsed as JSON. Blocks.

        Raises what `recv` raises, and ValueError if the message is not JSON.
        """
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
        """Block until a message matches *wanted* and return it; discard the messages before it.

        *wanted* is text, bytes, a dict or list that equals the parsed message, or a predicate of the message
        (of the parsed message with *json*). A predicate is called as messages arrive and must not block.
        *timeout* limits the whole wait. With *since*, the return value of a send, the time from then to the
        arrival is recorded as «round trip NAME»; a wait that is cut is a censored one.
        Raises WebSocketTimeout, WebSocketClosed, UsageError.
        """
        wants = match_message(wanted, json)
        inbox = self._protocol.inbox
        try:
            message = self._calls.receive(lambda within: inbox.skip_to(wants, within), self._span(timeout))
        except BaseException as exc:
            if since is not None:
                self._metrics.untripped(self._names(name).trip, since, exc)
            raise
        if since is not None:
            self._metrics.trip(self._names(name).trip, since, message.at)
        return wants.value_of(message)

    def request(self, message: Any, reply_to: Key, timeout: Within = ..., *, name: str | None = None) -> Any:
        """Send a message, block until its reply arrives and return the reply; recorded as «ws request NAME».

        *message* is text, bytes, or a value to send as JSON. *reply_to* is the path of a field that has the
        same value in both messages, such as "id" or "payload.ref", or a predicate of the reply. The reply is
        parsed as JSON if *message* was sent as JSON. Other messages stay queued, so that several tasks can
        make requests on one WebSocket. Raises WebSocketTimeout, WebSocketClosed, UsageError.
        """
        series = self._names(name).request
        wants = match_reply(message, reply_to)
        start = self._metrics.now()
        over = self._protocol.over
        try:
            start = self.send(message) if isinstance(message, (str, bytes)) else self.send_json(message)
            inbox = self._protocol.inbox
            reply: Message = self._calls.wait(
                lambda within: inbox.remove_first(wants, within), self._span(timeout), start, "reply"
            )
        except BaseException as exc:
            self._calls.failed(series, start, exc, over)
            raise
        self._calls.received_at, self._calls.unanswered = reply.at, False
        self._conversation.read_at = self._metrics.now()
        self._metrics.waited(series, start, reply.at, None, reply.wire)
        return wants.value_of(reply)

    # Control

    def ping(self, timeout: Within = ...) -> float:
        """Send a PING, block until its PONG arrives; return the round-trip time in seconds.

        Raises WebSocketTimeout, WebSocketClosed.
        """
        series = self._metrics.names.ping
        start = self._metrics.now()
        over = self._protocol.over
        try:
            answered: float = self._calls.wait(self._protocol.ping, self._span(timeout), start, "PONG")
        except BaseException as exc:
            self._calls.failed(series, start, exc, over)
            raise
        self._metrics.waited(series, start, answered)
        return answered - start

    def close(self, code: int = frames.NORMAL, reason: str = "", timeout: Within = FAREWELL) -> None:
        """Close with a close frame; block up to *timeout* (3 s by default) for the peer's close frame.

        Messages received before can still be read. Raises UsageError for a code that may not be sent.
        """
        if code not in _CLOSABLE and not 3000 <= code < 5000:
            raise UsageError(f"close code {code} may not be sent: use 1000, 1001, 1003, 1007 to 1011, or 3000 to 4999")
        self._protocol.close(code, reason, self._span(timeout))

    def abort(self) -> None:
        """Close immediately with code 1001; does not block."""
        self._protocol.abort()

    def _span(self, timeout: Within) -> float | None:
        if timeout is ...:
            return self._timeout
        return None if timeout is None else seconds(timeout)

    def _names(self, name: str | None) -> Names:
        return self._metrics.names if name is None else names_of(name)
