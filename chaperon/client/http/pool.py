"""The connection pool of one session for one origin, with its retry of stale connections."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from http.client import HTTPException, IncompleteRead
from typing import Final

from requests.exceptions import RequestException

from chaperon.client.http.body import Body
from chaperon.client.http.connection import Connection, RawResponse
from chaperon.client.network import exceptions
from chaperon.client.network.connect import NetworkContext, Timeouts
from chaperon.client.network.exceptions import Origin
from chaperon.errors import ConnectionClosedEarly, ProtocolError, SocketTimeout

NETWORK_ERRORS = (OSError, SocketTimeout, ProtocolError, ConnectionClosedEarly)
"""Exceptions of a network stream and of the response parser; translated to those of `requests` here."""

KEPT: Final = 6
"""Maximum number of idle connections per user and origin, as many as browsers open."""


class HostPool:
    """The connections of one session to one origin. Its methods raise `requests` exceptions."""

    __slots__ = ("_context", "_idle", "_last", "_locals", "_network", "now", "origin", "shared")

    def __init__(
        self,
        network: NetworkContext,
        origin: Origin,
        context: ssl.SSLContext | None,
        local_addresses: Sequence[str] = (),
    ) -> None:
        self.origin = origin
        self._last: Connection | None = None  # of the idle ones the last; a list of one would be made each time
        self._idle: list[Connection] = []
        self.now: Callable[[], float] = network.now
        self.shared = network.shared
        self._network = network
        self._context = context
        self._locals = local_addresses

    def __repr__(self) -> str:
        return f"<HostPool for {self.origin.host}:{self.origin.port}, {len(self.idle)} idle>"

    def twin(self) -> HostPool:
        """Return a pool for another session, without connections."""
        return HostPool(self._network, self.origin, self._context, self._locals)

    @property
    def idle(self) -> list[Connection]:
        """The idle connections, the one used last at the end."""
        return self._idle if self._last is None else [*self._idle, self._last]

    def exchange(
        self, request: bytes, url: str, timeouts: Timeouts, limit: float, is_head: bool, safe: bool
    ) -> RawResponse:
        """Send a complete request and return the complete response. Blocks.

        If the server closed a reused connection before sending a byte, the request is sent once more: always
        if it is *safe* (idempotent), else only if it was not sent completely. *limit* is the maximum size of
        the body in bytes; beyond it BodyTooLarge is raised. Each call adds one to the requests sent.
        """
        try:
            return self._exchanged(request, url, timeouts, limit, is_head, safe)
        finally:
            self._network.sent += 1

    def _exchanged(
        self, request: bytes, url: str, timeouts: Timeouts, limit: float, is_head: bool, safe: bool
    ) -> RawResponse:
        connection = self._started(request, (), url, timeouts, is_head, False, safe, True)
        parser = connection.parser
        try:
            if not parser.done:
                connection.receive_rest(limit)
                if parser.framing is not None:
                    return self._read_leniently(connection, limit)
        except NETWORK_ERRORS as exc:
            connection.close()
            if isinstance(exc, RequestException):  # the body was too large
                raise exceptions.sent_again(exc) if connection.retried else exc
            raise connection.fault(exc, self.origin, url, timeouts) from exc
        except BaseException:
            connection.close()
            raise
        pieces = parser.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if float(len(body)) > limit:
            connection.close()
            too_large = exceptions.too_large(limit)
            raise exceptions.sent_again(too_large) if connection.retried else too_large
        response = RawResponse(connection, body)
        self.give_back(connection)
        return response

    def stream(
        self,
        head: bytes,
        parts: Iterable[bytes],
        url: str,
        timeouts: Timeouts,
        limit: float,
        *,
        is_head: bool,
        safe: bool,
    ) -> Body:
        """Send *head*, then the body *parts*; block until the response head is complete and return its `Body`."""
        connection = self._started(head, parts, url, timeouts, is_head, True, safe, safe)
        try:
            connection.receive_head()
        except NETWORK_ERRORS as exc:
            connection.close()
            raise connection.fault(exc, self.origin, url, timeouts) from exc
        except BaseException:
            connection.close()
            raise
        return Body(connection, RawResponse(connection, b""), self.give_back, limit, self.now)

    def give_back(self, connection: Connection) -> None:
        """Return a connection to the pool; close it if it cannot be reused or the pool is full."""
        connection.opening = None
        last = self._last
        if not connection.parser.clean or (last is not None and len(self._idle) + 1 >= KEPT):
            connection.close()
            return
        if last is not None:
            self._idle.append(last)
        self._last = connection

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self.idle:
            connection.close()
        self._idle, self._last = [], None

    def _started(
        self,
        head: bytes,
        parts: Iterable[bytes],
        url: str,
        timeouts: Timeouts,
        is_head: bool,
        streamed: bool,
        safe: bool,
        repeatable: bool,
    ) -> Connection:
        """Send a request and receive the first bytes of its response; retry once if the reused connection was stale.

        A stale connection is one that the peer closed while it was idle: it fails before any byte arrives. This is
        the only retry in the client. A *repeatable* request that was not sent completely is retried even if it is
        not *safe*.
        """
        if self._network.over:
            self._network.refuse()
        now = self.now
        ready = now()
        deadline = ready + timeouts.total
        retried = False
        while True:
            connection = None if retried else self._kept(safe)
            if connection is None:
                connection = self._opened(timeouts, deadline, url)
                ready = now()
            connection.limit_waits(timeouts.read, deadline)
            connection.ready, connection.sent, connection.retried = ready, 0.0, retried
            try:
                connection.parser.start_response(is_head, streamed)
                connection.send(head, parts)
                connection.sent = now()
                data = connection.receive()
                connection.first = now()
                if not data:
                    raise ConnectionClosedEarly
                connection.parser.feed(data)
                return connection
            except NETWORK_ERRORS as exc:
                connection.close()
                sent_whole = connection.sent > 0.0
                if not retried and connection.stale(exc) and (safe or (repeatable and not sent_whole)):
                    self._network.retried += 1
                    retried = True
                    continue
                raise connection.fault(exc, self.origin, url, timeouts) from exc
            except BaseException:
                connection.close()
                raise

    def _read_leniently(self, connection: Connection, limit: float) -> RawResponse:
        """Read the body of a response that llhttp refuses, as `requests` does. Blocks."""
        response = RawResponse(connection, b"")
        body = Body(connection, response, self.give_back, limit, self.now)
        try:
            response.body = body.read()
        except (OSError, HTTPException) as exc:
            fault = body.failure or exc
            if isinstance(fault, IncompleteRead):
                raise ConnectionClosedEarly from exc
            if isinstance(fault, HTTPException):
                cause = fault.__cause__
                raise cause if isinstance(cause, ProtocolError) else ProtocolError(str(fault)) from exc
            raise fault from exc
        if body.fault is not None:  # cut off behind the last chunk
            raise ConnectionClosedEarly
        return response

    def _kept(self, safe: bool) -> Connection | None:
        """Return an idle connection or None; for a request that is not *safe*, check first that it is still open."""
        while True:
            connection = self._last
            if connection is not None:
                self._last = None
            elif self._idle:
                connection = self._idle.pop()
            else:
                return None
            if safe or connection.quiet():
                self._network.reused += 1
                return connection
            connection.close()

    def _opened(self, timeouts: Timeouts, deadline: float, url: str) -> Connection:
        try:
            stream, opening = self._network.connect(self.origin, self._context, timeouts, deadline, self._locals)
        except (OSError, SocketTimeout, ValueError) as exc:
            raise exceptions.unreachable(exc, self.origin, url, timeouts.connect) from exc
        return Connection(stream, opening)
