"""A raw server on loopback that handles every connection with one function."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from chaperon.errors import Gone

if TYPE_CHECKING:
    import ssl

P = TypeVar("P", bound="Port")

OK = b"HTTP/1.1 200 OK\r\n"
ANSWER = OK + b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
"""A valid response."""


class Peer:
    """The server's end of a connection, the *number*-th, from 0."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.number = number
        self._socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hear(self) -> bytes:
        """Return the head of the next request after its body has arrived. Blocks. Raises Gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        fields = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n")[1:])
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            while not body.endswith(b"0\r\n\r\n"):
                body += self.receive()
        left = int(fields.get(b"content-length", b"0")) - len(body)
        while left > 0:
            left -= len(self.receive())
        return head

    def say(self, *parts: bytes) -> None:
        """Send bytes unchanged."""
        for part in parts:
            self._socket.sendall(part)

    def drip(self, parts: Iterable[bytes], every: float) -> None:
        """Send one part every *every* seconds, until the client closes."""
        for part in parts:
            self.say(part)
            with suppress(TimeoutError):
                socket.wait_read(self._socket.fileno(), timeout=every, timeout_exc=TimeoutError())
                self.receive()

    def stay(self) -> None:
        """Block until the client closes."""
        while True:
            self.receive()

    def reset(self) -> None:
        """Close immediately with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def shut(self) -> None:
        """Shut down the sending side; what the client sends can still be received."""
        self._socket.shutdown(socket.SHUT_WR)

    def secure(self, context: ssl.SSLContext) -> None:
        """Perform the TLS handshake."""
        self._socket = context.wrap_socket(self._socket, server_side=True)

    def receive(self) -> bytes:
        """Return the next received bytes, 64 kB at most. Blocks. Raises Gone."""
        data: bytes = self._socket.recv(65_536)
        if not data:
            raise Gone
        return data


Treatment = Callable[[Peer], object]
"""Handles one connection, which is closed when the function returns."""


class Port:
    """A loopback port that is bound but not listening, as long as the context lasts.

    *url* is where it is, *connections* how many have come, *open* how many
    there are now. *authority* is the file of certificates that a client must trust, which
    is what `verify` takes; None without TLS.
    """

    def __init__(self, *, authority: str | None = None) -> None:
        self.authority = authority
        self.connections = 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"{'https' if authority else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}: {self.connections} connections, {self.open} open>"

    def __enter__(self: P) -> P:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return 0

    def settled(self, within: float = 1.0) -> bool:
        """Wait until no connection is open, at most *within* seconds; return whether none is."""
        return True


class Server(Port):
    """A raw server that gives each connection the same treatment, as long as the context lasts.

    The kernel takes in up to *ahead* bytes before they are read, as many as it likes without.
    What the context leaves behind is nothing: its greenlets are ended, its connections closed.
    """

    def __init__(self, treat: Treatment, *, authority: str | None = None, ahead: int | None = None) -> None:
        super().__init__(authority=authority)
        if ahead is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ahead)
        self._treat = treat
        self._numbers = count()
        self._pool = Pool()
        self._server = StreamServer(self._socket, self._meet, spawn=self._pool)

    def __enter__(self: P) -> P:
        assert isinstance(self, Server)
        self._socket.listen(1024)
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stop(timeout=0)
        super().__exit__(*exc)

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._pool)

    def settled(self, within: float = 1.0) -> bool:
        """Wait until no connection is open, at most *within* seconds; return whether none is."""
        return bool(self._pool.join(timeout=within))

    def _meet(self, connection: socket.socket, address: object) -> None:
        self.connections += 1
        with suppress(Gone, OSError):  # the client may close at any time
            self._treat(Peer(connection, next(self._numbers)))
