"""Interfaces between protocols and the network: a stream to a peer, and the network that opens streams."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Protocol

Address = tuple[int, Any]
"""(address family, socket address)"""


class NetworkStream(Protocol):
    """A connection to one peer, used in one of two ways, never in both at once.

    A greenlet calls `send` and `receive`, which block it: every wait ends after *patience* seconds, and
    at *deadline*, a reading of the clock, with `SocketTimeout`. Or the hub drives it: after `watch`,
    `receive_now` and `send_now` never block.
    """

    patience: float
    deadline: float

    def connect(self, address: Any, local: str | None = None) -> None:
        """Connect to a socket address, from the address *local* if given; blocks. Raises OSError, SocketTimeout."""

    def secure(self, context: ssl.SSLContext, host: str, port: int) -> None:
        """Perform the TLS handshake with *host*; blocks. Raises OSError, `ssl.SSLError`, SocketTimeout, ValueError."""

    def send(self, data: bytes) -> None:
        """Send all of *data*; blocks. Raises OSError, SocketTimeout."""

    def receive(self) -> bytes:
        """Return received bytes, b"" at the end of the stream; blocks until there are any.

        Raises OSError, SocketTimeout.
        """

    def quiet(self) -> bool:
        """Return whether neither bytes nor the end of the stream have arrived; does not block."""

    def watch(self, readable: Callable[[], object], lost: Callable[[OSError], object]) -> None:
        """From now on call *readable* from the hub when there is something to receive, *lost* when sending fails."""

    def receive_now(self) -> bytes | None:
        """Return received bytes, None if there are none, b"" at the end of the stream. Raises OSError."""

    @property
    def has_more(self) -> bool:
        """Return whether `receive_now` may return more before *readable* is called again."""

    def send_now(self, data: bytes) -> int:
        """Send what the socket accepts now, buffer the rest; return the number of buffered bytes. Raises OSError."""

    def on_sent(self, sent: Callable[[], object]) -> None:
        """Call *sent* from the hub whenever all buffered bytes are sent."""

    @property
    def unsent(self) -> int:
        """Return the number of buffered bytes."""

    def close(self) -> None:
        """Close the connection; a second call does nothing."""

    def fileno(self) -> int:
        """Return the file descriptor, or -1 if closed or without one."""


class Network(Protocol):
    """Resolves names and opens streams: the kernel's network, or a scripted one."""

    def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, preferred first; blocks. Raises OSError (`socket.gaierror`)."""

    def stream(self, family: int, *, secure: bool, now: Callable[[], float]) -> NetworkStream:
        """Return an unconnected stream; its `secure` works only if *secure* is True. Raises OSError."""
