"""Network exceptions, and their translation to the exceptions that `requests` raises."""

from __future__ import annotations

import errno
import ssl
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from typing import Any, TypeVar

import requests.exceptions as raised
from urllib3 import exceptions as beneath

from chaperon import descriptors
from chaperon.errors import (
    BaseMissing,
    BodyTooLarge,
    ChaperonError,
    ConnectionClosedEarly,
    DeadlineExceeded,
    DescriptorsExhausted,
    PortsExhausted,
    ProtocolError,
    SocketTimeout,
)
from chaperon.interrupts import attributes
from chaperon.measure.quantity import count_text

E = TypeVar("E", bound=ChaperonError)
X = TypeVar("X", bound=BaseException)
_AGAIN = "_chaperon_sent_again"
DESCRIPTORS = f"out of file descriptors: {descriptors.REMEDY}"
OTHER_TRANSPORT = '; transport="urllib3" reads responses as http.client does'
"""Ends the message on bytes that are no valid HTTP response."""
PORTS = (
    "out of local ports: widen net.ipv4.ip_local_port_range, give Service(local_addresses=[…]),"
    " or keep connections open"
)


def _also(ours: type[E], theirs: type[Exception]) -> type[E]:
    """Return a subclass of *ours* that is a class of `requests` as well; it has the name of *ours*."""
    return type(ours.__name__, (ours, theirs), {"__doc__": ours.__doc__, "__module__": ours.__module__})


_DeadlineExceeded = _also(DeadlineExceeded, raised.ReadTimeout)
_BodyTooLarge = _also(BodyTooLarge, raised.RequestException)
_DescriptorsExhausted = _also(DescriptorsExhausted, raised.ConnectionError)
_PortsExhausted = _also(PortsExhausted, raised.ConnectionError)
_BaseMissing = _also(BaseMissing, raised.MissingSchema)


class Origin:
    """Scheme, host and port of a connection's target; its `repr` is the one in urllib3's messages."""

    __slots__ = ("host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Origin):
            return NotImplemented
        return (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)

    def __hash__(self) -> int:
        return hash((self.scheme, self.host, self.port))

    def __repr__(self) -> str:
        return f"{self.scheme.upper()}ConnectionPool(host={self.host!r}, port={self.port})"


def unreachable(exc: BaseException, peer: Any, url: str, patience: float) -> Exception:
    """Return the `requests` exception for a failure to connect; *patience* is the connect timeout in seconds."""
    if isinstance(exc, SocketTimeout):
        if exc.whole:
            return _DeadlineExceeded(f"{peer}: no connection before the deadline")
        reason: Any = beneath.ConnectTimeoutError(
            peer, f"Connection to {peer.host} timed out. (connect timeout={patience:g})"
        )
        return raised.ConnectTimeout(beneath.MaxRetryError(peer, url, reason))
    if isinstance(exc, ssl.SSLError):
        inner = beneath.SSLError(exc)
        inner.__cause__ = exc
        return raised.SSLError(beneath.MaxRetryError(peer, url, inner))
    if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE):
        return _DescriptorsExhausted(DESCRIPTORS)
    if isinstance(exc, OSError) and exc.errno == errno.EADDRNOTAVAIL:
        return _PortsExhausted(PORTS)
    if type(exc).__name__ == "gaierror":
        reason = beneath.NameResolutionError(peer.host, peer, exc)  # type: ignore[arg-type]
    else:
        reason = beneath.NewConnectionError(peer, f"Failed to establish a new connection: {exc}")
    reason.__cause__ = exc
    return raised.ConnectionError(beneath.MaxRetryError(peer, url, reason))


def unanswered(exc: BaseException, peer: Any, url: str, patience: float) -> Exception:
    """Return the `requests` exception for a failure before the response head; *patience* is the read timeout."""
    if isinstance(exc, SocketTimeout):
        if exc.whole:
            return _DeadlineExceeded(f"{peer}: no response before the deadline")
        late = beneath.ReadTimeoutError(peer, url, f"Read timed out. (read timeout={patience:g})")
        return raised.ReadTimeout(late)
    if isinstance(exc, ssl.SSLError):
        inner = beneath.SSLError(exc)
        inner.__cause__ = exc
        return raised.SSLError(inner)
    if isinstance(exc, ProtocolError) and "Content-Length" in str(exc).partition(": b")[0]:  # not in the bytes shown
        return raised.InvalidHeader(beneath.InvalidHeader(f"{exc}{OTHER_TRANSPORT}"))
    if isinstance(exc, ProtocolError):
        cause: Exception = BadStatusLine(f"{exc}{OTHER_TRANSPORT}")
    elif isinstance(exc, ConnectionClosedEarly):
        cause = RemoteDisconnected("Remote end closed connection without response")
    else:
        cause = exc  # type: ignore[assignment]
    return raised.ConnectionError(beneath.ProtocolError("Connection aborted.", cause))


def cut_short(exc: BaseException, peer: Any, got: int) -> Exception:
    """Return the `requests` exception for a failure within the body, after *got* bytes of it."""
    if isinstance(exc, SocketTimeout):
        if exc.whole:
            return _DeadlineExceeded(f"{peer}: the body was not complete before the deadline")
        return raised.ConnectionError(beneath.ReadTimeoutError(peer, "", "Read timed out."))
    if isinstance(exc, ssl.SSLError):
        return raised.SSLError(exc)
    if isinstance(exc, ConnectionClosedEarly):
        lost = beneath.ProtocolError(
            f"Connection broken: the peer closed it after {count_text(got, 'byte')} of the body",
            beneath.IncompleteRead(got, 0),
        )
        return raised.ChunkedEncodingError(lost)
    if isinstance(exc, ProtocolError):
        exc = ProtocolError(f"{exc}{OTHER_TRANSPORT}")
    broken = beneath.ProtocolError(f"Connection broken: {exc!r}", exc)
    return raised.ChunkedEncodingError(broken)


def within_body(exc: BaseException, got: int) -> Exception:
    """Return a failure within a body as the exception that urllib3 expects from the file it reads."""
    if isinstance(exc, SocketTimeout):
        return _DeadlineExceeded("the body was not complete before the deadline") if exc.whole else TimeoutError()
    if isinstance(exc, ConnectionClosedEarly):
        return beneath.IncompleteRead(got, 0)
    return HTTPException(f"{exc}{OTHER_TRANSPORT}")


def sent_again(exc: X) -> X:
    """Return *exc*, marked as the end of a request that was sent twice, for the count of retries."""
    attributes(exc)[_AGAIN] = True
    return exc


def was_sent_again(exc: BaseException) -> bool:
    """Return whether *exc* is marked as the end of a request that was sent twice."""
    return _AGAIN in attributes(exc)


def too_large(limit: float) -> BodyTooLarge:
    """Return the exception for a body of more than *limit* bytes."""
    return _BodyTooLarge(f"the body is larger than {count_text(limit, 'byte')}: raise max_body, or None for no bound")


def deadline_exceeded(text: str) -> DeadlineExceeded:
    """Return the exception for a call that was not complete before its deadline."""
    return _DeadlineExceeded(text)


def base_missing(text: str) -> BaseMissing:
    """Return the exception for a relative path without a base URL."""
    return _BaseMissing(text)
