"""Links within one process, for tests: messages are encoded, and can be lost, doubled or delayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import gevent
from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import Message, Offer, WindowFrame
from chaperon.cluster.transport.link import (
    OnBrokenHandshake,
    OnClosed,
    OnConnection,
    OnMasterMessage,
    OnRefused,
    OnWorkerMessage,
)
from chaperon.errors import OtherProtocol


class LossyNetwork:
    """Connects one master with many workers in place of sockets.

    Each message is lost with probability *loss*, doubled with *duplication*, delayed by up to
    *delay* seconds. Peers in *cut* neither send nor receive, without notice; those in *mute* send, but
    receive nothing. From `freeze` to `thaw` messages for the master wait. `close` closes the
    connection of a peer, with notice to both ends, `open` opens it again.
    """

    def __init__(
        self, clock: Clock, *, loss: float = 0.0, duplication: float = 0.0, delay: float = 0.0, seed: int = 0
    ) -> None:
        self.cut: set[bytes] = set()
        self.mute: set[bytes] = set()
        self._awake = Event()
        self._awake.set()
        self.loss, self.duplication, self.delay = loss, duplication, delay
        self.delivered = 0
        self._clock = clock
        self._random = Random(seed)
        self.master = MasterEnd(self)
        self.workers: dict[bytes, WorkerEnd] = {}

    def __repr__(self) -> str:
        return f"<LossyNetwork of {len(self.workers)} workers>"

    def connect(self, peer: bytes) -> WorkerEnd:
        """Return a worker's end of the network."""
        self.workers[peer] = WorkerEnd(self, peer)
        return self.workers[peer]

    def close(self, peer: bytes, *, direct: bool = True) -> None:
        """Close the connection of *peer*: messages under way are lost. Not *direct*, the worker's end stays open."""
        self.cut.add(peer)
        gevent.spawn(self.master.closed, peer, direct)
        if direct and peer in self.workers:
            gevent.spawn(self.workers[peer].on_connection, False)

    def notify_closed(self, peer: bytes) -> None:
        """Tell the master's end, once it is awake, that *peer* has closed its connection, after what it sent before."""
        self._clock.after(self.delay, lambda: gevent.spawn(self._closed_by, peer))

    def _closed_by(self, peer: bytes) -> None:
        self._awake.wait()
        if peer not in self.cut:
            self.master.closed(peer, True)

    def open(self, peer: bytes) -> None:
        """Open a connection of *peer* again."""
        self.cut.discard(peer)
        if peer in self.workers:
            gevent.spawn(self.workers[peer].on_connection, True)

    def freeze(self) -> None:
        """Keep messages for the master, as the system does for a stopped process."""
        self._awake.clear()

    def thaw(self) -> None:
        """Deliver the messages that were kept."""
        self._awake.set()

    def transmit(self, peer: bytes, data: bytes, deliver: Callable[[Message], None], *, down: bool) -> None:
        """Deliver *data*: with *down* from the master to *peer*, else from *peer*."""
        for _ in range(2 if self._random.random() < self.duplication else 1):
            if peer not in self.cut and self._random.random() >= self.loss:
                gevent.spawn(self._deliver, peer, data, deliver, down)

    def _deliver(self, peer: bytes, data: bytes, deliver: Callable[[Message], None], down: bool) -> None:
        if self.delay:
            self._clock.sleep(self._random.random() * self.delay)
        if not down:
            self._awake.wait()
        if peer not in self.cut and not (down and peer in self.mute):
            self.delivered += 1
            deliver(decode(data))


class MasterEnd:
    """The master's end of the network."""

    def __init__(self, net: LossyNetwork) -> None:
        self._net = net
        self._next = 0
        self.dropped: Counter[str] = Counter()
        self.on_message: OnWorkerMessage = lambda peer, message: None
        self.closed: OnClosed = lambda peer, direct: None

    def listen(
        self,
        on_message: OnWorkerMessage,
        on_other_protocol: Callable[[bytes, OtherProtocol], None],
        on_closed: OnClosed = lambda peer, direct: None,
        on_broken_handshake: OnBrokenHandshake = lambda: None,
    ) -> None:
        """Call *on_message* with sender and message, *on_closed* with the peer whose connection was closed."""
        self.on_message, self.closed = on_message, on_closed

    def send(self, peer: bytes, message: Message) -> None:
        """Send a message to one worker."""
        worker = self._net.workers.get(peer)
        if worker is not None:
            self._net.transmit(peer, encode(message), worker.deliver, down=True)

    def offer(self, offer: Offer) -> bool:
        """Offer a share to the next worker."""
        open_ones = [worker for worker in self._net.workers.values() if worker.accepts_offers]
        if not open_ones:
            return False
        self._next += 1
        worker = open_ones[self._next % len(open_ones)]
        self._net.transmit(worker.peer, encode(offer), worker.deliver, down=True)
        return True

    def close(self) -> None:
        """Receive no further message."""
        self.on_message = lambda peer, message: None


class WorkerEnd:
    """A worker's end of the network."""

    def __init__(self, net: LossyNetwork, peer: bytes) -> None:
        self._net = net
        self._on_message: OnMasterMessage = lambda message: None
        self.on_connection: OnConnection = lambda connected: None
        self.peer = peer
        self.accepts_offers = False
        self.reconnected = 0
        self.dropped: Counter[str] = Counter()

    def listen(
        self,
        on_message: OnMasterMessage,
        on_other_protocol: Callable[[OtherProtocol], None],
        on_refused: OnRefused = lambda why, final: None,
        on_connection: OnConnection = lambda connected: None,
    ) -> None:
        """Call *on_message* with every message, *on_connection* when the connection closes or opens."""
        self._on_message, self.on_connection = on_message, on_connection

    def deliver(self, message: Message) -> None:
        """Deliver a message."""
        self._on_message(message)

    def send(self, message: Message) -> None:
        """Send a message to the master."""
        self._net.transmit(
            self.peer, encode(message), lambda said: self._net.master.on_message(self.peer, said), down=False
        )

    def send_window(self, frame: WindowFrame) -> bool:
        """Send a window."""
        self.send(frame)
        return True

    def accept_offers(self) -> None:
        """Receive offers from now on."""
        self.accepts_offers = True

    def decline_offers(self) -> None:
        """Receive no further offers."""
        self.accepts_offers = False

    def reconnect(self) -> None:
        """Count the call, and open a second connection unless this peer is cut off."""
        self.reconnected += 1
        if self.peer not in self._net.cut:
            gevent.spawn(self.on_connection, True)

    def close(self) -> None:
        """Leave the network: the master's end learns that the connection is closed, unless this peer is cut off."""
        if self._net.workers.pop(self.peer, None) is not None and self.peer not in self._net.cut:
            self._net.notify_closed(self.peer)
        self._on_message = lambda message: None
