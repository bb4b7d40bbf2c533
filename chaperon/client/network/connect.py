"""From a host to a connected socket, each stage timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import Any, NamedTuple

from gevent import socket

from chaperon.client.http.pool import Wire
from chaperon.client.network import descriptors
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
    wire: Wire,
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
