"""From a host to a connected socket, each stage timed."""

from __future__ import annotations

from collections.abc import Callable
from ssl import SSLContext
from typing import Any, NamedTuple

from gevent import socket

from chaperon.client.timings import Timings

Address = tuple[Any, Any, int, str, Any]


class Dialled(NamedTuple):
    """A connected socket, with where the time to get it went."""

    sock: Any
    timings: Timings


def dial(host: str, port: int, tls: SSLContext | None, now: Callable[[], float]) -> Dialled:
    """Connect to the first address of *host* that answers; with *tls*, encrypted.

    Blocks without bound: whoever calls it sets the time limit. Raises OSError: gaierror,
    SSLError, ConnectionRefusedError and their like.
    """
    start = now()
    addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    resolved = now()
    sock = _connected(addresses)
    try:
        connected = now()
        if tls is None:
            return Dialled(sock, Timings(dns=resolved - start, tcp=connected - resolved))
        sock = tls.wrap_socket(sock, server_hostname=host)
        return Dialled(sock, Timings(dns=resolved - start, tcp=connected - resolved, tls=now() - connected))
    except BaseException:
        sock.close()
        raise


def _connected(addresses: list[Address]) -> Any:
    failed: OSError = OSError("the name has no addresses")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as exc:
            sock.close()
            failed = exc
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed
