"""Connections to one place: opened, used, kept, used again."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from math import inf

import gevent
from requests.exceptions import RequestException

from chaperon.client.http.body import Body
from chaperon.client.http.connection import Connection, ConnectTimings, RawResponse, Timeouts
from chaperon.client.network import descriptors, exceptions
from chaperon.client.network.connect import NetworkContext
from chaperon.client.network.exceptions import ProtocolError
from chaperon.client.network.resolver import Address
from chaperon.client.network.tcp import SocketTimeout, TcpStream
from chaperon.client.network.tls import TlsStream
from chaperon.clock import HubClock

KEPT = 6
"""Idle connections kept per user and place, as many as browsers open."""

_now = HubClock.now


class HostPool:
    """The connections of one session to one place; every method raises what `requests` raises."""

    __slots__ = ("_context", "_locals", "_wire", "idle", "peer")

    def __init__(
        self,
        wire: NetworkContext,
        peer: exceptions.Origin,
        context: ssl.SSLContext | None,
        local_addresses: Sequence[str] = (),
    ) -> None:
        self.peer = peer
        self.idle: list[Connection] = []
        self._wire = wire
        self._context = context
        self._locals = local_addresses

    def __repr__(self) -> str:
        return f"<HostPool to {self.peer.host}:{self.peer.port}, {len(self.idle)} idle>"

    def exchange(self, request: bytes, url: str, terms: Timeouts, limit: float, bare: bool, safe: bool) -> RawResponse:
        """Send a whole request, return the whole response.

        *bare* is for HEAD; a *safe* request may be sent a second time, where a connection
        that was kept turns out to be closed before anything came. *limit* bounds the body.
        """
        ready = _now()
        deadline = ready + terms.total
        retried = False
        while True:
            if safe and self.idle and not retried:
                connection: Connection | None = self.idle.pop()
                self._wire.reused += 1
            else:
                connection = None if retried else self.take(safe)
            if connection is None:
                connection = self.open(terms, deadline, url)
                ready = _now()
            channel, inbox = connection.channel, connection.inbox
            channel.patience = terms.read
            channel.deadline = deadline
            sent = 0.0
            try:
                inbox.expect(bare)
                try:
                    channel.send(request)
                except (BrokenPipeError, ConnectionResetError):
                    if connection.opening is None:
                        raise
                    # it hung up, but may have answered before
                sent = _now()
                data = channel.receive()
                first = _now()
                if not data:
                    raise exceptions.ConnectionClosedEarly
                inbox.feed(data)
                if not inbox.done:
                    connection.finish(limit)
            except (OSError, SocketTimeout, ProtocolError, exceptions.ConnectionClosedEarly) as exc:
                connection.close()
                if isinstance(exc, RequestException):  # the body was too large
                    raise
                if not retried and connection.stale(exc) and (safe or not sent):
                    self._wire.retried += 1
                    retried = True
                    continue
                raise connection.fault(exc, self.peer, url, terms) from exc
            except BaseException:
                connection.close()
                raise
            pieces = inbox.pieces
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            if len(body) > limit:
                connection.close()
                raise exceptions.too_large(limit)
            arrived = RawResponse(inbox.head, inbox.status, body, ready, sent, first, connection.opening, retried)
            self.give(connection)
            self._wire.sent += 1
            return arrived

    def stream(
        self,
        head: bytes,
        parts: Iterable[bytes],
        url: str,
        terms: Timeouts,
        limit: float,
        *,
        bare: bool,
        safe: bool,
    ) -> Body:
        """Send a request whose body comes in *parts*, return the response as soon as its head is there."""
        ready = _now()
        deadline = ready + terms.total
        retried = False
        while True:
            connection = None if retried else self.take(safe)
            if connection is None:
                connection = self.open(terms, deadline, url)
                ready = _now()
            channel, inbox = connection.channel, connection.inbox
            channel.patience, channel.deadline = terms.read, deadline
            sent = first = 0.0
            try:
                inbox.expect(bare)
                connection.upload(head, parts)
                sent = _now()
                while not inbox.head:
                    data = channel.receive()
                    first = first or _now()
                    if not data:
                        raise exceptions.ConnectionClosedEarly
                    inbox.feed(data)
            except (OSError, SocketTimeout, ProtocolError, exceptions.ConnectionClosedEarly) as exc:
                connection.close()
                if isinstance(exc, RequestException):
                    raise
                if not retried and safe and connection.stale(exc):
                    self._wire.retried += 1
                    retried = True
                    continue
                raise connection.fault(exc, self.peer, url, terms) from exc
            except BaseException:
                connection.close()
                raise
            arrived = RawResponse(inbox.head, inbox.status, b"", ready, sent, first, connection.opening, retried)
            return Body(connection, arrived, self.give, limit)

    def take(self, safe: bool) -> Connection | None:
        """Return a connection that was kept, if there is one; not *safe*, one known to be open still."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if safe or connection.channel.quiet():
                self._wire.reused += 1
                return connection
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Take a connection back: it is kept if it can be used again."""
        connection.opening = None
        if connection.inbox.clean and len(self.idle) < KEPT:
            self.idle.append(connection)
        else:
            connection.close()

    def open(self, terms: Timeouts, deadline: float, url: str) -> Connection:
        """Open a connection."""
        began = _now()
        try:
            addresses = self._resolved(min(terms.connect, deadline - began))
            known = _now()
            channel = self._connected(addresses, terms, deadline)
            connected = _now()
        except (OSError, SocketTimeout) as exc:
            raise self._unreachable(exc, url, terms) from exc
        try:
            if isinstance(channel, TlsStream) and self._context is not None:
                channel.secure(self._context, self.peer.host, self.peer.port)
        except (OSError, SocketTimeout, ValueError) as exc:
            channel.close()
            raise self._unreachable(exc, url, terms) from exc
        except BaseException:
            channel.close()
            raise
        self._wire.opened += 1
        return Connection(channel, ConnectTimings(known - began, connected - known, _now() - connected))

    def close(self) -> None:
        """Close what is kept."""
        while self.idle:
            self.idle.pop().close()

    def _resolved(self, within: float) -> list[Address]:
        if within == inf:
            return self._wire.resolver.resolve(self.peer.host, self.peer.port)
        with gevent.Timeout(within, SocketTimeout(whole=False)):
            return self._wire.resolver.resolve(self.peer.host, self.peer.port)

    def _connected(self, addresses: Sequence[Address], terms: Timeouts, deadline: float) -> TcpStream:
        """Try the addresses in turn; raises what the last one failed with."""
        failed: Exception | None = None
        for family, address in addresses:
            try:
                channel = self._socket(family)
            except OSError as exc:
                failed = exc
                continue
            channel.patience, channel.deadline = terms.connect, deadline
            try:
                channel.connect(address, self._wire.source(self._locals))
                return channel
            except (OSError, SocketTimeout) as exc:
                channel.close()
                failed = exc
            except BaseException:
                channel.close()
                raise
        raise failed or OSError(f"{self.peer.host} has no address")

    def _socket(self, family: int) -> TcpStream:
        kind = TcpStream if self._context is None else TlsStream
        return descriptors.opened(lambda: kind(family))

    def _unreachable(self, exc: BaseException, url: str, terms: Timeouts) -> Exception:
        found = exceptions.unreachable(exc, self.peer, url, terms.connect)
        self._wire.short_of_descriptors += isinstance(found, exceptions.DescriptorsExhausted)
        self._wire.short_of_ports += isinstance(found, exceptions.PortsExhausted)
        return found
