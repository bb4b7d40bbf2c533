"""The state of a fleet: who is there, who has which share, what is lost; nothing here sends or waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from chaperon.cluster.fleet_caps import FleetCaps
from chaperon.cluster.master.leases import LeaseTable
from chaperon.cluster.master.unmade import unmade_visits
from chaperon.cluster.master.windows import LossCorrections
from chaperon.cluster.master.workers import WorkerRecord, WorkerRegistry
from chaperon.cluster.protocol.messages import (
    Bye,
    Change,
    Hello,
    Lease,
    Order,
    Ping,
    Pong,
    WindowFrame,
    WindowsReceived,
    WorkerDied,
)
from chaperon.load.live_changes import LiveChanges
from chaperon.load.plan import due_visits
from chaperon.load.share import Share
from chaperon.measure.window import VisitCounts, Window
from chaperon.measure.window_codec import unpack_window
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor

MADE_TWICE = "visits that a worker given up has made, and its successor again"
STOOD_STILL = "seconds in which the master stood still: no worker's silence meanwhile counts"
_STRICT: tuple[Order, ...] = ("wait", "run", "end", "stop", "kill", "over")


class MasterState:
    """What a master knows, changed by what it hears; every moment is handed in.

    *silence* is after how many seconds without a word a worker is given up.
    """

    def __init__(self, run: int, watch: RunMonitor, shares: Sequence[Share], *, silence: float) -> None:
        self.run = run
        self.order: Order = "wait"
        self.began: float | None = None
        self.finished: float | None = None
        self.roster = WorkerRegistry(silence)
        self.ledger = LeaseTable(shares, again=silence / 10)
        self._silence = silence
        self.changes: list[Change] = []
        self._watch = watch
        self._losses = LossCorrections()
        self._caps = FleetCaps()
        free = {share.label for share in shares if not share.load.has_plan}
        self._shares = {share.name: share for share in shares}
        self._scheduled = frozenset({share.label for share in shares} - free)
        self._cut: float | None = None
        self._alone_since: float | None = None
        self._deserted = False

    def __repr__(self) -> str:
        return f"<MasterState at «{self.order}»: {self.roster}, {self.ledger}>"

    @property
    def collector(self) -> Collector:
        """Where windows are added up."""
        return self._watch.collector

    # What is heard

    def greet(self, hello: Hello, now: float) -> WorkerRecord | str | None:
        """Let a worker in, or say why not, or None: let it ask again."""
        if self.order not in ("wait", "run"):
            return None
        admitted = self.roster.admit(hello, now)
        if isinstance(admitted, WorkerRecord):
            admitted.heard = now
        return admitted

    def answer(self, ping: Ping, now: float, *, grace: float) -> Pong:
        """Take in what a worker says of itself, and return what is wanted of it."""
        hand = self.roster[ping.worker, ping.incarnation]
        if hand is None or ping.run != self.run:
            # of another master's run: let it see that this is not its own
            return Pong(self.run, "wait", ping.asked, now, now, None, 0.0, 0)
        hand.note_ping(ping, now, self._second(now))
        if hand.present:
            for lease in ping.done:
                self.ledger.done(hand.peer, lease)
            for lease in ping.returned:
                self.ledger.returned(hand.peer, lease)
            for lease in ping.claims:
                if self.ledger.claim(hand.peer, lease):
                    hand.spans.open(lease)
        if hand.over and self.order in ("end", "stop", "kill"):
            self.finished = now if self.finished is None or self.order != "end" else self.finished
        return Pong(
            self.run,
            self._order_for(hand),
            ping.asked,
            now,
            now,
            self.began,
            grace,
            hand.account.acked,
            hand.account.ahead,
            self.ledger.leases(hand.peer) if hand.present else (),
            tuple(self.changes),
        )

    def take(self, frame: WindowFrame) -> bool:
        """Take in a window; return whether the run must stop because of it. Raises WireError."""
        hand = self.roster[frame.worker, frame.incarnation]
        if hand is None or frame.run != self.run or self.began is None or self.order == "over":
            return False
        window = unpack_window(frame.body, hand.title, began=self.began)
        stop = False
        for each in hand.account.take(window):
            stop = self._hear(hand, each) or stop
        if hand.account.closed:
            self._settle()
        return stop

    def died(self, dead: WorkerDied, now: float) -> bool:
        """Note that an engine has ended; its last windows may still be on their way. Return whether it is news."""
        hand = self.roster[dead.worker, dead.incarnation]
        if hand is not None and dead.fault and self.order != "over":
            self._watch.fault(dead.fault)
        if hand is None or not hand.present or hand.ending is not None:
            return False
        hand.cut, hand.whole = max(hand.cut, dead.cut), dead.cut > 0
        hand.ending = now + self._silence / 10
        return True

    def received(self, dead: WorkerDied) -> WindowsReceived:
        """Return which windows of a dead engine are here; all, where none is wanted."""
        hand = self.roster[dead.worker, dead.incarnation]
        if hand is None or self.order == "over":
            return WindowsReceived(dead.worker, dead.incarnation, dead.cut)
        return WindowsReceived(dead.worker, dead.incarnation, hand.account.acked, hand.account.ahead)

    def ending(self, frame: WindowFrame) -> bool:
        """Return whether a window is of a dead engine, whose shares go on once all of them are here."""
        hand = self.roster[frame.worker, frame.incarnation]
        return hand is not None and hand.present and hand.ending is not None

    def stood_still(self, gap: float) -> None:
        """Add *gap* seconds, in which the master itself stood still, to everybody's silence."""
        self.roster.stood_still(gap)
        self.ledger.stood_still(gap)
        if self._alone_since is not None:
            self._alone_since += gap
        self.collector.note(STOOD_STILL, max(round(gap), 1))

    def farewell(self, bye: Bye) -> None:
        """Note that a worker has gone in order."""
        hand = self.roster[bye.worker, bye.incarnation]
        if hand is not None and hand.settled and not hand.lost:
            hand.left = True
            self.collector.leave(hand.title)

    # What follows from it

    def begin(self, at: float) -> None:
        """Let the run begin at a moment to come."""
        self.began, self.order = at, "run"

    def halt(self, order: Order, now: float) -> bool:
        """Give an order that ends the run, unless a stricter one is given; return whether it is given now."""
        if _STRICT.index(order) <= _STRICT.index(self.order):
            return False
        if self._cut is None and order in ("stop", "kill"):
            self._cut = now
        if order == "end":
            self.finished = now
        self.order = order
        return True

    def desert(self) -> None:
        """Note that nobody is left to send: the ledger is to show all that was planned."""
        self._deserted = True

    def offers(self, now: float) -> list[Lease]:
        """Return what is to be offered, those who joined or fell silent taken into account."""
        if self.began is not None:
            for hand in self.roster.ready:
                self.collector.join(hand.title)
        self.ledger.among({hand.peer: hand.hello.capacity for hand in self.roster.dealable(now)})
        return self.ledger.offers(now)

    def give_up(self, now: float) -> list[WorkerRecord]:
        """Take everything from those who are gone; return them."""
        gone = self.roster.silent(now)
        for hand in gone:
            self._give_up(hand)
        if gone:
            self._settle()
        return gone

    def _give_up(self, hand: WorkerRecord, *, for_good: bool = False) -> None:
        """Reckon with a worker no longer: its shares go on from where it has said it was.

        Arrivals of an open load that no window tells of are told of, with the seconds in which
        they were due, by whoever takes the share up; where nobody will, *for_good*, and for
        all other loads, they are written off here.
        """
        hand.lost = True
        progress = hand.account.progress
        told_by_others, known = set(), {}
        for lease in self.ledger.all_leases(hand.peer):
            taken, rows = progress.get(lease.share, (lease.start, lease.rows))
            span = hand.spans[lease]
            if span is not None:
                rows = max(rows, span.rows)
                if for_good or not self._shares[lease.share].load.is_open:
                    taken = max(taken, span.reached)
                else:
                    told_by_others.add((lease.share, lease.attempt))
            known[lease.share] = taken, rows
            hand.kept.add(self._shares[lease.share].load.lost_note)
        self.ledger.give_up(hand.peer, known)
        if self.began is None:
            return
        unseen: Counter[tuple[str, int]] = Counter()
        for span in hand.spans:
            if (span.share, span.attempt) not in told_by_others:
                for second, count in span.unseen(progress.get(span.share, (0, 0))[0]):
                    unseen[self._shares[span.share].label, second] += count
        self._correct(hand.account.write_off(unseen))
        for window in hand.account.close():
            self._hear(hand, window)
        self.collector.leave(hand.title, lost=not (hand.whole and hand.account.acked >= hand.cut))

    def _hear(self, hand: WorkerRecord, window: Window) -> bool:
        late = hand.account.closed
        found = hand.account.turned_up(window) if late else {}
        self._correct(found)
        self._correct(self._losses.hear(window, given_up=late, scheduled=self._scheduled, found=found))
        return self._watch.add(self._caps.bound(window))

    def alone(self, now: float) -> bool:
        """Return whether no worker has been there for too long."""
        if self.roster.present:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        return self._alone_since is not None and now - self._alone_since > self._silence

    @property
    def settled(self) -> bool:
        """Whether nothing more is to come from anybody."""
        return all(hand.settled for hand in self.roster)

    def conclude(self, now: float) -> None:
        """Write off what nobody has made, and note what the reader of the report has to know."""
        self.finished = now if self.finished is None else self.finished
        for hand in self.roster:
            if not hand.settled:
                self._watch.fault(f"{hand.title} has not said its last word: what it did last is unknown")
                self._give_up(hand, for_good=True)
            if hand.lost and not hand.told_all:
                for note in hand.kept:
                    self.collector.note(note)
        if self.began is not None:
            until = (self.finished if self._cut is None else self._cut) - self.began
            self._correct(unmade_visits(self.ledger.unowned, self._steered(), until=until, whole=self._deserted))
        self._settle()
        if self._losses.made_twice > 0:
            self.collector.note(MADE_TWICE, self._losses.made_twice)
        if self.began is not None:
            self._reckon(self.began)
        self.order = "over"

    def _reckon(self, began: float) -> None:
        """Compare the ledger with the plan, which comes from the loads alone, and workers with their windows.

        A worker that was given up is no witness: what it did not say is written off. Where the
        run was stopped, workers heard of it one after the other: what was due before all of
        them is the least.
        """
        closings = {hand.title: hand.closing for hand in self.roster if hand.closing and not hand.lost}
        stops = [said.stopped for said in closings.values() if said.stopped is not None]
        stopped = None if self._cut is None else min([self._cut - began, *stops])
        plan = due_visits(self._shares.values(), self._steered(), stopped=stopped)
        due = {label: (least, exact and stopped is None) for label, (least, exact) in plan.items()}
        self._watch.settle(closings, due, twice=max(self._losses.made_twice, 0))

    def _second(self, now: float) -> int:
        return 0 if self.began is None else max(int(now - self.began), 0)

    def _order_for(self, hand: WorkerRecord) -> Order:
        if hand.over and hand.account.acked >= hand.cut:
            return "over"
        if (hand.lost or hand.state == "leaving") and self.order in ("wait", "run", "end"):
            return "stop"
        return self.order

    def _settle(self) -> None:
        lost = [hand for hand in self.roster if hand.lost]
        self._correct(self._losses.settle({hand.peer: hand.account for hand in lost}))
        if self.began is not None:
            for hand in lost:
                self.collector.lose(hand.title, hand.account.lost)

    def _correct(self, changes: Mapping[tuple[str, int], VisitCounts]) -> None:
        if changes:
            self.collector.correct(changes)

    def _steered(self) -> LiveChanges:
        """Return how the load was changed so far."""
        found = LiveChanges()
        for change in self.changes:
            change.make(found)
        return found
