"""A TCP stream on a non-blocking socket with gevent's hub."""

from __future__ import annotations

import _socket
import errno
import select
import socket
import ssl
from collections.abc import Callable
from math import inf
from os import strerror
from typing import Any, Final

from gevent import get_hub, getcurrent
from gevent.monkey import get_original

from chaperon.errors import SocketTimeout

SIZE: Final = 122_880
"""Maximum bytes per `recv` of a blocking read; from 128 KiB on, malloc may map pages for each buffer."""
SIZE_NOW: Final = 16_384
"""Maximum bytes per `recv` of a non-blocking read; smaller, so that sockets share the hub's time fairly."""

READ, WRITE = 1, 2
"""Events of the hub's I/O watchers."""
BIND_ADDRESS_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)

_EXPIRED: Final = object()
_getcurrent: Final[Any] = getcurrent
_poll = get_original("select", "poll")


class TcpStream:
    """A TCP connection; `NetworkStream` describes its methods.

    *now* reads the clock of *deadline*. A stream has one timer for all its waits: a wait starts it only if it
    would fire too late, and a timer that fires before the current wait is due is restarted.
    """

    __slots__ = (
        "_armed",
        "_backlog",
        "_due",
        "_hub",
        "_lost",
        "_more",
        "_now",
        "_poller",
        "_reading",
        "_recv",
        "_send",
        "_sent",
        "_sock",
        "_timer",
        "_waiter",
        "_writing",
        "deadline",
        "patience",
    )

    def __init__(self, family: int, now: Callable[[], float]) -> None:
        self._hub: Any = get_hub()
        self._now = now
        self._sock = _socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._reading: Any = None
        self._writing: Any = None
        self._recv: Callable[[int], bytes] = self._sock.recv
        self._send: Callable[[bytes], int] = self._sock.send
        self._waiter: Any = None
        self._timer: Any = None
        self._poller: Any = None
        self._due = self._armed = inf
        self._more = False
        self._backlog: bytearray | None = None
        self._lost: Callable[[OSError], object] | None = None
        self._sent: Callable[[], object] | None = None
        self.patience = self.deadline = inf

    def __repr__(self) -> str:
        return f"<TcpStream {self._sock.fileno()}>"

    def connect(self, address: Any, local: str | None = None) -> None:
        """See `NetworkStream.connect`."""
        sock = self._sock
        if local is not None:
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            sock.bind((local, 0))
        error = sock.connect_ex(address)
        if error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            error = sock.connect_ex(address)  # over loopback it is established by now: the second call says 0
            if error in (errno.EALREADY, errno.EINPROGRESS, errno.EWOULDBLOCK):
                self._until_writable()
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            elif error == errno.EISCONN:
                error = 0
        if error:
            raise OSError(error, strerror(error))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reading = self._hub.loop.io(sock.fileno(), READ)

    def secure(self, context: ssl.SSLContext, host: str, port: int) -> None:
        """Raise ValueError: this stream is plain; a `TlsStream` has TLS."""
        raise ValueError("a plain TCP stream has no TLS")

    def send(self, data: bytes) -> None:
        """See `NetworkStream.send`."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent != len(data):
            self._send_rest(memoryview(data)[sent:])

    def receive(self) -> bytes:
        """See `NetworkStream.receive`."""
        if not self._more:
            self._wait(self._reading)
        while True:
            try:
                data = self._recv(SIZE)
            except BlockingIOError:
                self._wait(self._reading)
                continue
            self._more = len(data) == SIZE
            return data

    def quiet(self) -> bool:
        """See `NetworkStream.quiet`."""
        if self._poller is None:
            self._poller = _poll()
            self._poller.register(self._sock, select.POLLIN)
        return not self._poller.poll(0)

    def watch(self, readable: Callable[[], object], lost: Callable[[OSError], object]) -> None:
        """See `NetworkStream.watch`."""
        self._stop(self._timer)  # the hub drives the stream from now on: no blocking wait needs it
        self._timer = None
        self._lost = lost
        self._reading.start(readable)

    def receive_now(self) -> bytes | None:
        """See `NetworkStream.receive_now`."""
        try:
            data = self._recv(SIZE_NOW)
        except BlockingIOError:
            self._more = False
            return None
        self._more = len(data) == SIZE_NOW
        return data

    @property
    def has_more(self) -> bool:
        """See `NetworkStream.has_more`."""
        return self._more

    def send_now(self, data: bytes) -> int:
        """See `NetworkStream.send_now`."""
        if self._backlog:
            self._backlog += data
            return len(self._backlog)
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        left = len(data) - sent
        if left:
            self._backlog = bytearray(memoryview(data)[sent:])
            if self._writing is None:
                self._writing = self._hub.loop.io(self._sock.fileno(), WRITE)
                self._writing.start(self._flush)
        return left

    def on_sent(self, sent: Callable[[], object]) -> None:
        """See `NetworkStream.on_sent`."""
        self._sent = sent

    @property
    def unsent(self) -> int:
        """See `NetworkStream.unsent`."""
        return len(self._backlog) if self._backlog else 0

    def close(self) -> None:
        """See `NetworkStream.close`."""
        for watcher in (self._reading, self._writing, self._timer):
            self._stop(watcher)
        self._reading = self._writing = self._timer = None
        self._lost = self._sent = self._backlog = None
        self._sock.close()

    def fileno(self) -> int:
        """See `NetworkStream.fileno`."""
        return self._sock.fileno()

    @staticmethod
    def _stop(watcher: Any) -> None:
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _flush(self) -> None:
        backlog = self._backlog
        if backlog is None:
            return
        try:
            sent = self._sock.send(backlog)
        except BlockingIOError:
            return
        except OSError as exc:
            if self._lost is not None:
                self._lost(exc)
            return
        del backlog[:sent]
        if not backlog:
            self._backlog = None
            self._stop(self._writing)
            self._writing = None
            if self._sent is not None:
                self._sent()

    def _send_rest(self, rest: memoryview) -> None:
        while rest:
            self._until_writable()
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                continue

    def _until_writable(self) -> None:
        self._writing = self._hub.loop.io(self._sock.fileno(), WRITE)
        try:
            self._wait(self._writing)
        finally:
            watcher, self._writing = self._writing, None
            self._stop(watcher)

    def _wait(self, watcher: Any) -> None:
        now = self._now()
        due = now + self.patience
        if due > self.deadline:
            due = self.deadline
        self._due = due
        if due < self._armed:
            self._arm(due, now)
        me = self._waiter = _getcurrent()
        watcher.start(me.switch)
        try:
            woken = self._hub.switch()
        finally:
            self._waiter = None
            watcher.stop()
        if woken is _EXPIRED:
            raise SocketTimeout(self.deadline <= due)

    def _arm(self, due: float, now: float) -> None:
        self._stop(self._timer)
        self._armed = due
        self._timer = self._hub.loop.timer(max(due - now, 0.0), ref=False)
        self._timer.start(self._ring, update=True)  # not from when the loop began to run this, which is earlier

    def _ring(self) -> None:
        armed, self._armed = self._armed, inf
        if self._waiter is None:
            return
        if armed < self._due:
            self._arm(self._due, self._now())
        else:
            self._waiter.switch(_EXPIRED)
