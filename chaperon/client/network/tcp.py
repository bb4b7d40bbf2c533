"""A non-blocking stream to one peer, waited for on gevent's hub."""

from __future__ import annotations

import _socket
import errno
import select
import socket
from collections.abc import Callable
from math import inf
from typing import Any

from gevent import get_hub, getcurrent
from gevent.monkey import get_original

from chaperon.clock import HubClock

SIZE = 65_536
"""Bytes asked of the kernel at once."""

BIND_ADDRESS_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)

_EXPIRED = object()
_poll = get_original("select", "poll")
_now = HubClock.now


class SocketTimeout(Exception):
    """A wait was over before anything came; *whole* says that the deadline was, not the patience."""

    def __init__(self, whole: bool) -> None:
        super().__init__("deadline exceeded" if whole else "timed out")
        self.whole = whole


class TcpStream:
    """A TCP connection.

    Every wait lasts at most *patience* seconds, none beyond *deadline*, a reading of the
    clock; then it raises `SocketTimeout`. There is one lazy timer a channel: it is armed when none
    is, and looks, when it rings, whether its wait is still the one it was meant for.
    """

    __slots__ = (
        "_armed",
        "_due",
        "_fresh",
        "_hub",
        "_more",
        "_poller",
        "_reading",
        "_recv",
        "_send",
        "_sock",
        "_timer",
        "_waiter",
        "_writing",
        "deadline",
        "patience",
    )

    def __init__(self, family: int) -> None:
        self._hub: Any = get_hub()
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
        self.patience = self.deadline = inf

    def __repr__(self) -> str:
        return f"<TcpStream {self._sock.fileno()}>"

    def connect(self, address: Any, local: str | None = None) -> None:
        """Connect to a socket address, from the address *local* if one is given. Raises OSError, Expired."""
        sock = self._sock
        if local is not None:
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            sock.bind((local, 0))
        error = sock.connect_ex(address)
        if error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            self._until_writable()
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, errno_text(error))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reading = self._hub.loop.io(sock.fileno(), 1)

    def send(self, data: bytes) -> None:
        """Send all of *data*. Raises OSError, Expired."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent != len(data):
            self._send_rest(memoryview(data)[sent:])

    def receive(self) -> bytes:
        """Return what has come, waiting for it if need be; b"" at the end. Raises OSError, Expired."""
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
        """Whether nothing has come: neither bytes nor the end."""
        if self._poller is None:
            self._poller = _poll()
            self._poller.register(self._sock, select.POLLIN)
        return not self._poller.poll(0)

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        for watcher in (self._reading, self._writing, self._timer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reading = self._writing = self._timer = None
        self._sock.close()

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return self._sock.fileno()

    def _send_rest(self, rest: memoryview) -> None:
        while rest:
            self._until_writable()
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                continue

    def _until_writable(self) -> None:
        self._writing = self._hub.loop.io(self._sock.fileno(), 2)
        try:
            self._wait(self._writing)
        finally:
            watcher, self._writing = self._writing, None
            if watcher is not None:
                watcher.stop()
                watcher.close()

    def _wait(self, watcher: Any) -> None:
        now = _now()
        due = now + self.patience
        if due > self.deadline:
            due = self.deadline
        self._due = due
        if due < self._armed:
            self._arm(due, now)
        me = self._waiter = getcurrent()
        watcher.start(me.switch)
        try:
            woken = self._hub.switch()
        finally:
            self._waiter = None
            watcher.stop()
        if woken is _EXPIRED:
            raise SocketTimeout(self.deadline <= due)

    def _arm(self, due: float, now: float) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        self._armed = due
        self._timer = self._hub.loop.timer(max(due - now, 0.0), ref=False)
        self._timer.start(self._ring)

    def _ring(self) -> None:
        self._armed = inf
        if self._waiter is None:
            return
        now = _now()
        if now < self._due:
            self._arm(self._due, now)
        else:
            self._waiter.switch(_EXPIRED)


def errno_text(number: int) -> str:
    """Return what an error number means, as the system words it."""
    from os import strerror

    return strerror(number)
