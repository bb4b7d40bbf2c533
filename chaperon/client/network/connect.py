"""Opens connections: resolve, connect, TLS handshake; timed and counted once, for HTTP and WebSocket."""

from __future__ import annotations

import _socket
import errno
import os
import ssl
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, NamedTuple, NoReturn

import gevent

from chaperon.client.network import descriptors
from chaperon.client.network.exceptions import Origin
from chaperon.client.network.resolver import SHARED, Resolver
from chaperon.client.network.stream import Address, Network, NetworkStream
from chaperon.client.network.tcp import TcpStream
from chaperon.client.network.tls import TlsStream
from chaperon.client.network.unreached import UnreachedTargets
from chaperon.clock import default_clock
from chaperon.errors import Interrupted, SocketTimeout
from chaperon.interrupts import marked

SECRETS = 1_000
"""Maximum number of secrets remembered for redaction that scenarios set at run time."""

COOKIE_NOTES = 20
"""Maximum number of different notes on refused cookies in a run."""


class ConnectTimings(NamedTuple):
    """Seconds spent in each stage of connecting; *tls* is 0.0 without TLS."""

    dns: float
    tcp: float
    tls: float


class Timeouts(NamedTuple):
    """Limits of a request in seconds: for each connect stage, for each read, and for the whole request."""

    connect: float = inf
    read: float = inf
    total: float = inf


class KernelNetwork:
    """The real network: DNS through a resolver, TCP sockets, TLS over them."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or SHARED

    def __repr__(self) -> str:
        return "<KernelNetwork>"

    def resolve(self, host: str, port: int) -> list[Address]:
        """See `Network.resolve`."""
        return self._resolver.resolve(host, port)

    def cached(self, host: str, port: int) -> list[Address] | None:
        """Return the addresses of a host if they are known without a look-up."""
        return self._resolver.cached(host, port)

    def stream(self, family: int, *, secure: bool, now: Callable[[], float]) -> NetworkStream:
        """See `Network.stream`. If no file descriptor is left, raise the soft limit and try once more."""
        if secure:
            return descriptors.opened(lambda: TlsStream(family, now))
        return descriptors.opened(lambda: TcpStream(family, now))


class NetworkContext:
    """Network state shared by all sessions of a run: network, source addresses, clock, connection counts.

    *now* returns the reading of the run's clock, in seconds; all timestamps of a response come from it. *sent*
    counts the requests that transports sent or tried to send, without redirects, *messages_sent* the WebSocket
    messages: both are compared with what is recorded. *over* is set before the last window is cut: nothing that no
    window would include is sent any more. *forked* is set with it in a process that a scenario has forked. *shared*
    holds what HTTP clients make once for all sessions.
    """

    def __init__(self, network: Network | None = None, now: Callable[[], float] | None = None) -> None:
        self.now = now or default_clock().now
        self.over = False
        self.forked = False
        self.sent = 0
        self.messages_sent = 0
        self.opened = 0
        self.reused = 0
        self.retried = 0
        self.short_of_descriptors = 0
        self.short_of_ports = 0
        self.unreached = UnreachedTargets()
        self.secrets: set[str] = set()
        self.shared: dict[Any, Any] = {}
        self._network = network or KernelNetwork()
        self._cookie_notes: set[str] = set()
        self._turn = 0

    def __repr__(self) -> str:
        return f"<NetworkContext: {self.opened} connections opened, {self.reused} times reused>"

    def refuse(self) -> NoReturn:
        """Raise Interrupted: the run is *over*, and only code beside its visits would send then."""
        if self.forked:
            raise marked(Interrupted("nothing is sent by a process that a scenario has forked: start one of its own"))
        raise marked(Interrupted("the run has ended: nothing is sent any more"))

    def end_in_child(self, streams: Iterable[NetworkStream]) -> None:
        """Send nothing more in a forked process, whose *streams* share their connections with its parent's."""
        self.over = self.forked = True
        ours, other = _socket.socketpair()
        other.close()
        for stream in streams:
            if stream.fileno() >= 0:
                os.dup2(ours.fileno(), stream.fileno(), inheritable=False)  # reads find the end, writes fail
        ours.close()

    def connect(
        self,
        origin: Origin,
        context: ssl.SSLContext | None,
        timeouts: Timeouts,
        deadline: float,
        local_addresses: Sequence[str] = (),
    ) -> tuple[NetworkStream, ConnectTimings]:
        """Return a stream to the first address of *origin* that answers, with TLS where there is a *context*.

        Blocks, `timeouts.connect` seconds a stage at most and not beyond *deadline*, a reading of the clock.
        The *local_addresses* are used in turn. Raises OSError (`socket.gaierror`, `ssl.SSLError` among
        them), SocketTimeout, ValueError.
        """
        if self.over:
            self.refuse()
        now = self.now
        began = now()
        if not self.opened:
            self.unreached.begin(origin, began)
        try:
            addresses = self._resolved(origin, min(timeouts.connect, deadline - began))
            known = now()
            stream = self._connected(addresses, origin, context is not None, timeouts, deadline, local_addresses)
        except OSError as exc:
            self.short_of_descriptors += exc.errno in (errno.EMFILE, errno.ENFILE)
            self.short_of_ports += exc.errno == errno.EADDRNOTAVAIL
            self.unreached.record(origin, exc)
            raise
        except SocketTimeout as exc:
            self.unreached.record(origin, exc)
            raise
        connected = now()
        if context is not None:
            try:
                stream.secure(context, origin.host, origin.port)
            except BaseException as exc:
                stream.close()
                self.unreached.record(origin, exc)
                raise
        self.unreached.set_reached()
        self.opened += 1
        return stream, ConnectTimings(known - began, connected - known, now() - connected)

    def keep_secret(self, value: str) -> None:
        """Remember a value to redact in all outputs; values beyond the first SECRETS are ignored."""
        if len(self.secrets) < SECRETS:
            self.secrets.add(value)

    def cookie_note(self, sentence: str) -> str:
        """Return *sentence*, or one for all others beyond the first COOKIE_NOTES different ones."""
        if sentence in self._cookie_notes or len(self._cookie_notes) < COOKIE_NOTES:
            self._cookie_notes.add(sentence)
            return sentence
        return f"cookies not used, beyond the first {COOKIE_NOTES} kinds"

    def facts(self) -> dict[str, float]:
        """Return counts of connections, descriptors and port shortages for the health section of a window."""
        return {
            "connections_opened": float(self.opened),
            "connections_reused": float(self.reused),
            "requests_retried": float(self.retried),
            "out_of_descriptors": float(self.short_of_descriptors),
            "out_of_ports": float(self.short_of_ports),
            **descriptors.facts(),
        }

    def _resolved(self, origin: Origin, within: float) -> list[Address]:
        network = self._network
        if isinstance(network, KernelNetwork):  # most connections need no time limit, which takes longer than this
            cached = network.cached(origin.host, origin.port)
            if cached is not None:
                return cached
        if within == inf:
            return self._network.resolve(origin.host, origin.port)
        with gevent.Timeout(within, SocketTimeout(whole=False)):
            return self._network.resolve(origin.host, origin.port)

    def _connected(
        self,
        addresses: Sequence[Address],
        origin: Origin,
        secure: bool,
        timeouts: Timeouts,
        deadline: float,
        local_addresses: Sequence[str],
    ) -> NetworkStream:
        """Return a stream to the first address that accepts. Raises the error of the last address."""
        failed: Exception = OSError(f"{origin.host} has no address")
        for family, address in addresses:
            try:
                stream = self._network.stream(family, secure=secure, now=self.now)
            except OSError as exc:
                failed = exc
                continue
            stream.patience, stream.deadline = timeouts.connect, deadline
            try:
                stream.connect(address, self._source(local_addresses))
                return stream
            except (OSError, SocketTimeout) as exc:
                stream.close()
                failed = exc
            except BaseException:
                stream.close()
                raise
        raise failed

    def _source(self, addresses: Sequence[str]) -> str | None:
        """Return the next source address, round-robin, or None if there are none."""
        if not addresses:
            return None
        self._turn += 1
        return addresses[self._turn % len(addresses)]
