"""Who is there: the workers as their master knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chaperon._version import VERSION
from chaperon.cluster.master.leases import Peer
from chaperon.cluster.master.progress import ShareProgressLog
from chaperon.cluster.master.windows import WindowSequencer
from chaperon.cluster.protocol.messages import Hello, Ping, State
from chaperon.measure.closing import Closing

SUSPECT = 0.3
"""Of the silence after which a worker is given up: from then on it gets nothing more."""

RETURN = 0.2
"""Of that silence, two beats: so long a worker whose connection was closed may take to open another."""


MOST = 10_000
"""Lives of workers a master keeps the account of."""

NAME = 200
"""Characters of what a worker says of itself: its name, its host, its versions."""


@dataclass(slots=True)
class WorkerRecord:
    """One life of one worker; *title* is its name, with a number from its second life on.

    *heard* is when. *closed* is when its connection was closed, None while it has one.
    It is *lost* when it was given up, *left* when it went in order. *ending*
    is until when the last windows of one that has died may come, all of them where it is
    *whole*. *spans* are how far it says to have come. *kept* are the notes on the loads that were
    taken from it. *closing* is what it said of itself with its last window.
    """

    hello: Hello
    title: str
    heard: float
    closed: float | None = None
    state: State = "loading"
    note: str = ""
    account: WindowSequencer = field(default_factory=WindowSequencer)
    cut: int = 0
    over: bool = False
    lost: bool = False
    left: bool = False
    ending: float | None = None
    whole: bool = False
    spans: ShareProgressLog = field(default_factory=ShareProgressLog)
    kept: set[str] = field(default_factory=set)
    closing: Closing | None = None

    @property
    def peer(self) -> Peer:
        """Its name with its incarnation."""
        return self.hello.worker, self.hello.incarnation

    @property
    def present(self) -> bool:
        """Whether it is still reckoned with."""
        return not (self.lost or self.left)

    @property
    def settled(self) -> bool:
        """Whether all it will ever have to say is in."""
        return self.lost or self.left or (self.over and self.account.acked >= self.cut)

    @property
    def told_all(self) -> bool:
        """Whether every window it cut is in, as far as it or its supervisor has said how many there are."""
        return (self.over or self.whole) and self.account.acked >= self.cut

    def note_ping(self, ping: Ping, now: float, second: int) -> None:
        """Take in what it says of itself in a *second* of the run."""
        self.heard, self.closed, self.state, self.note = now, None, ping.state, ping.note
        self.cut, self.over = max(self.cut, ping.cut), self.over or ping.over
        self.closing = ping.closing or self.closing
        progress = self.account.progress
        for lease in (*ping.leases, *ping.done, *ping.returned):
            span = self.spans[lease]
            if span is not None:
                span.note(lease, second, progress.get(lease.share, (0, 0))[0])


class WorkerRegistry:
    """Lets workers in, one life of a name at a time."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._hands: dict[Peer, WorkerRecord] = {}
        self._lives: dict[str, int] = {}
        self._doubted: dict[Peer, float] = {}

    def __repr__(self) -> str:
        return f"<WorkerRegistry of {', '.join(hand.title for hand in self.present) or 'nobody'}>"

    def __iter__(self) -> Iterator[WorkerRecord]:
        return iter(list(self._hands.values()))

    def __getitem__(self, peer: Peer) -> WorkerRecord | None:
        return self._hands.get(peer)

    @property
    def present(self) -> list[WorkerRecord]:
        """Those who are reckoned with."""
        return [hand for hand in self if hand.present]

    @property
    def ready(self) -> list[WorkerRecord]:
        """Those who could send, or do."""
        return [hand for hand in self.present if hand.state in ("ready", "sending") and hand.ending is None]

    def dealable(self, now: float) -> list[WorkerRecord]:
        """Return those who may be dealt shares: ready, connected, and heard of lately."""
        return [hand for hand in self.ready if hand.closed is None and now - hand.heard < SUSPECT * self._silence]

    def silent(self, now: float) -> list[WorkerRecord]:
        """Return those who are to be given up.

        Those are unheard of for too long, have had no connection for two beats, or are dead
        with nothing more to come.
        """
        return [
            hand
            for hand in self.present
            if now - hand.heard > self._silence
            or (hand.closed is not None and now - hand.closed > RETURN * self._silence)
            or (hand.ending is not None and (now >= hand.ending or hand.account.acked >= hand.cut))
        ]

    def closed(self, peer: bytes, now: float) -> None:
        """Note that the connection of a worker was closed: *peer* is its identity on the wire."""
        for hand in self.present:
            if hand.closed is None and f"{hand.hello.worker}/{hand.hello.incarnation}".encode() == peer:
                hand.closed = now

    def stood_still(self, gap: float) -> None:
        """Add *gap* seconds, in which the master heard nothing, to all that is waited for of workers."""
        for hand in self.present:
            hand.heard += gap
            hand.closed = None if hand.closed is None else hand.closed + gap
            hand.ending = None if hand.ending is None else hand.ending + gap
        self._doubted = {peer: since + gap for peer, since in self._doubted.items()}

    def admit(self, hello: Hello, now: float) -> WorkerRecord | str | None:
        """Let a worker in, or say why not, or None while it is not yet known whether its name is taken."""
        peer = hello.worker, hello.incarnation
        known = self._hands.get(peer)
        if known is not None:
            return known
        why = self._unfit(hello)
        if why:
            return why
        if len(self._hands) >= MOST or len(self._doubted) >= MOST:
            return f"this master has the account of {MOST:,} workers, and room for no more"
        for other in self.present:
            if other.hello.worker != hello.worker:
                continue
            since = self._doubted.setdefault(peer, now)
            if other.heard > since:
                return f"a worker named {hello.worker!r} is here already: give one of them another --name"
            if other.ending is None and other.closed is None and now - other.heard < SUSPECT * self._silence:
                return None
        lives = self._lives[hello.worker] = self._lives.get(hello.worker, 0) + 1
        title = hello.worker if lives == 1 else f"{hello.worker}#{lives}"
        hand = self._hands[peer] = WorkerRecord(hello, title, now)
        return hand

    @staticmethod
    def _unfit(hello: Hello) -> str | None:
        for what, said in (
            ("name", hello.worker),
            ("host", hello.host),
            ("Chaperon", hello.chaperon),
            ("Python", hello.python),
        ):
            if len(said) > NAME:
                return f"its {what} has {len(said):,} characters, {NAME} are the most"
        if hello.chaperon.split(".")[:2] != VERSION.split(".")[:2]:
            return f"it is Chaperon {hello.chaperon}, the master {VERSION}: install the same on both"
        if not 0.0 < hello.capacity < float("inf"):
            return f"its capacity is {hello.capacity:g}: it must be more than nothing"
        return None
