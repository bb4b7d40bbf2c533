"""The seam between protocols and the network: what a stream to a peer offers, what opens one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Protocol

Address = tuple[int, Any]
"""(address family, socket address)"""


class SocketTimeout(Exception):
    """A wait ended before anything came; *whole* says that the deadline passed, not the patience of one wait."""

    def __init__(self, whole: bool) -> None:
        super().__init__("deadline exceeded" if whole else "timed out")
        self.whole = whole


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
        """Shake hands for TLS with *host*. Raises OSError (`ssl.SSLError` too), SocketTimeout, ValueError."""

    def send(self, data: bytes) -> None:
        """Send all of *data*; blocks. Raises OSError, SocketTimeout."""

    def receive(self) -> bytes:
        """Return what has come, at least one byte; blocks. b"" at the end. Raises OSError, SocketTimeout."""

    def quiet(self) -> bool:
        """Return whether nothing has come: neither bytes nor the end."""

    def watch(self, readable: Callable[[], object], lost: Callable[[OSError], object]) -> None:
        """From now on call *readable* from the hub when there is something to receive, *lost* when sending fails."""

    def receive_now(self) -> bytes | None:
        """Return what has come, None if nothing has, b"" at the end. Raises OSError."""

    @property
    def has_more(self) -> bool:
        """Return whether `receive_now` may return more before *readable* is called again."""

    def send_now(self, data: bytes) -> int:
        """Send *data* as far as the peer takes it now, the rest as it takes more; return how many bytes are left.

        Raises OSError.
        """

    def on_sent(self, sent: Callable[[], object]) -> None:
        """Call *sent* from the hub whenever nothing is left to send."""

    @property
    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""

    def close(self) -> None:
        """Close the connection; closing again does nothing."""

    def fileno(self) -> int:
        """Return the file descriptor, -1 once closed or where there is none."""


class Network(Protocol):
    """Resolves names and opens streams: the kernel's network, or a scripted one."""

    def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, best first; blocks. Raises OSError (`socket.gaierror`)."""

    def stream(self, family: int, *, secure: bool, now: Callable[[], float]) -> NetworkStream:
        """Return a stream that is not connected yet, with TLS to come if *secure*. Raises OSError."""
