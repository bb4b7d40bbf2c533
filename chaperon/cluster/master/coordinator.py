"""Keeps a run of many workers going: answers what is heard, does what is due."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.master.admission import Admission
from chaperon.cluster.master.state import MasterState
from chaperon.cluster.protocol.messages import (
    Bye,
    Change,
    Fetch,
    Hello,
    Message,
    Offer,
    Order,
    Ping,
    WindowFrame,
    WorkerDied,
)
from chaperon.cluster.transport.link import FAULTS, STRANGERS, MasterLink
from chaperon.cluster.transport.standstill import Standstill
from chaperon.errors import ClusterError, LoadError, UsageError
from chaperon.execution.gc_tuning import reduced_gc
from chaperon.load.background import fault_text, say_fault
from chaperon.load.engine import PATIENCE
from chaperon.report.monitor import ABORT_GRACE, RunMonitor

AHEAD = 0.5
"""Seconds in which every worker has heard of a change to the load."""


class WorkersMissing(ClusterError):
    """The workers that were asked for did not come."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for whom, in seconds.

    A worker that is silent for *silence* is given up. Without a master a worker stops after
    *dead_man*. For the workers to come the master waits *gather*, or for ever.
    """

    silence: float = 10.0
    dead_man: float = 30.0
    gather: float | None = None

    @property
    def beat(self) -> float:
        """Seconds between two signs of life."""
        return self.silence / 10


class Coordinator:
    """Does with a *muster* what a master has to do; the rest is for a person to decide.

    Visits in flight have *grace* seconds when a run is stopped. Of all visits a share *lost* may
    be, before the run is INVALID. When it is *over*, that is called, last of all.
    """

    def __init__(
        self,
        muster: MasterState,
        watch: RunMonitor,
        link: MasterLink,
        admission: Admission,
        clock: Clock,
        *,
        patience: Patience,
        grace: float,
        lost: float,
        over: Callable[[], None],
    ) -> None:
        self.ended = Event()
        self._muster = muster
        self._watch = watch
        self._link = link
        self._admission = admission
        self._clock = clock
        self._patience = patience
        self._grace = grace
        self._lost = lost
        self._over = over
        self._until: float | None = None
        self._asked = -math.inf
        self._pings: dict[bytes, tuple[Ping, float]] = {}
        self._standstill = Standstill(clock, patience.beat)

    def __repr__(self) -> str:
        return f"<Coordinator of {self._muster}>"

    def hear(self, sender: bytes, message: Message) -> None:
        """Deal with what a worker says."""
        self._stood_still()
        now = self._clock.now()
        match message:
            case WindowFrame():
                if self._muster.take(message):
                    self._grace = min(self._grace, ABORT_GRACE)
                    self.halt("stop")
                if self._muster.ending(message):
                    self._tend()
            case Ping():
                self._answer(sender, message, now)
            case Hello():
                self._admission.knock(sender, message, now)
            case Fetch():
                self._admission.hand_out(sender, message)
            case WorkerDied():
                if self._muster.died(message, now):
                    self._tend()
                self._link.send(sender, self._muster.received(message))
            case Bye():
                self._muster.farewell(message)
            case _:
                pass

    def closed(self, peer: bytes) -> None:
        """Note that a worker's connection was closed."""
        self._stood_still()
        self._muster.roster.closed(peer, self._clock.now())

    def gather(self, workers: int, tell: Callable[[str], None]) -> None:
        """Wait until so many workers are ready and everything is dealt, then let the run begin.

        Raises WorkersMissing, and LoadError where one of them cannot run the scenario.
        """
        roster, ledger = self._muster.roster, self._muster.ledger
        self._standstill.look()  # what went before is no standstill
        self._asked = self._clock.now()
        told, strangers = None, False
        while len(roster.ready) < workers or not ledger.all_dealt:
            self._stood_still()
            now = self._clock.now()
            self._muster.give_up(now)
            for hand in roster.present:
                if hand.state == "failed":
                    raise LoadError(f"{hand.title} on {hand.hello.host} cannot run it: {hand.note}")
            ready, waited = len(roster.ready), now - self._asked
            if self._patience.gather is not None and waited > self._patience.gather:
                raise WorkersMissing(
                    f"{ready} of {workers} workers were ready after {waited:.0f} s: "
                    + (self._admission.told or "start the others, or ask for fewer with --workers")
                    + (f"; {self._link.tally[STRANGERS]} {STRANGERS}" if strangers else "")
                )
            if self._link.tally[STRANGERS] and not strangers:
                strangers = True
                tell("a connection was refused by the key: it has another key, or none, or is of no worker")
            if told != ready:
                told = ready
                tell(f"{ready} of {workers} workers are ready")
            if ready >= workers:
                self._offer(now)
            self._clock.sleep(self._patience.beat / (100 if ready >= workers else 10))
        self._muster.begin(self._clock.now() + self._patience.beat)

    def conduct(self) -> None:
        """Do what is due until the run has ended."""
        with reduced_gc():
            while not self.ended.is_set():
                self._clock.sleep(self._patience.beat / 5)
                try:
                    self._tend()
                except Exception as exc:
                    self._failed(exc)
                    self._conclude()

    def halt(self, order: Order) -> None:
        """Give all workers an order that ends the run, unless a stricter one is given."""
        now = self._clock.now()
        if self._muster.halt(order, now):
            grace = self._grace if order == "stop" else 0.0
            self._until = now + grace + 2 * PATIENCE + self._patience.silence
            self._say()

    def fault(self, what: str) -> None:
        """Note a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""
        self._watch.fault(what)
        if self._muster.order == "run":
            self._grace = min(self._grace, ABORT_GRACE)
            self.halt("stop")

    def crashed(self, what: str) -> None:
        """End the run at once, where nothing keeps it going any more."""
        self._watch.fault(what)
        self._conclude()

    def change(self, what: Literal["scale", "pause", "resume"], factor: float = 1.0) -> None:
        """Change the load of all workers at one moment, far enough ahead for everybody to hear of it."""
        began, now = self._muster.began, self._clock.now()
        if began is None:
            raise UsageError("the run has not begun: a load is changed while it goes on")
        at = max(now - began, 0.0) + AHEAD
        self._muster.changes.append(Change(what, at, factor))
        self._say()

    def dismiss(self) -> None:
        """Let the workers hear that they may go, but wait only a little for those who do not answer."""
        self._standstill.look()
        until = self._clock.now() + 2 * self._patience.beat
        while self._muster.roster.present and self._clock.now() < until:
            self._clock.sleep(self._patience.beat / 20)
            until += self._stood_still()
        self._link.close()

    def _answer(self, sender: bytes, ping: Ping, now: float) -> None:
        if ping.run == self._muster.run and not self.ended.is_set():
            self._mind(ping)
        self._link.send(sender, self._muster.answer(ping, now, grace=self._grace))
        news = ping.claims or ping.done or ping.returned  # to be dealt with once, not whenever it is answered again
        self._pings[sender] = replace(ping, claims=(), done=(), returned=()) if news else ping, now
        if ping.claims or ping.returned or ping.over or ping.state == "failed":
            self._tend()

    def _mind(self, ping: Ping) -> None:
        """Note why a worker wants the run to end, at whatever moment it says so: both are said until we are over."""
        if ping.fault:
            self.fault(ping.fault)
        if ping.stop:
            self._watch.aborted(ping.stop)
            if self._muster.order == "run":
                self.halt("stop")

    def _tend(self) -> None:
        """Do whatever is due: all of it may be done at any time, and again."""
        self._stood_still()
        muster, now = self._muster, self._clock.now()
        if self.ended.is_set() or muster.began is None:
            return
        muster.give_up(now)
        if muster.order == "run":
            self._offer(now)
            if muster.ledger.all_done:
                self.halt("end")
            elif muster.alone(now):
                self._watch.fault("no worker is left")
                muster.desert()
                self.halt("stop")
        if self._until is not None and (muster.settled or now > self._until):
            self._conclude()

    def _stood_still(self) -> float:
        """Add a standstill of this process to all that is waited for; return how long it was, in seconds."""
        gap = self._standstill.look()
        if gap and not self.ended.is_set():
            self._muster.stood_still(gap)
            self._asked += gap
            self._until = None if self._until is None else self._until + gap
        return gap

    def _offer(self, now: float) -> None:
        for lease in self._muster.offers(now):
            if not self._link.offer(Offer(self._muster.run, lease)):
                self._muster.ledger.unsent(lease)  # no room on the way: again at the next claim, not in a beat

    def _say(self) -> None:
        """Answer once more what every worker said last, so that it need not ask to hear what is new."""
        now = self._clock.now()
        for sender, (ping, heard) in self._pings.items():
            self._link.send(sender, replace(self._muster.answer(ping, now, grace=self._grace), heard=heard))

    def _conclude(self) -> None:
        if self.ended.is_set():
            return
        try:
            self._muster.conclude(self._clock.now())
            self._judge()
        except BaseException as exc:
            self._failed(exc)
        finally:  # whatever went wrong, whoever waits for the end must not wait for ever
            self._over()
            self.ended.set()

    def _failed(self, exc: BaseException) -> None:
        text = fault_text("the master", exc)
        self._watch.fault(text)
        say_fault(text, exc)

    def _judge(self) -> None:
        for what, times in self._link.tally.items():
            self._watch.collector.note(f"{what}, dropped", times)
        unheard = self._link.tally[FAULTS]
        if unheard:
            self._watch.fault(f"{unheard} {FAULTS}")
        totals = self._watch.collector.totals().ledger.values()
        planned, lost = sum(c.planned for c in totals), sum(c.lost for c in totals)
        if planned and lost / planned > self._lost:
            share = f"{lost / planned:.1%}, more than {self._lost:.4g} of all"
            self._watch.fault(f"{lost:,} of {planned:,} visits were lost with their workers: {share}")
