"""The master's end over ZeroMQ: bound to an address, three ports of it."""

from __future__ import annotations

import errno
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import CLOCK_PINGS, Message, Offer, Ping, WindowFrame
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.connections import Connections
from chaperon.cluster.transport.endpoints import has_listener, remote_endpoint
from chaperon.cluster.transport.keys import MasterKey
from chaperon.cluster.transport.link import FOREIGN, STRANGERS, OnBrokenHandshake, OnClosed, OnWorkerMessage
from chaperon.cluster.transport.zmq_sockets import Sockets
from chaperon.errors import OtherProtocol, UsageError, WireError

FREE_PORTS = range(10_000, 32_000)
"""Ports to choose from if none is given: below those of outgoing connections, of which a load uses thousands."""

GATHER_PER_WORKER, GATHER_AT_MOST = 0.0005, 0.05
"""Seconds for which messages are gathered, to be handled one after the other: so they take half the time, since
the code and its data are in the caches of the processor. Those on the control connections are not before there are
windows, since shares are dealt by them, nor while a new worker estimates the offset of its clock by quick answers."""

_NOT_HERE = "this machine has no such address; with 0.0.0.0 it listens at all it has"
_SRCFD = int(zmq.SRCFD)
_REFUSED_HANDSHAKES = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_EVENTS = _REFUSED_HANDSHAKES | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class MasterSocket:
    """Binds to *address*, or to free ports where that has none. Raises UsageError if it cannot."""

    def __init__(self, address: Address, key: MasterKey | None = None) -> None:
        self._sockets = Sockets(key)
        # without keepalive: a cut link must not close this end while the worker still holds its shares
        self._control = self._sockets.open(zmq.ROUTER, ROUTER_MANDATORY=1, ROUTER_HANDOVER=1, TCP_KEEPALIVE=0)
        self._work = self._sockets.open(zmq.PUSH, SNDHWM=1)
        self._sink = self._sockets.open(zmq.PULL, RCVHWM=2000)
        self._monitor = self._sockets.monitor(self._control, _EVENTS)
        self._has_windows = False
        try:
            self.address = self._bind(address)
        except BaseException:
            self._sockets.close()
            raise

    def __repr__(self) -> str:
        return f"<MasterSocket to {self.address}>"

    @property
    def dropped(self) -> Counter[str]:
        """Dropped messages by reason."""
        return self._sockets.dropped

    def listen(
        self,
        on_message: OnWorkerMessage,
        on_other_protocol: Callable[[bytes, OtherProtocol], None],
        on_closed: OnClosed = lambda peer, direct: None,
        on_broken_handshake: OnBrokenHandshake = lambda: None,
    ) -> None:
        """Call *on_message* with sender and message, *on_other_protocol* for other protocol versions.

        *on_closed* is called within milliseconds with the identity of a worker whose connection was
        closed by its end or on the way, and whether the connection was direct; and again after each message that had
        come by it before.
        *on_broken_handshake* is called for each connection that ended during its handshake.
        """
        connections = Connections()
        direct: dict[bytes, tuple[int, bool]] = {}
        awaited: dict[bytes, int] = {}  # by new worker, how many more pings are answered at once

        def report_closed(gone: bytes) -> None:
            awaited.pop(gone, None)
            on_closed(gone, direct.pop(gone, (0, False))[1])

        def record_ping(peer: bytes, number: int, endpoint: str) -> None:
            if direct.get(peer, (None,))[0] != number:
                direct[peer] = number, endpoint == remote_endpoint(number)
                awaited[peer] = CLOCK_PINGS
            if peer in awaited:
                awaited[peer] -= 1
                if not awaited[peer]:
                    del awaited[peer]

        def control(parts: list[Any]) -> None:
            if len(parts) != 2:
                raise WireError("a message in pieces")
            peer, number = parts[0], parts[1].get(_SRCFD)
            if not connections.is_known(peer, number):  # what happened to the connections before the message was sent
                self._sockets.read_arrived(self._monitor, monitor)
            gone = connections.record_message(peer, number)
            try:
                message = decode(parts[1].bytes)
            except OtherProtocol as exc:
                self.dropped[FOREIGN] += 1
                on_other_protocol(peer, exc)
                return
            if isinstance(message, Ping):
                record_ping(peer, number, message.endpoint)
            on_message(peer, message)
            if gone is not None:
                report_closed(gone)

        def monitor(parts: list[Any]) -> None:
            event = parse_monitor_message(parts)
            if event["event"] == zmq.EVENT_ACCEPTED:
                connections.record_opened(int(event["value"]))
            elif event["event"] == zmq.EVENT_DISCONNECTED:
                gone = connections.record_closed(int(event["value"]))
                if gone is not None:
                    report_closed(gone)
            elif event["event"] & _REFUSED_HANDSHAKES:
                self.dropped[STRANGERS] += 1
            else:
                on_broken_handshake()

        def sink(parts: list[bytes]) -> None:
            message = decode(parts[0])
            if len(parts) != 1 or not isinstance(message, WindowFrame):
                raise WireError("no window")
            self._has_windows = True
            on_message(b"", message)

        def gather() -> float:
            return min(GATHER_PER_WORKER * len(connections), GATHER_AT_MOST)

        def gather_control() -> float:
            return gather() if self._has_windows and not awaited else 0.0

        self._sockets.read(self._control, control, frames=True, gather=gather_control)
        self._sockets.read(self._sink, sink, gather=gather)
        self._sockets.read(self._monitor, monitor)

    def send(self, peer: bytes, message: Message) -> None:
        """Send a message to one worker; it may be lost."""
        self._sockets.write(self._control, [peer, encode(message)])

    def offer(self, offer: Offer) -> bool:
        """Offer a share to the next worker; return whether there is one."""
        return self._sockets.write(self._work, [encode(offer)])

    def close(self) -> None:
        """Close all sockets at once."""
        self._sockets.close()

    def _bind(self, address: Address) -> Address:
        if address.path or address.port:
            self._bind_one(self._control, address.control)
            self._bind_one(self._work, address.work)
            self._bind_one(self._sink, address.sink)
            return address
        for _ in range(50):
            chosen = Address(address.host, FREE_PORTS.start + secrets.randbelow(len(FREE_PORTS)))
            bound: list[tuple[Any, str]] = []
            pairs = ((self._control, chosen.control), (self._work, chosen.work), (self._sink, chosen.sink))
            try:
                for socket, place in pairs:
                    self._bind_one(socket, place)
                    bound.append((socket, place))
            except UsageError as exc:
                why = exc
                for socket, place in bound:
                    socket.unbind(place)
            else:
                return chosen
        raise UsageError(f"no three free ports in a row on {address.host}: {why}")

    @staticmethod
    def _bind_one(socket: Any, endpoint: str) -> None:
        path = endpoint.removeprefix("ipc://")
        if path != endpoint and has_listener(path):  # ZeroMQ would take it away from that process
            raise UsageError(f"{endpoint} is in use: give --bind another path, or end the process that has it")
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as exc:
            if exc.errno == zmq.EADDRINUSE:
                raise UsageError(f"{endpoint} is in use: give --bind another port, or end who has it") from None
            why = _NOT_HERE if exc.errno in (zmq.EADDRNOTAVAIL, errno.ENODEV) else zmq.strerror(exc.errno or 0)
            raise UsageError(f"cannot bind {endpoint}: {why}") from None
