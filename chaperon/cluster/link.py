"""The sockets between masters, workers: messages in, messages out, nothing else."""

from __future__ import annotations

import errno
import os
import secrets
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

import gevent
import zmq
import zmq.green
from zmq.utils.monitor import parse_monitor_message

from chaperon.cluster.address import Address
from chaperon.cluster.keys import Key, MasterKey, WorkerKey
from chaperon.cluster.messages import Frame, Message, Offer
from chaperon.cluster.wire import LARGEST, OtherProtocol, WireError, decode, encode
from chaperon.errors import UsageError

_TURNED_BACK = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)

BREATH = 100
"""Messages after which everybody else gets a turn."""

FREE = range(10_000, 32_000)
"""Where a port is looked for if none is given: below those that outgoing connections use up, thousands under load."""

MALFORMED = "messages that were none of ours"
FOREIGN = "messages of another protocol"
FAULTS = "messages that could not be dealt with"
STRANGERS = "connections of no worker, or of one with another key"

FromWorker = Callable[[bytes, Message], None]
FromMaster = Callable[[Message], None]


TORN = 8
"""Handshakes broken off in a row, at most a second apart, after which it is the key."""

Refused = Callable[[str, bool], None]
"""Told why a worker gets no further, and whether trying again is of no use."""


class MasterLink(Protocol):
    """The master's end; *tally* counts what was dropped, by why."""

    @property
    def tally(self) -> Counter[str]: ...

    def listen(self, hear: FromWorker, foreign: Callable[[bytes, OtherProtocol], None]) -> None: ...

    def send(self, peer: bytes, message: Message) -> None: ...

    def offer(self, offer: Offer) -> bool: ...

    def close(self) -> None: ...


class WorkerLink(Protocol):
    """A worker's end; it takes offers only once it is `open_work`."""

    def listen(
        self, hear: FromMaster, foreign: Callable[[OtherProtocol], None], refused: Refused = ...
    ) -> None: ...

    def send(self, message: Message) -> None: ...

    def pour(self, frame: Frame) -> bool: ...

    def open_work(self) -> None: ...

    def close_work(self) -> None: ...

    def reconnect(self) -> None: ...

    def close(self) -> None: ...


class _Socket(zmq.green.Socket):  # type: ignore[type-arg]  # generic for type checkers alone
    _gevent_bug_timeout = 0.25  # a wake-up can be lost: look again soon, not after 11 s


class _Context(zmq.green.Context):  # type: ignore[type-arg]  # as above
    _socket_class = _Socket


