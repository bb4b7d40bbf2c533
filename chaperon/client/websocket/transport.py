"""Bytes both ways over a connected socket, read by the hub as they come."""

from __future__ import annotations

from collections.abc import Callable

from gevent import get_hub

from chaperon.client.network.stream import NetworkStream
from chaperon.client.websocket.frames import NeedMoreData
from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.clock import Clock

TURNS = 4
"""Reads in a row before other sockets have their turn, so that one flood does not starve the rest."""


class SocketTransport:
    """A stream that needs no greenlet to be read.

    The hub calls *readable* when bytes are there, and *lost* when they cannot be sent any
    more; neither may block. So a PING is answered while its session is busy, with no stack kept for each
    open socket.
    """

    __slots__ = ("_dry", "_first", "_readable", "_sending", "_stream", "_turns")

    def __init__(
        self,
        stream: NetworkStream,
        first: bytes,
        clock: Clock,
        *,
        readable: Callable[[], object],
        lost: Callable[[OSError], object],
    ) -> None:
        self._stream: NetworkStream | None = stream
        self._first = first
        self._readable = readable
        self._sending = Waiting(clock)
        self._dry = False
        self._turns = 0
        stream.on_sent(self._on_sent)
        stream.watch(self._on_readable, lost)

    def __repr__(self) -> str:
        stream = self._stream
        return f"<SocketTransport {'closed' if stream is None else stream.fileno()}, {self.behind} bytes to send>"

    @property
    def closed(self) -> bool:
        """Whether the stream is closed."""
        return self._stream is None

    def begin(self) -> None:
        """Read what is there already; from now on the hub reads."""
        self._on_readable()

    def read(self, size: int) -> bytes:
        """Return some bytes, whatever *size*. Raises NeedMoreData where none are there now, EOFError, OSError."""
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._dry or self._stream is None:
            raise NeedMoreData
        if self._turns >= TURNS:
            get_hub().loop.run_callback(self._again)  # the stream may hold bytes that the hub cannot see
            self._dry = True
            raise NeedMoreData
        data = self._stream.receive_now()
        self._turns += 1
        if data is None:
            self._dry = True
            raise NeedMoreData
        self._dry = not self._stream.has_more
        if not data:
            raise EOFError
        return data

    def write(self, data: bytes) -> bool:
        """Send *data*, at once or as the peer takes it; return whether all is sent. Raises OSError."""
        return self._stream is not None and not self._stream.send_now(data)

    @property
    def behind(self) -> int:
        """How many bytes wait to be sent."""
        return 0 if self._stream is None else self._stream.unsent

    @property
    def waited(self) -> bool:
        """Whether somebody waits for it to send."""
        return bool(self._sending)

    def drain(self, within: float | None) -> None:
        """Block until all is sent; raises Expired, or what `close` was given."""
        self._sending.wait(Waiter[None](), within)

    def close(self, error: Callable[[], BaseException]) -> None:
        """Close the stream at once; a greenlet that waits for it to send raises *error* when woken."""
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        self._readable = _unheard  # nothing that is over waits for the garbage collector
        self._sending.fail_all(error)
        self._sending.close()
        stream.close()

    def wake(self) -> None:
        """Let the greenlets go on that waited to send."""
        self._sending.wake()

    def _on_readable(self) -> None:
        self._dry = False
        self._turns = 0
        self._readable()

    def _again(self) -> None:
        if self._stream is not None:
            self._on_readable()

    def _on_sent(self) -> None:
        for waiter in list(self._sending.line):
            self._sending.serve(waiter, None)
        self.wake()


def _unheard() -> None:
    """Do nothing: the protocol above is closed."""
