"""One HTTP/1.1 connection: a stream with the parser of its responses."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from chaperon.client.http.parser import ResponseParser
from chaperon.client.network import exceptions
from chaperon.client.network.connect import ConnectTimings, Timeouts
from chaperon.client.network.stream import NetworkStream, SocketTimeout


class Connection:
    """A stream with the parser of its responses, and the moments of the request in progress.

    *opening* says how long it took to connect, None once the connection has been used before. *ready* is when the
    request could be sent, *sent* when it was (0.0 until then), *first* when the first bytes came,
    readings of the clock; *retried* whether another connection was tried before this one.
    """

    __slots__ = ("first", "opening", "parser", "ready", "retried", "sent", "stream")

    def __init__(self, stream: NetworkStream, opening: ConnectTimings) -> None:
        self.stream = stream
        self.opening: ConnectTimings | None = opening
        self.parser = ResponseParser()
        self.ready = self.sent = self.first = 0.0
        self.retried = False

    def __repr__(self) -> str:
        return f"<Connection over {self.stream!r}, {self.parser!r}>"

    def send(self, head: bytes, parts: Iterable[bytes]) -> None:
        """Send a request, its *head* with the body or its body in *parts*.

        A peer that closes a new connection meanwhile may have answered before: what it said is worth reading.
        Raises OSError, SocketTimeout.
        """
        send = self.stream.send
        try:
            send(head)
            for part in parts:
                send(part)
        except (BrokenPipeError, ConnectionResetError):
            if self.opening is None:
                raise

    def receive_head(self) -> None:
        """Receive until the head is complete. Raises OSError, SocketTimeout, ProtocolError, ConnectionClosedEarly."""
        while not self.parser.head:
            self._feed(self.stream.receive())

    def receive_rest(self, limit: float) -> None:
        """Receive the rest of a response. Raises as `receive_head`, and BodyTooLarge beyond *limit* bytes of body."""
        parser, receive = self.parser, self.stream.receive
        got = sum(map(len, parser.pieces))
        while not parser.done:
            if got > limit and sum(map(len, parser.pieces)) > limit:
                raise exceptions.too_large(limit)
            data = receive()
            if not data:
                if parser.end():
                    return
                raise exceptions.ConnectionClosedEarly
            parser.feed(data)
            got += len(data)

    def _feed(self, data: bytes) -> None:
        if not data:
            raise exceptions.ConnectionClosedEarly
        self.parser.feed(data)

    def stale(self, exc: BaseException) -> bool:
        """Return whether this connection was kept, and the peer closed it before anything came."""
        return self.opening is None and not self.parser.heard and not isinstance(exc, (SocketTimeout, ssl.SSLError))

    def fault(self, exc: BaseException, origin: exceptions.Origin, url: str, timeouts: Timeouts) -> Exception:
        """Return *exc* as `requests` would raise it."""
        if self.parser.head or (self.parser.heard and isinstance(exc, exceptions.ConnectionClosedEarly)):
            return exceptions.cut_short(exc, origin, sum(map(len, self.parser.pieces)))
        return exceptions.unanswered(exc, origin, url, timeouts.read)

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        self.stream.close()
        self.parser.forget()


class RawResponse:
    """A whole response: its head as bytes, its body with the transfer coding undone, the moments of `Connection`."""

    __slots__ = ("body", "first", "head", "opening", "ready", "retried", "sent", "status")

    def __init__(self, connection: Connection, body: bytes) -> None:
        parser = connection.parser
        self.head = parser.head
        self.status = parser.status
        self.body = body
        self.ready = connection.ready
        self.sent = connection.sent
        self.first = connection.first
        self.opening = connection.opening
        self.retried = connection.retried

    def __repr__(self) -> str:
        return f"<RawResponse {self.status}, {len(self.body):,} bytes>"