class _Sockets:
    """A context with its sockets, one reading greenlet for each that is read."""

    def __init__(self, key: Key | None) -> None:
        self.tally: Counter[str] = Counter()
        self._key = key
        self._context = _Context()
        if key is not None:
            key.guard(self._context)
        self._sockets: list[Any] = []
        self._readers: dict[Any, gevent.Greenlet[..., None]] = {}

    def open(self, kind: int, **options: int | bytes) -> Any:
        socket = self._context.socket(kind)
        tuning: dict[str, int | bytes] = {
            "LINGER": 0,
            "MAXMSGSIZE": LARGEST + 1024,
            "HANDSHAKE_IVL": 3000,
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
            self._key.apply(socket)
        self._sockets.append(socket)
        return socket

    def read(self, socket: Any, hear: Callable[[list[bytes]], None]) -> None:
        self._readers[socket] = gevent.spawn(self._read, socket, hear)

    def _read(self, socket: Any, hear: Callable[[list[bytes]], None]) -> None:
        for n in count(1):
            try:
                parts = socket.recv_multipart()
            except zmq.ZMQError as exc:
                if exc.errno in (zmq.ENOTSOCK, zmq.ETERM):
                    return
                self.tally[FAULTS] += 1
                continue
            try:
                hear(parts)
            except WireError:
                self.tally[MALFORMED] += 1
            except Exception:  # whatever one message does, the next is read
                self.tally[FAULTS] += 1
                if os.environ.get("CHAPERON_DEBUG"):
                    raise
            if n % BREATH == 0:
                gevent.sleep(0)

    def monitor(self, socket: Any, events: int = zmq.EVENT_ALL) -> Any:
        """Return what tells of events of a socket's connections: before it has any, lest one be missed."""
        monitor = socket.get_monitor_socket(events)
        monitor.setsockopt(zmq.LINGER, 0)
        self._sockets.append(monitor)
        return monitor

    def write(self, socket: Any, parts: list[bytes]) -> bool:
        """Send without waiting; return whether it was taken: what matters is said again."""
        try:
            socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.ZMQError as exc:
            if exc.errno in (zmq.EAGAIN, errno.EHOSTUNREACH, zmq.EFSM):
                return False
            raise
        return True

    def drop(self, socket: Any) -> None:
        reader = self._readers.pop(socket, None)
        if reader is not None and reader is not gevent.getcurrent():
            reader.kill(block=False)
        self._sockets.remove(socket)
        socket.close(0)

    def close(self) -> None:
        for socket in list(self._sockets):
            self.drop(socket)
        self._context.destroy(0)


class Bound:
    """The master's end over ZeroMQ: bound to *address*, or to a free port where that has none."""

    def __init__(self, address: Address, key: MasterKey | None = None) -> None:
        self._sockets = _Sockets(key)
        self._control = self._sockets.open(zmq.ROUTER, ROUTER_MANDATORY=1, ROUTER_HANDOVER=1)
        self._work = self._sockets.open(zmq.PUSH, SNDHWM=1)
        self._sink = self._sockets.open(zmq.PULL, RCVHWM=2000)
        self._monitor = self._sockets.monitor(self._control, _TURNED_BACK)
        try:
            self.address = self._bind(address)
        except BaseException:
            self._sockets.close()
            raise

    def __repr__(self) -> str:
        return f"<Bound to {self.address}>"

    @property
    def tally(self) -> Counter[str]:
        """What was dropped, by why."""
        return self._sockets.tally

    def listen(self, hear: FromWorker, foreign: Callable[[bytes, OtherProtocol], None]) -> None:
        """Call *hear* with every message and whom it is from, *foreign* with who speaks otherwise."""

        def control(parts: list[bytes]) -> None:
            if len(parts) != 2:
                raise WireError("a message in pieces")
            try:
                message = decode(parts[1])
            except OtherProtocol as exc:
                self.tally[FOREIGN] += 1
                foreign(parts[0], exc)
                return
            hear(parts[0], message)

        def sink(parts: list[bytes]) -> None:
            message = decode(parts[0])
            if len(parts) != 1 or not isinstance(message, Frame):
                raise WireError("no window")
            hear(b"", message)

        self._sockets.read(self._control, control)
        self._sockets.read(self._sink, sink)
        self._sockets.read(self._monitor, lambda parts: self.tally.update([STRANGERS]))

    def send(self, peer: bytes, message: Message) -> None:
        """Say something to one worker; it may be lost."""
        self._sockets.write(self._control, [peer, encode(message)])

    def offer(self, offer: Offer) -> bool:
        """Offer a share to whoever is next; return whether anybody is there."""
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
            chosen = Address(address.host, FREE.start + secrets.randbelow(len(FREE)))
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
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as exc:
            if exc.errno == zmq.EADDRINUSE:
                raise UsageError(f"{endpoint} is in use: give --bind another port, or end who has it") from None
            raise UsageError(f"cannot bind {endpoint}: {exc.strerror}") from None


class Connected:
    """A worker's end over ZeroMQ, *identity* telling it from every other."""

    def __init__(self, address: Address, identity: bytes, key: WorkerKey | None = None) -> None:
        self.address = address
        self._identity = identity
        self._key = key
        self._hear: FromMaster | None = None
        self._foreign: Callable[[OtherProtocol], None] | None = None
        self._refused: Refused = lambda why, final: None
        self._failures = 0
        self._working = False
        self.tally: Counter[str] = Counter()
        self._open()

    def __repr__(self) -> str:
        return f"<Connected to {self.address}>"

    def _open(self) -> None:
        self._sockets = _Sockets(self._key)
        self._sockets.tally = self.tally
        self._control = self._sockets.open(zmq.DEALER, ROUTING_ID=self._identity)
        self._sink = self._sockets.open(zmq.PUSH, SNDHWM=1000)
        self._monitor = self._sockets.monitor(self._control)
        self._work: Any = None
        try:
            self._control.connect(self.address.control)
            self._sink.connect(self.address.sink)
        except zmq.ZMQError as exc:
            self._sockets.close()
            raise UsageError(f"cannot connect to {self.address}: {exc.strerror}") from None

    def listen(
        self, hear: FromMaster, foreign: Callable[[OtherProtocol], None], refused: Refused = lambda why, final: None
    ) -> None:
        """Call *hear* with every message, *foreign* if the master speaks otherwise, *refused* if we get no further."""
        self._hear, self._foreign, self._refused = hear, foreign, refused
        self._sockets.read(self._control, self._take)
        self._sockets.read(self._monitor, lambda parts: self._happened(parse_monitor_message(parts)["event"]))

    def _happened(self, event: int) -> None:
        """Tell what a handshake came to: the kinds of failure that libzmq knows."""
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._failures = 0
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self._refused(f"the master at {self.address} does not know this worker's key", True)
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            why = "asks for a key: give --key worker.key" if self._key is None else "has no key, this worker has one"
            self._refused(f"the master at {self.address} {why}", True)
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._failures += 1
            if self._failures >= TORN:
                why = "asks for a key, or is no master" if self._key is None else "has another key, or none"
                self._refused(f"what is at {self.address} {why}", True)
        elif event == zmq.EVENT_CLOSED:
            self._refused(f"nobody answers at {self.address}", False)

    def _take(self, parts: list[bytes]) -> None:
        if len(parts) != 1:
            raise WireError("a message in pieces")
        try:
            message = decode(parts[0])
        except OtherProtocol as exc:
            self.tally[FOREIGN] += 1
            assert self._foreign is not None
            self._foreign(exc)
            return
        assert self._hear is not None
        self._hear(message)

    def send(self, message: Message) -> None:
        """Say something to the master; it may be lost."""
        self._sockets.write(self._control, [encode(message)])

    def pour(self, frame: Frame) -> bool:
        """Send a window towards the sink; return whether it went off, which is not to say that it arrives."""
        return self._sockets.write(self._sink, [encode(frame)])

    def open_work(self) -> None:
        """Take offers from now on."""
        self._working = True
        if self._work is None:
            self._work = self._sockets.open(zmq.PULL, RCVHWM=1)
            self._work.connect(self.address.work)
            self._sockets.read(self._work, self._take)

    def close_work(self) -> None:
        """Take offers no longer."""
        self._working = False
        if self._work is not None:
            self._sockets.drop(self._work)
            self._work = None

    def reconnect(self) -> None:
        """Begin anew with fresh sockets: the old ones may be waiting for a host that is gone."""
        self._sockets.close()
        self._open()
        if self._hear is not None and self._foreign is not None:
            self.listen(self._hear, self._foreign, self._refused)
        if self._working:
            self.open_work()

    def close(self) -> None:
        """Close all sockets at once."""
        self._sockets.close()
