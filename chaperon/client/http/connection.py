"""One HTTP/1.1 connection: a network stream and a response parser."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from chaperon.client.http.parser import ResponseParser
from chaperon.client.network import exceptions
from chaperon.client.network.connect import ConnectTimings, Timeouts
from chaperon.client.network.stream import NetworkStream
from chaperon.client.network.tcp import TcpStream
from chaperon.errors import ConnectionClosedEarly, SocketTimeout


class Connection:
    """A network stream, its response parser, and the timestamps of the current request.

    *opening* holds the connect times of a new connection and is None for a reused one. *ready* is when the
    connection was available, *sent* when the whole request was sent (0.0 until then), *first* when the first
    bytes of the response arrived: clock readings in seconds. *retried* is True if the request failed on a
    stale connection before.
    """

    # mypyc: *_tcp* is the same stream, if it is one of ours: its methods are called without a look-up by name.
    __slots__ = ("_tcp", "first", "opening", "parser", "ready", "retried", "sent", "stream")

    def __init__(self, stream: NetworkStream, opening: ConnectTimings) -> None:
        self.stream = stream
        self._tcp: TcpStream | None = stream if isinstance(stream, TcpStream) else None
        self.opening: ConnectTimings | None = opening
        self.parser = ResponseParser()
        self.ready = self.sent = self.first = 0.0
        self.retried = False

    def __repr__(self) -> str:
        return f"<Connection over {self.stream!r}, {self.parser!r}>"

    def send(self, head: bytes, parts: Iterable[bytes]) -> None:
        """Send *head*, which may include the body, then *parts*. Blocks. Raises OSError, SocketTimeout.

        On a new connection, a broken pipe or reset is ignored: the server may have sent a response before it
        closed, and that response is read next.
        """
        tcp = self._tcp
        try:
            if tcp is not None:
                tcp.send(head)
            else:
                self.stream.send(head)
            for part in parts:
                self.stream.send(part)
        except (BrokenPipeError, ConnectionResetError):
            if self.opening is None:
                raise

    def limit_waits(self, patience: float, deadline: float) -> None:
        """Set the time limit of each wait, in seconds, and that of all, a reading of the clock."""
        tcp = self._tcp
        if tcp is not None:
            tcp.patience, tcp.deadline = patience, deadline
        else:
            self.stream.patience, self.stream.deadline = patience, deadline

    def receive(self) -> bytes:
        """Block until bytes have arrived; return them, b"" at the end of the stream. Raises OSError, SocketTimeout."""
        tcp = self._tcp
        return tcp.receive() if tcp is not None else self.stream.receive()

    def quiet(self) -> bool:
        """See `NetworkStream.quiet`."""
        tcp = self._tcp
        return tcp.quiet() if tcp is not None else self.stream.quiet()

    def receive_head(self) -> None:
        """Block until the response head is complete.

        Raises OSError, SocketTimeout, ProtocolError, ConnectionClosedEarly.
        """
        parser = self.parser
        while not parser.head:
            data = self.receive()
            if not data:
                raise ConnectionClosedEarly
            parser.feed(data)

    def receive_rest(self, limit: float) -> None:
        """Block until the response is complete, or until its head is if it has a *framing*.

        Raises what `receive_head` raises, and BodyTooLarge if the body exceeds *limit* bytes.
        """
        parser = self.parser
        got = sum(map(len, parser.pieces))
        while not (parser.done or parser.framing):
            if got > limit and sum(map(len, parser.pieces)) > limit:
                raise exceptions.too_large(limit)
            data = self.receive()
            if not data:
                if parser.end():
                    return
                raise ConnectionClosedEarly
            parser.feed(data)
            got += len(data)

    def stale(self, exc: BaseException) -> bool:
        """Return whether *exc* means that the peer closed this reused connection before it sent any byte."""
        return self.opening is None and not (self.parser.received_any or isinstance(exc, (SocketTimeout, ssl.SSLError)))

    def fault(self, exc: BaseException, origin: exceptions.Origin, url: str, timeouts: Timeouts) -> Exception:
        """Return the `requests` exception that corresponds to *exc*."""
        if self.parser.head or (self.parser.received_any and isinstance(exc, ConnectionClosedEarly)):
            found = exceptions.cut_short(exc, origin, sum(map(len, self.parser.pieces)))
        else:
            found = exceptions.unanswered(exc, origin, url, timeouts.read)
        return exceptions.sent_again(found) if self.retried else found

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self.stream.close()
        self.parser.forget()


class RawResponse:
    """A response: head as bytes, body with the transfer coding removed, and the timestamps of its `Connection`."""

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
