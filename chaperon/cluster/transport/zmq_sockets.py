"""ZeroMQ's sockets under gevent: one context, one greenlet for each socket that is read."""

from __future__ import annotations

import errno
import os
import resource
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import gevent
import zmq

from chaperon.cluster.transport.keys import Key
from chaperon.cluster.transport.link import FAULTS, MALFORMED
from chaperon.cluster.transport.socket_reader import SocketReader
from chaperon.descriptors import short, takes
from chaperon.errors import UsageError, WireError
from chaperon.load.background import Watched, spawn_watched
from chaperon.measure.encoding.strict_msgpack import LARGEST

HANDSHAKE_TIMEOUT = 3_000
"""Milliseconds in which a handshake must have succeeded."""
YIELD_EVERY = 100
"""Messages after which other greenlets run."""

_LAST, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)


class _Context(zmq.Context):  # type: ignore[type-arg]  # generic for type checkers alone
    """A context that is terminated by `Sockets.close` alone.

    pyzmq terminates a context that is garbage too, and waits until its sockets are closed: without an end where they
    are garbage of the same cycle and finalized later. This one is then left to the end of the process.
    """

    def __del__(self) -> None:
        pass


class Sockets:
    """A context with its sockets, guarded by a *key*; *dropped* counts dropped messages by reason."""

    def __init__(self, key: Key | None) -> None:
        self.dropped: Counter[str] = Counter()
        self._key = key
        self._context: Any = _Context()
        self._authenticator = None if key is None else key.start_authenticator(self._context, self._count_fault)
        self._sockets: list[Any] = []
        self._readers: dict[Any, SocketReader] = {}
        self._reading: dict[Any, Watched] = {}

    def open(self, kind: int, **options: int | bytes) -> Any:
        """Return a new socket of a ZeroMQ type, with the common and further *options* set. Raises UsageError."""
        socket = self._create(lambda: self._context.socket(kind))
        tuning: dict[str, int | bytes] = {
            "LINGER": 0,
            "MAXMSGSIZE": LARGEST + 1024,
            "HANDSHAKE_IVL": HANDSHAKE_TIMEOUT,
            "RECONNECT_IVL": 50,
            "RECONNECT_IVL_MAX": 1000,
            "TCP_KEEPALIVE": 1,
            "TCP_KEEPALIVE_IDLE": 5,
            "TCP_KEEPALIVE_INTVL": 2,
            "TCP_KEEPALIVE_CNT": 3,
            "IPV6": 1,
            **options,
        }
        for name, value in tuning.items():
            socket.setsockopt(getattr(zmq, name), value)
        if self._key is not None:
            self._key.configure(socket)
        self._sockets.append(socket)
        return socket

    def read(
        self,
        socket: Any,
        on_message: Callable[[list[Any]], None],
        *,
        frames: bool = False,
        gather: Callable[[], float] | None = None,
    ) -> None:
        """Call *on_message* with each message, in a greenlet that continues after an exception.

        Parts are bytes; with *frames* those after the first are a `zmq.Frame`, which knows its connection. A message is
        handled up to *gather()* seconds late, together with those that arrive meanwhile.
        """
        reader = self._readers[socket] = SocketReader(socket)
        self._reading[socket] = spawn_watched(
            "what reads messages", self._read, reader, on_message, frames, gather, on_fault=self._count_fault, ends=True
        )

    def _read(
        self,
        reader: SocketReader,
        on_message: Callable[[list[Any]], None],
        frames: bool,
        gather: Callable[[], float] | None,
    ) -> None:
        for n in count(1):
            try:
                parts = reader.receive(frames=frames, gather=gather)
            except zmq.ZMQError as exc:
                if exc.errno in (zmq.ENOTSOCK, zmq.ETERM):
                    return
                self.dropped[FAULTS] += 1
                continue
            try:
                on_message(parts)
            except WireError:
                self.dropped[MALFORMED] += 1
            except Exception:  # after any exception the next message is read
                self.dropped[FAULTS] += 1
                if os.environ.get("CHAPERON_DEBUG"):
                    raise
            if n % YIELD_EVERY == 0:
                gevent.sleep(0)

    def read_arrived(self, socket: Any, on_message: Callable[[list[bytes]], None]) -> None:
        """Call *on_message* with each message that has arrived at a socket that is read. Does not block."""
        for parts in self._readers[socket].arrived():
            on_message(parts)

    def _count_fault(self, text: str) -> None:
        self.dropped[FAULTS] += 1  # master and worker report the number

    def monitor(self, socket: Any, events: int = zmq.EVENT_ALL) -> Any:
        """Return the monitor socket of a socket; to be called before it has connections, so that no event is missed."""
        monitor = self._create(lambda: socket.get_monitor_socket(events))
        monitor.setsockopt(zmq.LINGER, 0)
        self._sockets.append(monitor)
        return monitor

    def _create(self, make: Callable[[], Any]) -> Any:
        """Return what *make* opens. Raises UsageError, after closing everything, if descriptors have run out."""
        try:
            return make()
        except zmq.ZMQError as exc:
            if exc.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self.close()
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            raise UsageError(short("its connections with other processes", limit, limit + takes(1))) from None

    def write(self, socket: Any, parts: list[bytes]) -> bool:
        """Send without blocking; return whether the message was queued."""
        *first, last = parts
        try:
            for part in first:
                socket.send(part, _MORE)
            socket.send(last, _LAST)
        except zmq.ZMQError as exc:
            if exc.errno in (zmq.EAGAIN, errno.EHOSTUNREACH, zmq.EFSM):
                return False
            raise
        finally:
            reader = self._readers.get(socket)
            if reader is not None:
                reader.after_send()
        return True

    def close_one(self, socket: Any) -> None:
        """Close one socket at once."""
        reader, reading = self._readers.pop(socket, None), self._reading.pop(socket, None)
        if reading is not None and reading is not gevent.getcurrent():
            reading.kill(block=False)
        if reader is not None:
            reader.close()
        self._sockets.remove(socket)
        socket.close(0)

    def close(self) -> None:
        """Close all of them at once."""
        for socket in list(self._sockets):
            self.close_one(socket)
        if self._authenticator is not None:
            self._authenticator.close()
        self._context.destroy(0)
