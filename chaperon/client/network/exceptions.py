"""What goes wrong on the wire, as `requests` would raise it."""

from __future__ import annotations

import errno
import ssl
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from typing import Any

import requests.exceptions as raised
from urllib3 import exceptions as beneath

from chaperon.client.network.stream import SocketTimeout
from chaperon.errors import UsageError

DESCRIPTORS = "out of file descriptors: raise the limit (ulimit -n, or LimitNOFILE= of the service)"
PORTS = (
    "out of local ports: widen net.ipv4.ip_local_port_range, give Service(local_addresses=[…]),"
    " or keep connections open"
)


class DeadlineExceeded(raised.ReadTimeout):
    """A request took longer in all than it may, however busily its bytes came."""


class BodyTooLarge(raised.RequestException):
    """A response's decoded body is larger than the bound."""


class DescriptorsExhausted(raised.ConnectionError):
    """No file descriptor was left for a connection; the message says what to raise."""


class PortsExhausted(raised.ConnectionError):
    """No local port was left for a connection; the message says what to do."""


class BaseMissing(UsageError, raised.MissingSchema):
    """A path was asked for, and the service has no base URL to join it to."""


class ConnectionClosedEarly(Exception):
    """The peer closed the connection in the middle of a response."""


class Origin:
    """Whom a connection is to, as urllib3's messages name it."""

    __slots__ = ("host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port

    def __repr__(self) -> str:
        return f"{self.scheme.upper()}ConnectionPool(host={self.host!r}, port={self.port})"


def unreachable(exc: BaseException, peer: Any, url: str, patience: float) -> Exception:
    """Return what a failure to connect is raised as."""
    if isinstance(exc, SocketTimeout):
        if exc.whole:
            return DeadlineExceeded(f"{peer}: no connection before the deadline")
        reason: Any = beneath.ConnectTimeoutError(
            peer, f"Connection to {peer.host} timed out. (connect timeout={patience:g})"
        )
        return raised.ConnectTimeout(beneath.MaxRetryError(peer, url, reason))
    if isinstance(exc, ssl.SSLError):
        inner = beneath.SSLError(exc)
        inner.__cause__ = exc
        return raised.SSLError(beneath.MaxRetryError(peer, url, inner))
    if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE):
        return DescriptorsExhausted(DESCRIPTORS)
    if isinstance(exc, OSError) and exc.errno == errno.EADDRNOTAVAIL:
        return PortsExhausted(PORTS)
    if type(exc).__name__ == "gaierror":
        reason = beneath.NameResolutionError(peer.host, peer, exc)  # type: ignore[arg-type]
    else:
        reason = beneath.NewConnectionError(peer, f"Failed to establish a new connection: {exc}")
    reason.__cause__ = exc
    return raised.ConnectionError(beneath.MaxRetryError(peer, url, reason))


def unanswered(exc: BaseException, peer: Any, url: str, patience: float) -> Exception:
    """Return what a failure between the request and the end of the head is raised as."""
    if isinstance(exc, SocketTimeout):
        if exc.whole:
            return DeadlineExceeded(f"{peer}: no response before the deadline")
        late = beneath.ReadTimeoutError(peer, url, f"Read timed out. (read timeout={patience:g})")
        return raised.ReadTimeout(late)
    if isinstance(exc, ssl.SSLError):
        inner = beneath.SSLError(exc)
        inner.__cause__ = exc
        return raised.SSLError(inner)
    if isinstance(exc, ProtocolError) and "Content-Length" in str(exc):
        return raised.InvalidHeader(beneath.InvalidHeader(str(exc)))
    if isinstance(exc, ProtocolError):
        cause: Exception = BadStatusLine(str(exc))
    elif isinstance(exc, ConnectionClosedEarly):
        cause = RemoteDisconnected("Remote end closed connection without response")
    else:
        cause = exc  # type: ignore[assignment]
    return raised.ConnectionError(beneath.ProtocolError("Connection aborted.", cause))


def cut_short(exc: BaseException, peer: Any, got: int) -> Exception:
    """Return what a failure within the body is raised as."""
    if isinstance(exc, SocketTimeout):
        if exc.whole:
            return DeadlineExceeded(f"{peer}: the body was not complete before the deadline")
        return raised.ConnectionError(beneath.ReadTimeoutError(peer, "", "Read timed out."))
    if isinstance(exc, ssl.SSLError):
        return raised.SSLError(exc)
    if isinstance(exc, ConnectionClosedEarly):
        lost = beneath.ProtocolError(
            f"Connection broken: the peer closed it after {got} bytes of the body", beneath.IncompleteRead(got, 0)
        )
        return raised.ChunkedEncodingError(lost)
    broken = beneath.ProtocolError(f"Connection broken: {exc!r}", exc)
    return raised.ChunkedEncodingError(broken)


def within_body(exc: BaseException, got: int) -> Exception:
    """Return a failure within a body as urllib3 expects it of the file it reads from."""
    if isinstance(exc, SocketTimeout):
        return DeadlineExceeded("the body was not complete before the deadline") if exc.whole else TimeoutError()
    if isinstance(exc, ConnectionClosedEarly):
        return beneath.IncompleteRead(got, 0)
    return HTTPException(str(exc))


def too_large(limit: float) -> BodyTooLarge:
    """Return what a body beyond the bound is raised as."""
    return BodyTooLarge(f"the body is larger than {limit:,.0f} bytes: raise max_body, or None for no bound")


class ProtocolError(Exception):
    """What came is not a response in HTTP; the message says why."""
