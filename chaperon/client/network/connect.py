"""From a host to a connected socket, each stage timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import Any, NamedTuple

from gevent import socket

from chaperon.client.network import descriptors
from chaperon.client.network.resolver import SHARED, Resolver
from chaperon.client.timings import Timings


class Dialled(NamedTuple):
    """A connected socket, with where the time to get it went."""

    sock: Any
    timings: Timings


def dial(
    host: str,
    port: int,
    tls: SSLContext | None,
    now: Callable[[], float],
    *,
    wire: NetworkContext,
    local_addresses: Sequence[str] = (),
) -> Dialled:
    """Connect to the first address of *host* that answers; with *tls*, encrypted.

    Blocks without bound: whoever calls it sets the time limit. Raises OSError: gaierror,
    SSLError, ConnectionRefusedError and their like.
    """
    start = now()
    addresses = wire.resolver.resolve(host, port)
    resolved = now()
    failed: OSError = OSError(f"{host} has no address")
    for family, address in addresses:
        try:
            sock = _connected(family, address, wire.source(local_addresses))
            break
        except OSError as exc:
            failed = exc
    else:
        raise failed
    wire.opened += 1
    try:
        connected = now()
        if tls is None:
            return Dialled(sock, Timings(dns=resolved - start, tcp=connected - resolved))
        sock = tls.wrap_socket(sock, server_hostname=host)
        return Dialled(sock, Timings(dns=resolved - start, tcp=connected - resolved, tls=now() - connected))
    except BaseException:
        sock.close()
        raise


def _connected(family: int, address: Any, local: str | None) -> Any:
    sock = descriptors.opened(lambda: socket.socket(family, socket.SOCK_STREAM))
    try:
        if local is not None:
            sock.bind((local, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


SECRETS = 1_000


class NetworkContext:
    """What all sessions of a run share: answers of the resolver, source addresses, counts, secrets set by hand."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self.resolver = resolver or SHARED
        self.sent = 0
        self.opened = 0
        self.reused = 0
        self.retried = 0
        self.short_of_descriptors = 0
        self.short_of_ports = 0
        self.secrets: set[str] = set()
        self._turn = 0

    def __repr__(self) -> str:
        return f"<NetworkContext: {self.opened} connections opened, {self.reused} times reused>"

    def keep_secret(self, value: str) -> None:
        """Note a value that no output may show; beyond SECRETS of them, none."""
        if len(self.secrets) < SECRETS:
            self.secrets.add(value)

    def source(self, addresses: Sequence[str]) -> str | None:
        """Return the next of the source addresses, in turn, or None without any."""
        if not addresses:
            return None
        self._turn += 1
        return addresses[self._turn % len(addresses)]

    def facts(self) -> dict[str, float]:
        """Return what a window's health says of connections, descriptors, ports."""
        return {
            "connections_opened": float(self.opened),
            "connections_reused": float(self.reused),
            "requests_retried": float(self.retried),
            "out_of_descriptors": float(self.short_of_descriptors),
            "out_of_ports": float(self.short_of_ports),
            **descriptors.facts(),
        }
