"""One connection: a channel, with what has come over it."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from chaperon.client.http.parser import ResponseParser
from chaperon.client.network import exceptions
from chaperon.client.network.tcp import SocketTimeout, TcpStream


class ConnectTimings(NamedTuple):
    """How long it took to open a connection, in seconds; *tls* is 0 without it."""

    dns: float
    tcp: float
    tls: float


class Timeouts(NamedTuple):
    """How long a request may take: seconds to connect, seconds between two reads, seconds in all."""

    connect: float = inf
    read: float = inf
    total: float = inf


class Connection:
    """A channel, with what has come over it."""

    __slots__ = ("channel", "inbox", "opening")

    def __init__(self, channel: TcpStream, opening: ConnectTimings) -> None:
        self.channel = channel
        self.opening: ConnectTimings | None = opening
        self.inbox = ResponseParser()

    def __repr__(self) -> str:
        return f"<Connection over {self.channel!r}, {self.inbox!r}>"

    def upload(self, head: bytes, parts: Iterable[bytes]) -> None:
        """Send a request in parts; a peer that hangs up meanwhile may still have answered."""
        send = self.channel.send
        try:
            send(head)
            for part in parts:
                send(part)
        except (BrokenPipeError, ConnectionResetError):
            if self.opening is None:
                raise

    def finish(self, limit: float) -> None:
        """Receive the rest of a response. Raises OSError, Expired, Garbled, Incomplete, BodyTooLarge."""
        inbox, receive = self.inbox, self.channel.receive
        got = 0
        while not inbox.done:
            data = receive()
            if not data:
                if inbox.end():
                    return
                raise exceptions.ConnectionClosedEarly
            inbox.feed(data)
            got += len(data)
            if got > limit and sum(map(len, inbox.pieces)) > limit:
                raise exceptions.too_large(limit)

    def stale(self, exc: BaseException) -> bool:
        """Whether this was kept, and closed by the peer before anything came."""
        return self.opening is None and not self.inbox.heard and not isinstance(exc, (SocketTimeout, ssl.SSLError))

    def fault(self, exc: BaseException, peer: exceptions.Origin, url: str, terms: Timeouts) -> Exception:
        """Return what *exc* is raised as."""
        if self.inbox.head or (self.inbox.heard and isinstance(exc, exceptions.ConnectionClosedEarly)):
            return exceptions.cut_short(exc, peer, sum(map(len, self.inbox.pieces)))
        return exceptions.unanswered(exc, peer, url, terms.read)

    def close(self) -> None:
        """Close it; closing again does nothing."""
        self.channel.close()
        self.inbox.forget()


class RawResponse:
    """A whole response: its head as bytes, its body with the transfer coding undone, its moments.

    *opening* is None where the connection was used before.
    """

    __slots__ = ("body", "first", "head", "opening", "ready", "retried", "sent", "status")

    def __init__(
        self,
        head: bytes,
        status: int,
        body: bytes,
        ready: float,
        sent: float,
        first: float,
        opening: ConnectTimings | None,
        retried: bool,
    ) -> None:
        self.head = head
        self.status = status
        self.body = body
        self.ready = ready
        self.sent = sent
        self.first = first
        self.opening = opening
        self.retried = retried

    def __repr__(self) -> str:
        return f"<RawResponse {self.status}, {len(self.body):,} bytes>"
