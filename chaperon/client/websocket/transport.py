"""Event-driven byte transport of a WebSocket: the hub reads and writes, no greenlet per socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gevent import get_hub

from chaperon.client.network.stream import NetworkStream
from chaperon.client.network.tcp import TcpStream
from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.clock import Clock

TURNS: Final = 4
"""Reads in a row from one socket before the hub serves others, so that a busy socket does not starve them."""


class SocketTransport:
    """A connected stream driven by the hub.

    The hub calls *readable* when bytes have arrived and *lost* when sending fails; neither may block. So a
    PING is answered while its session is busy, without a greenlet stack for each open socket.
    """

    # mypyc: *_tcp* is the same stream, if it is one of ours: its methods are called without a look-up by name.
    __slots__ = ("_dry", "_first", "_readable", "_sending", "_stream", "_tcp", "_turns")

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
        self._tcp: TcpStream | None = stream if isinstance(stream, TcpStream) else None
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
        """Process bytes that have already arrived; afterwards the hub calls *readable*."""
        self._on_readable()

    def read(self) -> bytes | None:
        """Return received bytes, None if none have arrived; does not block.

        Raises EOFError at the end of the stream, OSError.
        """
        if self._first:
            first, self._first = self._first, b""
            return first
        stream = self._stream
        if self._dry or stream is None:
            return None
        if self._turns >= TURNS:
            get_hub().loop.run_callback(self._again)  # the stream may hold bytes that the hub cannot see
            self._dry = True
            return None
        tcp = self._tcp
        data = tcp.receive_now() if tcp is not None else stream.receive_now()
        self._turns += 1
        if data is None:
            self._dry = True
            return None
        self._dry = not (tcp.has_more if tcp is not None else stream.has_more)
        if not data:
            raise EOFError
        return data

    def write(self, data: bytes) -> bool:
        """Send *data*, buffering what the socket does not accept; return whether all is sent. Raises OSError."""
        tcp = self._tcp
        if tcp is not None:
            return not tcp.send_now(data)
        return self._stream is not None and not self._stream.send_now(data)

    @property
    def behind(self) -> int:
        """Number of buffered bytes not yet sent."""
        return 0 if self._stream is None else self._stream.unsent

    @property
    def waited(self) -> bool:
        """Whether a greenlet is blocked in `drain`."""
        return bool(self._sending)

    def drain(self, within: float | None) -> None:
        """Block, up to *within* seconds, until all bytes are sent. Raises Expired, or the error given to `close`."""
        self._sending.wait(Waiter[None](), within)

    def close(self, error: Callable[[], BaseException]) -> None:
        """Close the stream at once; a greenlet that waits for it to send raises *error* when woken."""
        if self._stream is None:
            return
        stream, self._stream, self._tcp = self._stream, None, None
        self._readable = _unheard  # breaks the reference cycle with the protocol
        self._sending.fail_all(error)
        self._sending.close()
        stream.close()

    def wake(self) -> None:
        """Resume the greenlets whose `drain` has finished."""
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
