"""A fleet: many workers conducted as if they were one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import gevent
from gevent.event import Event

from chaperon.clock import Clock, HubClock, seconds, today
from chaperon.cluster.admission import Admission
from chaperon.cluster.link import STRANGERS, MasterLink
from chaperon.cluster.messages import (
    Bye,
    Change,
    Dead,
    Fetch,
    Frame,
    Hello,
    Message,
    Offer,
    Order,
    Ping,
    Welcome,
)
from chaperon.cluster.muster import Muster
from chaperon.cluster.parcel import Parcel
from chaperon.errors import ClusterError, LoadError, TeardownError, UsageError
from chaperon.load.engine import PATIENCE
from chaperon.load.steering import positive
from chaperon.report.collector import Collector, Pulse, WorkerTally
from chaperon.report.verdict import Facts
from chaperon.report.watch import ABORT_GRACE, Watch
from chaperon.script.garbage import seldom_collected

if TYPE_CHECKING:
    from chaperon.report.summary import Report
    from chaperon.script.environment import Environment

SHARES = 8
"""Shares a worker has of each load: so fine can it be dealt again."""

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


class Fleet:
    """A run on *workers* workers; has the face of `Running`.

    *lost* is the share of visits that may be lost before the run is INVALID.
    """

    def __init__(
        self,
        environment: Environment,
        link: MasterLink,
        parcel: Parcel,
        *,
        workers: int,
        patience: Patience | None = None,
        lost: float = 0.01,
        clock: Clock | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.environment = environment
        self.grace = seconds(environment.grace)
        self.teardown_error: TeardownError | None = None
        self._link = link
        self._parcel = parcel
        self._workers = workers
        self._patience = patience or Patience()
        self._lost = lost
        self._clock: Clock = clock or HubClock()
        self._tell = tell
        self._preparation = environment.preparation()
        self._watch = Watch(
            Collector(()),
            environment.parsed_limits,
            brake=None if environment.brake is None else seconds(environment.brake),
            trust=environment.trusted,
        )
        self._muster = Muster(
            SystemRandom().getrandbits(53),
            self._watch,
            environment.shares(SHARES * workers),
            silence=self._patience.silence,
        )
        self._admission = Admission(link, parcel, self._muster.greet, self._welcome, tell)
        self._started = ""
        self._until: float | None = None
        self._ended = Event()
        self._grace = self.grace
        self._pings: dict[bytes, tuple[Ping, float]] = {}

    def __repr__(self) -> str:
        return f"<Fleet of {self._muster}>"

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended:
            if exc is None:
                self.stop("the block it ran in was left")
            else:
                self.kill(f"the block it ran in raised {type(exc).__name__}")
            self.wait()
        self._dismiss()

    # The face of Running

    @property
    def ended(self) -> bool:
        """Whether every worker's last window is in, or is not waited for any longer."""
        return bool(self._ended.is_set())

    @property
    def target(self) -> str:
        """What is asked for, as a person would say it."""
        n = len(self._muster.roster.ready)
        return f"{self.environment.asked} from {n} worker{'s' if n != 1 else ''}"

    def start(self) -> Fleet:
        """Set up, wait for the workers, deal, start them all at one moment.

        Raises WorkersMissing, and LoadError where one of them cannot run the scenario.
        """
        try:
            self._given = dict(self._preparation.begin())
            self.environment = self.environment.furnished(self._given)
            self._link.listen(self._hear, self._admission.foreign)
            self._gather()
        except BaseException:
            self._muster.halt("kill", self._clock.now())
            self._dismiss()
            self._tear_down()
            raise
        self._greenlet = gevent.spawn(self._conduct)
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most *timeout* seconds; return whether it has come."""
        return bool(self._ended.wait(timeout))

    def stop(self, reason: str = "stopped") -> None:
        """Let no worker start a further visit; those in flight have the grace time."""
        self._watch.aborted(reason)
        self._halt("stop")

    def kill(self, reason: str = "stopped at once") -> None:
        """End every visit now; what is known is kept."""
        self._watch.aborted(reason)
        self._halt("kill")

    def scale(self, factor: float) -> None:
        """Soon, on all workers at once, send *factor* times what was planned. Raises PlanError."""
        self._change("scale", positive(factor))

    def pause(self) -> None:
        """Soon, on all workers at once, begin nothing more until `resume`."""
        self._change("pause")

    def resume(self) -> None:
        """Soon, on all workers at once, go on after `pause`, where the plan is by then."""
        self._change("resume")

    @property
    def crew(self) -> list[WorkerTally]:
        """Who sends, with how each of them does."""
        return self._watch.workers

    def pulse(self) -> Pulse:
        """Return the live figures of the last seconds."""
        return self._watch.pulse()

    def report(self) -> Report:
        """Return the report: so far, or in the end."""
        began, finished = self._muster.began, self._muster.finished
        finish = self._clock.now() if finished is None else finished
        duration = 0.0 if began is None else max(finish - began, 0.0)
        facts = Facts(self.environment.name, self.environment.seed, self._started, duration)
        return self._watch.report(facts, finished=self.ended)

    # What is heard

    def _hear(self, sender: bytes, message: Message) -> None:
        now = self._clock.now()
        match message:
            case Frame():
                if self._muster.take(message):
                    self._grace = min(self._grace, ABORT_GRACE)
                    self._halt("stop")
            case Ping():
                self._answer(sender, message, now)
            case Hello():
                self._admission.knock(sender, message, now)
            case Fetch():
                self._admission.hand_out(sender, message)
            case Dead():
                if self._muster.died(message, now):
                    self._tend()
                self._link.send(sender, self._muster.received(message))
            case Bye():
                self._muster.farewell(message)
            case _:
                pass

    def _welcome(self) -> Welcome:
        parcel = self._parcel
        return Welcome(
            self._muster.run,
            parcel.target,
            parcel.digest,
            len(parcel.content),
            dict(parcel.recipe),
            self._given,
            SHARES * self._workers,
            self._workers,
            self._patience.silence,
            self._patience.dead_man,
        )

    def _answer(self, sender: bytes, ping: Ping, now: float) -> None:
        if ping.stop and self._muster.order == "run":
            self.stop(ping.stop)
        self._link.send(sender, self._muster.answer(ping, now, grace=self._grace))
        news = ping.claims or ping.done or ping.returned  # to be dealt with once, not whenever it is answered again
        self._pings[sender] = replace(ping, claims=(), done=(), returned=()) if news else ping, now
        if ping.claims or ping.returned or ping.over or ping.state == "failed":
            self._tend()

    # What is done

    def _gather(self) -> None:
        """Wait until all workers are ready and everything is dealt."""
        roster, ledger = self._muster.roster, self._muster.ledger
        asked = self._clock.now()
        told, strangers = None, False
        while len(roster.ready) < self._workers or not ledger.all_dealt:
            now = self._clock.now()
            self._muster.give_up(now)
            for hand in roster.present:
                if hand.state == "failed":
                    raise LoadError(f"{hand.title} on {hand.hello.host} cannot run it: {hand.note}")
            ready, waited = len(roster.ready), now - asked
            if self._patience.gather is not None and waited > self._patience.gather:
                raise WorkersMissing(
                    f"{ready} of {self._workers} workers were ready after {waited:.0f} s: "
                    + (self._admission.told or "start the others, or ask for fewer with --workers")
                )
            if self._link.tally[STRANGERS] and not strangers:
                strangers = True
                self._tell("somebody was turned back who has another key than this master, or none, or is no worker")
            if told != ready:
                told = ready
                self._tell(f"{ready} of {self._workers} workers are ready")
            if ready >= self._workers:
                self._offer(now)
            self._clock.sleep(self._patience.beat / (100 if ready >= self._workers else 10))
        self._started = today()
        self._muster.begin(self._clock.now() + self._patience.beat)

    def _conduct(self) -> None:
        with seldom_collected():
            while not self.ended:
                self._clock.sleep(self._patience.beat / 5)
                try:
                    self._tend()
                except Exception as exc:  # a fault of ours must not leave everybody waiting for ever
                    self._watch.fault(f"a fault of Chaperon's own: {type(exc).__name__}: {exc}")
                    self._conclude()

    def _tend(self) -> None:
        """Do whatever is due: all of it may be done at any time, and again."""
        muster, now = self._muster, self._clock.now()
        if self.ended or muster.began is None:
            return
        muster.give_up(now)
        if muster.order == "run":
            self._offer(now)
            if muster.ledger.all_done:
                self._halt("end")
            elif muster.alone(now):
                self._watch.fault("no worker is left")
                muster.desert()
                self._halt("stop")
        if self._until is not None and (muster.settled or now > self._until):
            self._conclude()

    def _offer(self, now: float) -> None:
        for lease in self._muster.offers(now):
            self._link.offer(Offer(self._muster.run, lease))

    def _halt(self, order: Order) -> None:
        now = self._clock.now()
        if self._muster.halt(order, now):
            grace = self._grace if order == "stop" else 0.0
            self._until = now + grace + 2 * PATIENCE + self._patience.silence
            self._say()

    def _change(self, what: Literal["scale", "pause", "resume"], factor: float = 1.0) -> None:
        """Change the load of all workers at one moment, far enough ahead for everybody to hear of it."""
        began, now = self._muster.began, self._clock.now()
        if began is None:
            raise UsageError("the run has not begun: a load is changed while it goes on")
        at = max(now - began, 0.0) + AHEAD
        self._muster.changes.append(Change(what, at, factor))
        self._say()

    def _say(self) -> None:
        """Answer once more what every worker said last, so that it need not ask to hear what is new."""
        now = self._clock.now()
        for sender, (ping, heard) in self._pings.items():
            self._link.send(sender, replace(self._muster.answer(ping, now, grace=self._grace), heard=heard))

    def _conclude(self) -> None:
        if self.ended:
            return
        for what, times in self._link.tally.items():
            self._watch.collector.note(f"{what}, dropped", times)
        self._muster.conclude(self._clock.now())
        totals = self._watch.collector.totals().ledger.values()
        planned, lost = sum(c.planned for c in totals), sum(c.lost for c in totals)
        if planned and lost / planned > self._lost:
            share = f"{lost / planned:.1%}, more than {self._lost:.4g} of all"
            self._watch.fault(f"{lost:,} of {planned:,} visits were lost with their workers: {share}")
        self._tear_down()
        self._ended.set()

    def _dismiss(self) -> None:
        """Let the workers hear that they may go, but wait only a little for those who do not answer."""
        until = self._clock.now() + 2 * self._patience.beat
        while self._muster.roster.present and self._clock.now() < until:
            self._clock.sleep(self._patience.beat / 20)
        self._link.close()

    def _tear_down(self) -> None:
        try:
            self._preparation.end()
        except TeardownError as exc:
            self.teardown_error = exc
