"""A worker's end over ZeroMQ: connects to its master's address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import Message, Ping, WindowFrame
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.endpoints import local_endpoint
from chaperon.cluster.transport.keys import WorkerKey
from chaperon.cluster.transport.link import FOREIGN, REFUSALS, OnConnection, OnMasterMessage, OnRefused
from chaperon.cluster.transport.zmq_sockets import Sockets
from chaperon.errors import OtherProtocol, UsageError, WireError

BROKEN_HANDSHAKES = 8
"""Handshakes broken off in a row, at most a second apart, after which the key is taken to be wrong."""


_REFUSALS: Mapping[int, tuple[str, str]] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: ("the master at {} does not know this worker's key",) * 2,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: (
        "the master at {} has no key, this worker has one",
        "the master at {} asks for a key",
    ),
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: (
        "the process at {} has another key, or none",
        "the process at {} asks for a key, or is no master",
    ),
}
"""The meaning of each failed handshake for a worker with a key, and for one without."""


class WorkerSocket:
    """Connects to *address*; *identity* is the unique ZeroMQ routing id of this worker."""

    def __init__(self, address: Address, identity: bytes, key: WorkerKey | None = None) -> None:
        self.address = address
        self._identity = identity
        self._key = key
        self._on_message: OnMasterMessage | None = None
        self._on_other_protocol: Callable[[OtherProtocol], None] | None = None
        self._on_refused: OnRefused = lambda why, final: None
        self._on_connection: OnConnection = lambda connected: None
        self._previous: Sockets | None = None
        self._failures = 0
        self._accepts_offers = False
        self.dropped: Counter[str] = Counter()
        self._open()

    def __repr__(self) -> str:
        return f"<WorkerSocket to {self.address}>"

    def _open(self) -> None:
        self._sockets = Sockets(self._key)
        self._sockets.dropped = self.dropped
        self._control = self._sockets.open(zmq.DEALER, ROUTING_ID=self._identity)
        self._sink = self._sockets.open(zmq.PUSH, SNDHWM=1000)
        self._monitor = self._sockets.monitor(self._control)
        self._work: Any = None
        self._connected = False
        self._endpoint = ""
        try:
            self._control.connect(self.address.control)
            self._sink.connect(self.address.sink)
        except zmq.ZMQError as exc:
            self._sockets.close()
            raise UsageError(f"cannot connect to {self.address}: {exc.strerror}") from None

    def listen(
        self,
        on_message: OnMasterMessage,
        on_other_protocol: Callable[[OtherProtocol], None],
        on_refused: OnRefused = lambda why, final: None,
        on_connection: OnConnection = lambda connected: None,
    ) -> None:
        """Call *on_message* with every message, *on_other_protocol* for another protocol version.

        *on_refused* is called with the reason when the worker cannot join, *on_connection* within
        milliseconds when the connection opens or closes.
        """
        self._on_message, self._on_other_protocol, self._on_refused, self._on_connection = (
            on_message,
            on_other_protocol,
            on_refused,
            on_connection,
        )
        self._sockets.read(self._control, self._on_parts)
        self._sockets.read(self._monitor, self._on_monitor_parts)

    def _on_monitor_parts(self, parts: list[bytes]) -> None:
        event = parse_monitor_message(parts)
        if event["event"] == zmq.EVENT_CONNECTED:
            self._endpoint = local_endpoint(int(event["value"]))
        self._on_monitor_event(event["event"])

    def _on_monitor_event(self, event: int) -> None:
        """Handle the result of a handshake."""
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._failures, self._connected = 0, True
            self._on_connection(True)
        elif event == zmq.EVENT_DISCONNECTED:
            if self._connected:  # else the handshake had not succeeded
                self._connected = False
                self._on_connection(False)
        elif event in _REFUSALS:
            self.dropped[REFUSALS] += 1
            self._failures += 1
            if event != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or self._failures >= BROKEN_HANDSHAKES:
                why = _REFUSALS[event][self._key is None].format(self.address)
                times = f"{self._failures} attempt{'s' if self._failures > 1 else ''}"
                self._on_refused(f"refused by the key: {why} ({times}); give its worker.key with --key", True)
        elif event == zmq.EVENT_CLOSED:
            self._on_refused(f"no master answers at {self.address}", False)

    def _on_parts(self, parts: list[bytes]) -> None:
        self._close_previous()
        if len(parts) != 1:
            raise WireError("a message in pieces")
        try:
            message = decode(parts[0])
        except OtherProtocol as exc:
            self.dropped[FOREIGN] += 1
            assert self._on_other_protocol is not None
            self._on_other_protocol(exc)
            return
        assert self._on_message is not None
        self._on_message(message)

    def send(self, message: Message) -> None:
        """Send a message to the master; it may be lost. A ping tells by which connection it is sent."""
        if isinstance(message, Ping):
            message = replace(message, endpoint=self._endpoint)
        self._sockets.write(self._control, [encode(message)])

    def send_window(self, frame: WindowFrame) -> bool:
        """Send a window; return whether it was queued, which does not mean that it arrives."""
        return self._sockets.write(self._sink, [encode(frame)])

    def accept_offers(self) -> None:
        """Receive offers from now on."""
        self._accepts_offers = True
        if self._work is None:
            self._work = self._sockets.open(zmq.PULL, RCVHWM=1)
            self._work.connect(self.address.work)
            self._sockets.read(self._work, self._on_parts)

    def decline_offers(self) -> None:
        """Receive no further offers."""
        self._accepts_offers = False
        if self._work is not None:
            self._sockets.close_one(self._work)
            self._work = None

    def reconnect(self) -> None:
        """Open new sockets: the old ones may be waiting for a host that is gone.

        The old ones are closed when the new ones receive a message, or at the next call: a master
        leases the shares of a worker whose connection was closed to others.
        """
        self._close_previous()
        if self._work is not None:
            self._sockets.close_one(self._work)
        self._previous = self._sockets
        self._previous.stop_reading()
        self._open()
        if self._on_message is not None and self._on_other_protocol is not None:
            self.listen(self._on_message, self._on_other_protocol, self._on_refused, self._on_connection)
        if self._accepts_offers:
            self.accept_offers()

    def close(self) -> None:
        """Close all sockets at once."""
        self._close_previous()
        self._sockets.close()

    def _close_previous(self) -> None:
        previous, self._previous = self._previous, None
        if previous is not None:
            previous.close()
