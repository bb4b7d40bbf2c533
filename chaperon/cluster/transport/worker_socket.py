"""A worker's end over ZeroMQ: connects to its master's address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import zmq

from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import Message, Ping, WindowFrame
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.keys import WorkerKey
from chaperon.cluster.transport.link import FOREIGN, REFUSALS, OnConnection, OnMasterMessage, OnRefused
from chaperon.cluster.transport.worker_connection import WorkerConnection
from chaperon.errors import OtherProtocol, WireError
from chaperon.measure.quantity import count_text

BROKEN_HANDSHAKES = 8
"""Handshakes that the other end closed in a row, at most a second apart, after which the key is taken to be wrong."""


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
    """Connects to *address*; *identity* is unique to this worker, and begins its ZeroMQ routing ids.

    It has one connection, and a second one while the first is silent: see `reconnect`.
    """

    def __init__(self, address: Address, identity: bytes, key: WorkerKey | None = None) -> None:
        self.address = address
        self._identity = identity
        self._key = key
        self._listening = False
        self._on_message: OnMasterMessage = lambda message: None
        self._on_other_protocol: Callable[[OtherProtocol], None] = lambda exc: None
        self._on_refused: OnRefused = lambda why, final: None
        self._on_connection: OnConnection = lambda connected: None
        self._failures = 0
        self._opened = 0
        self._accepts_offers = False
        self.dropped: Counter[str] = Counter()
        self._current = self._open()
        self._second: WorkerConnection | None = None

    def __repr__(self) -> str:
        return f"<WorkerSocket to {self.address}>"

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
        self._listening = True
        on_refused(f"no connection to {self.address}: its host is down or unknown, or drops what is sent to it", False)
        self._current.listen()

    def send(self, message: Message) -> None:
        """Send a message to the master by every connection; it may be lost. A ping says which one it came by."""
        for connection in (self._current, self._second):
            if connection is not None:
                each = replace(message, endpoint=connection.endpoint) if isinstance(message, Ping) else message
                connection.write(encode(each))

    def send_window(self, frame: WindowFrame) -> bool:
        """Send a window by the newest open connection; return whether it was queued, not whether it arrives."""
        second = self._second
        connection = second if second is not None and second.connected else self._current
        return connection.write_window(encode(frame))

    def accept_offers(self) -> None:
        """Receive offers from now on."""
        self._accepts_offers = True
        self._current.accept_offers()

    def decline_offers(self) -> None:
        """Receive no further offers."""
        self._accepts_offers = False
        self._current.decline_offers()

    def reconnect(self) -> None:
        """Open a second connection: the first may lead to a host that is gone.

        Both stay open until a message comes by one of them, then the other is closed: if the master was
        stopped for a while the first one still works, and it must not be closed, since a master leases the
        shares of a worker whose connection was closed to others. A second one that was open and is
        silent as well is replaced; one whose handshake is not answered tries again by itself.
        """
        if self._second is not None:
            if not self._second.connected:
                return
            self._second.close()
        self._second = self._open()
        if self._listening:
            self._second.listen()

    def close(self) -> None:
        """Close all sockets at once."""
        self._close_second()
        self._current.close()

    def _open(self) -> WorkerConnection:
        routing_id = self._identity + (b"+%d" % self._opened if self._opened else b"")
        self._opened += 1
        return WorkerConnection(self.address, routing_id, self._key, self.dropped, self)

    def _keep(self, connection: WorkerConnection) -> None:
        """Keep the connection by which the master answers, and close the other one."""
        if connection is self._second:
            self._second, self._current = self._current, connection
            self._close_second()
            if self._accepts_offers:
                connection.accept_offers()
        elif connection is self._current:
            self._close_second()

    def _close_second(self) -> None:
        second, self._second = self._second, None
        if second is not None:
            second.close()

    # Events of the connections

    def on_parts(self, connection: WorkerConnection, parts: list[bytes]) -> None:
        """Handle a message of the master. Raises WireError."""
        self._keep(connection)
        if len(parts) != 1:
            raise WireError("a message in pieces")
        try:
            message = decode(parts[0])
        except OtherProtocol as exc:
            self.dropped[FOREIGN] += 1
            self._on_other_protocol(exc)
            return
        self._on_message(message)

    def on_open(self, connection: WorkerConnection) -> None:
        """Handle a successful handshake."""
        self._failures = 0
        self._on_connection(True)

    def on_closed(self, connection: WorkerConnection) -> None:
        """Handle the end of a connection, which opens again by itself."""
        if connection is self._current:
            self._on_connection(False)

    def on_refused(self, event: int) -> None:
        """Handle a handshake that the other end has refused or broken off."""
        self.dropped[REFUSALS] += 1
        self._failures += 1
        if event != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or self._failures >= BROKEN_HANDSHAKES:
            why = _REFUSALS[event][self._key is None].format(self.address)
            times = count_text(self._failures, "attempt")
            keyless = event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and self._key is not None
            remedy = (
                "start it with a key, or, if it is yours, this worker with --no-key"
                if keyless
                else "give its worker.key with --key"
            )
            self._on_refused(f"refused by the key: {why} ({times}); {remedy}", True)

    def on_no_answer(self, *, process_found: bool) -> None:
        """Handle an attempt to connect that failed, or that found a process which does not answer the handshake."""
        what = "the process at {} does not answer" if process_found else "no master answers at {}"
        self._on_refused(what.format(self.address), False)
