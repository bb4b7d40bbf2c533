"""Links within one process: every message is still made bytes, can be lost, doubled, held up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import gevent
from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.protocol.codec import OtherProtocol, decode, encode
from chaperon.cluster.protocol.messages import Message, Offer, WindowFrame
from chaperon.cluster.transport.link import Closed, Connection, FromMaster, FromWorker, Refused


class LossyNetwork:
    """Joins one master with many workers; the twin of the sockets, for tests.

    Each message is lost with the chance *losing*, doubled with *doubling*, held up for up to
    *holding* seconds. Peers in *cut* neither send nor receive, and are not told; those in *mute* send, but
    receive nothing. From `freeze` to `thaw` what is for the master waits. `close` closes the
    connection of a peer, which both ends are told, `open` opens it again.
    """

    def __init__(
        self, clock: Clock, *, losing: float = 0.0, doubling: float = 0.0, holding: float = 0.0, seed: int = 0
    ) -> None:
        self.cut: set[bytes] = set()
        self.mute: set[bytes] = set()
        self._awake = Event()
        self._awake.set()
        self.losing, self.doubling, self.holding = losing, doubling, holding
        self.carried = 0
        self._clock = clock
        self._chance = Random(seed)
        self.master = MasterEnd(self)
        self.workers: dict[bytes, WorkerEnd] = {}

    def __repr__(self) -> str:
        return f"<LossyNetwork of {len(self.workers)} workers>"

    def connect(self, peer: bytes) -> WorkerEnd:
        """Return a worker's end of the net."""
        self.workers[peer] = WorkerEnd(self, peer)
        return self.workers[peer]

    def close(self, peer: bytes) -> None:
        """Close the connection of *peer*: what is under way by it is lost."""
        self.cut.add(peer)
        gevent.spawn(self.master.closed, peer)
        if peer in self.workers:
            gevent.spawn(self.workers[peer].connection, False)

    def open(self, peer: bytes) -> None:
        """Let *peer* have a connection again."""
        self.cut.discard(peer)
        if peer in self.workers:
            gevent.spawn(self.workers[peer].connection, True)

    def freeze(self) -> None:
        """Keep all that is for the master, as the system does for a process that is stopped."""
        self._awake.clear()

    def thaw(self) -> None:
        """Bring the master all that was kept."""
        self._awake.set()

    def carry(self, peer: bytes, data: bytes, deliver: Callable[[Message], None], *, down: bool) -> None:
        """Bring *data* to *peer*, *down* from the master, or up from it."""
        for _ in range(2 if self._chance.random() < self.doubling else 1):
            if peer not in self.cut and self._chance.random() >= self.losing:
                gevent.spawn(self._deliver, peer, data, deliver, down)

    def _deliver(self, peer: bytes, data: bytes, deliver: Callable[[Message], None], down: bool) -> None:
        if self.holding:
            self._clock.sleep(self._chance.random() * self.holding)
        if not down:
            self._awake.wait()
        if peer not in self.cut and not (down and peer in self.mute):
            self.carried += 1
            deliver(decode(data))


class MasterEnd:
    """The master's end of a net."""

    def __init__(self, net: LossyNetwork) -> None:
        self._net = net
        self._next = 0
        self.tally: Counter[str] = Counter()
        self.hear: FromWorker = lambda peer, message: None
        self.closed: Closed = lambda peer: None

    def listen(
        self,
        hear: FromWorker,
        foreign: Callable[[bytes, OtherProtocol], None],
        closed: Closed = lambda peer: None,
    ) -> None:
        """Call *hear* with every message and whom it is from, *closed* with whose connection was closed."""
        self.hear, self.closed = hear, closed

    def send(self, peer: bytes, message: Message) -> None:
        """Say something to one worker."""
        worker = self._net.workers.get(peer)
        if worker is not None:
            self._net.carry(peer, encode(message), worker.take, down=True)

    def offer(self, offer: Offer) -> bool:
        """Offer a share to whoever is next."""
        open_ones = [worker for worker in self._net.workers.values() if worker.working]
        if not open_ones:
            return False
        self._next += 1
        worker = open_ones[self._next % len(open_ones)]
        self._net.carry(worker.peer, encode(offer), worker.take, down=True)
        return True

    def close(self) -> None:
        """Hear nothing more."""
        self.hear = lambda peer, message: None


class WorkerEnd:
    """A worker's end of a net."""

    def __init__(self, net: LossyNetwork, peer: bytes) -> None:
        self._net = net
        self._hear: FromMaster = lambda message: None
        self.connection: Connection = lambda stands: None
        self.peer = peer
        self.working = False
        self.reconnected = 0
        self.tally: Counter[str] = Counter()

    def listen(
        self,
        hear: FromMaster,
        foreign: Callable[[OtherProtocol], None],
        refused: Refused = lambda why, final: None,
        connection: Connection = lambda stands: None,
    ) -> None:
        """Call *hear* with every message, *connection* when that is closed or open again."""
        self._hear, self.connection = hear, connection

    def take(self, message: Message) -> None:
        """Deliver a message."""
        self._hear(message)

    def send(self, message: Message) -> None:
        """Say something to the master."""
        self._net.carry(self.peer, encode(message), lambda said: self._net.master.hear(self.peer, said), down=False)

    def pour(self, frame: WindowFrame) -> bool:
        """Send a window."""
        self.send(frame)
        return True

    def open_work(self) -> None:
        """Take offers from now on."""
        self.working = True

    def close_work(self) -> None:
        """Take offers no longer."""
        self.working = False

    def reconnect(self) -> None:
        """Count that it was asked for."""
        self.reconnected += 1

    def close(self) -> None:
        """Leave the net."""
        self._net.workers.pop(self.peer, None)
        self._hear = lambda message: None
