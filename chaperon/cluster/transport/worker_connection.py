"""One connection of a worker to its master over ZeroMQ: three sockets, and the monitor of the first."""

from __future__ import annotations

import errno
from collections import Counter
from typing import Any, Protocol

import zmq
from zmq.utils.monitor import parse_monitor_message

from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.endpoints import local_endpoint
from chaperon.cluster.transport.keys import WorkerKey
from chaperon.cluster.transport.zmq_sockets import Sockets
from chaperon.errors import UsageError

CONNECT_TIMEOUT = 3_000
"""Milliseconds after which TCP's attempt to connect begins again, since the kernel repeats it ever more rarely."""

_HANDSHAKE_FAILURES: frozenset[int] = frozenset(
    {zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL}
)
_CLOSED_BY_PEER = frozenset({errno.EPIPE, errno.ECONNRESET})
"""Errors of a handshake that the other end has closed. A handshake that is not answered in time has another one."""


class ConnectionEvents(Protocol):
    """Receives what happens on a connection. *event* is a ZMQ_EVENT_HANDSHAKE_FAILED_… value."""

    def on_parts(self, connection: WorkerConnection, parts: list[bytes]) -> None: ...

    def on_open(self, connection: WorkerConnection) -> None: ...

    def on_closed(self, connection: WorkerConnection) -> None: ...

    def on_refused(self, event: int) -> None: ...

    def on_no_answer(self, *, process_found: bool) -> None: ...


class WorkerConnection:
    """Connects to *address* under a ZeroMQ routing id that no other connection has; opens again by itself when closed.

    *connected* says whether its handshake has succeeded; *endpoint* is "address:port" of this end.
    *dropped* counts dropped messages by reason. Raises UsageError if the address cannot be used.
    """

    def __init__(
        self,
        address: Address,
        routing_id: bytes,
        key: WorkerKey | None,
        dropped: Counter[str],
        events: ConnectionEvents,
    ) -> None:
        self.connected = False
        self.endpoint = ""
        self._address = address
        self._events = events
        self._sockets = Sockets(key)
        self._sockets.dropped = dropped
        self._control = self._sockets.open(zmq.DEALER, ROUTING_ID=routing_id, CONNECT_TIMEOUT=CONNECT_TIMEOUT)
        self._sink = self._sockets.open(zmq.PUSH, SNDHWM=1000, CONNECT_TIMEOUT=CONNECT_TIMEOUT)
        self._monitor = self._sockets.monitor(self._control)
        self._work: Any = None
        try:
            self._control.connect(address.control)
            self._sink.connect(address.sink)
        except zmq.ZMQError as exc:
            self._sockets.close()
            raise UsageError(f"cannot connect to {address}: {zmq.strerror(exc.errno or 0)}") from None

    def __repr__(self) -> str:
        return f"<WorkerConnection to {self._address}, {'open' if self.connected else 'not open'}>"

    def listen(self) -> None:
        """Report messages and events from now on."""
        self._sockets.read(self._control, self._on_parts)
        self._sockets.read(self._monitor, self._on_monitor_parts)

    def write(self, data: bytes) -> bool:
        """Send a message without blocking; return whether it was queued."""
        return self._sockets.write(self._control, [data])

    def write_window(self, data: bytes) -> bool:
        """Send a window without blocking; return whether it was queued."""
        return self._sockets.write(self._sink, [data])

    def accept_offers(self) -> None:
        """Receive offers from now on."""
        if self._work is None:
            self._work = self._sockets.open(zmq.PULL, RCVHWM=1, CONNECT_TIMEOUT=CONNECT_TIMEOUT)
            self._work.connect(self._address.work)
            self._sockets.read(self._work, self._on_parts)

    def decline_offers(self) -> None:
        """Receive no further offers."""
        if self._work is not None:
            self._sockets.close_one(self._work)
            self._work = None

    def close(self) -> None:
        """Close the sockets at once; messages that were not sent are lost."""
        self._sockets.close()

    def _on_parts(self, parts: list[bytes]) -> None:
        self._events.on_parts(self, parts)

    def _on_monitor_parts(self, parts: list[bytes]) -> None:
        what = parse_monitor_message(parts)
        event, value = what["event"], int(what["value"])
        if event == zmq.EVENT_CONNECTED:
            self.endpoint = local_endpoint(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.connected = True
            self._events.on_open(self)
        elif event == zmq.EVENT_DISCONNECTED:
            if self.connected:  # else the handshake had not succeeded
                self.connected = False
                self._events.on_closed(self)
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value not in _CLOSED_BY_PEER:
            self._events.on_no_answer(process_found=True)
        elif event in _HANDSHAKE_FAILURES:
            self._events.on_refused(event)
        elif event == zmq.EVENT_CLOSED:
            self._events.on_no_answer(process_found=False)
