"""Bytes both ways over a connected socket, read by the hub as they come."""

from __future__ import annotations

from collections.abc import Callable
from ssl import SSLSocket, SSLWantReadError, SSLWantWriteError
from typing import Any

from gevent import get_hub

from chaperon.client.websocket.frames import NeedMoreData
from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.clock import Clock

CHUNK = 16 * 1024
TURNS = 4
"""Reads in a row before others have their turn, so that one flood does not starve the rest."""

READ, WRITE = 1, 2
_NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class SocketTransport:
    """A socket that needs no greenlet to be read.

    The hub calls *readable* when bytes are there, and *lost* where they cannot be sent any
    more; neither may block. That is what lets a PING be answered while its session is busy,
    with no stack kept for each open socket.
    """

    __slots__ = (
        "_backlog",
        "_dry",
        "_first",
        "_lost",
        "_readable",
        "_reading",
        "_sending",
        "_sock",
        "_tls",
        "_turns",
        "_writing",
    )

    def __init__(
        self,
        sock: Any,
        first: bytes,
        clock: Clock,
        *,
        readable: Callable[[], object],
        lost: Callable[[OSError], object],
    ) -> None:
        self._sock = sock
        self._first = first
        self._readable = readable
        self._lost = lost
        self._sending = Waiting(clock)
        self._tls = isinstance(sock, SSLSocket)
        self._dry = False
        self._turns = 0
        self._backlog = bytearray()
        self._writing: Any = None
        sock.settimeout(0)
        self._reading: Any = get_hub().loop.io(sock.fileno(), READ)

    def __repr__(self) -> str:
        return (
            f"<SocketTransport {'closed' if self.closed else self._sock.fileno()}, {len(self._backlog)} bytes to send>"
        )

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._sock is None

    def begin(self) -> None:
        """Read what is there already; from now on the hub reads."""
        self._reading.start(self._on_readable)
        self._on_readable()

    def read(self, size: int) -> bytes:
        """Return some bytes; raises Dry where none are there now, EOFError at the end, OSError."""
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._dry or self._sock is None:
            raise NeedMoreData
        try:
            data: bytes = self._sock.recv(CHUNK)
        except _NOT_NOW:
            raise NeedMoreData from None
        self._turns += 1
        self._dry = self._turns >= TURNS or (len(data) < CHUNK and not self._tls)
        if not data:
            raise EOFError
        return data

    def write(self, data: bytes) -> bool:
        """Send *data*, at once or as the peer takes it; return whether all is sent. Raises OSError."""
        if not self._backlog:
            try:
                sent = self._sock.send(data)
            except _NOT_NOW:
                sent = 0
            if sent == len(data):
                return True
            data = data[sent:]
        self._backlog += data
        if self._writing is None:
            self._writing = get_hub().loop.io(self._sock.fileno(), WRITE)
            self._writing.start(self._flush)
        return False

    @property
    def behind(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._backlog)

    @property
    def waited(self) -> bool:
        """Whether somebody waits for it to send."""
        return bool(self._sending)

    def drain(self, within: float | None) -> None:
        """Block until all is sent; raises Expired, or what `close` was given."""
        self._sending.wait(Waiter[None](), within)

    def close(self, error: Callable[[], BaseException]) -> None:
        """Close the socket at once; who waits for it to send will raise *error* when woken."""
        if self._sock is None:
            return
        for watcher in (self._reading, self._writing):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        sock, self._sock, self._reading, self._writing = self._sock, None, None, None
        self._readable = self._lost = _unheard  # nothing that is over waits for the garbage collector
        self._backlog.clear()
        self._sending.fail_all(error)
        self._sending.close()
        sock.close()

    def wake(self) -> None:
        """Let those go on who waited to send."""
        self._sending.wake()

    def _on_readable(self) -> None:
        self._dry = False
        self._turns = 0
        self._readable()
        if self._tls and self._turns >= TURNS and self._sock is not None:
            get_hub().loop.run_callback(self._again)  # TLS may hold bytes that the hub cannot see

    def _again(self) -> None:
        if self._sock is not None:
            self._on_readable()

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._backlog)
        except _NOT_NOW:
            return
        except OSError as exc:
            self._lost(exc)
            return
        del self._backlog[:sent]
        if not self._backlog:
            self._writing.stop()
            self._writing.close()
            self._writing = None
            for waiter in list(self._sending.line):
                self._sending.serve(waiter, None)
            self.wake()


def _unheard(*_: object) -> None:
    """Do nothing: whoever would have been told is gone."""
