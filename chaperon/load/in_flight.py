"""Visits in flight, each seen to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import gevent
from gevent.event import Event

from chaperon.clock import Clock, Timer
from chaperon.errors import Interrupted
from chaperon.interrupts import is_interrupt, is_ours, marked
from chaperon.load.arrivals import Arrival
from chaperon.load.generator.health import Health
from chaperon.load.share import ShareProgress
from chaperon.measure.recorder import Recorder, VisitOutcome

if TYPE_CHECKING:
    from typing import TypeAlias

    Greenlet: TypeAlias = "gevent.Greenlet[..., Any]"


_me: Callable[[], Greenlet] = gevent.getcurrent  # type: ignore[assignment]  # who works here is no bare greenlet


class _Woken(BaseException):
    """Something changed while somebody rested."""


class VisitResult(NamedTuple):
    """How a visit ended, and whether its user goes on."""

    fate: VisitOutcome
    stays: bool = True


class Visitor(Protocol):
    """Who makes the visits; neither verb may raise anything but an interrupt (`chaperon.interrupts`)."""

    def visit(self, arrival: Arrival) -> VisitResult: ...

    def leave(self, entry: int, user: int) -> None:
        """Bid farewell to a user who makes no further visit."""

    def missed(self, arrival: Arrival, now: float) -> None:
        """Record the response time of an arrival that was due and never began: at least until *now*."""

    def abandoned(self, arrival: Arrival) -> None:
        """Record a visit in flight that is given up: it took at least until now."""

    def endless(self, arrival: Arrival, frame: FrameType | None) -> str:
        """Return why a visit in flight has no natural end, or "".

        A user who is cut in a `while` loop has none; that is looked for where the *frame* in
        which the visit waits is given.
        """


HELD = 0.05


class VisitsInFlight:
    """What the loads of one engine have in common: its clock, its books, who is at work for which share.

    Nothing is begun while *held* says so; *changed* is called when a share is done or given
    back. *began* is the clock's reading that offsets count from. *stopped* is when it was stopped.
    *loop* is the hub's: its `iteration` grows whenever everybody could go on.
    *present* counts the users that are there, *flying* by leg the open visits that were
    begun and have not ended. *planned* counts visits by label, apart from the recorder.
    """

    def __init__(self, visitor: Visitor, recorder: Recorder, clock: Clock, health: Health, *, began: float) -> None:
        self.held: Callable[[], bool] = lambda: False
        self.changed: Callable[[], object] = lambda: None
        self.visitor = visitor
        self.recorder = recorder
        self.clock = clock
        self.health = health
        self.began = began
        self.stopped: float | None = None
        self.paused = False
        self.staying = False
        self.present = 0
        self.flying: Counter[tuple[int, int]] = Counter()
        self.planned: Counter[str] = Counter()
        self.over = Event()
        self.fault: BaseException | None = None
        self.loop: Any = gevent.get_hub().loop
        self._resting: set[Greenlet] = set()
        self._busy: dict[Greenlet, tuple[ShareProgress, float, Arrival]] = {}
        self._alive: dict[Greenlet, ShareProgress | None] = {}
        self._timers: list[Timer] = []

    def __repr__(self) -> str:
        return f"<VisitsInFlight of {self.busy} visits>"

    @property
    def busy(self) -> int:
        """How many visits are in flight."""
        return len(self._busy)

    @property
    def empty(self) -> bool:
        """Whether nobody is at work."""
        return not self._alive

    def going(self, holding: ShareProgress) -> bool:
        """Whether a share may begin further visits."""
        return self.stopped is None and not holding.released

    def wait_while_held(self, holding: ShareProgress) -> None:
        """Wait as long as nothing is to be begun."""
        while self.going(holding) and self.held():
            self.clock.sleep(HELD)

    def after(self, seconds: float, deed: Callable[[], object]) -> None:
        """Call *deed* from the hub in *seconds*, unless it all ends before."""
        self._timers.append(self.clock.after(seconds, partial(self._in_hub, deed)))

    def spawn(self, holding: ShareProgress | None, deed: Callable[..., None], *args: object) -> None:
        """Let somebody work for a share, or for nobody in particular."""
        greenlet = gevent.spawn(self._run, deed, *args)
        self._alive[greenlet] = holding
        if holding is not None:
            holding.alive += 1

    def rest(self, holding: ShareProgress, until: float) -> None:
        """Wait for a moment, or until something changes for the share; whoever rests looks again."""
        if self.going(holding):
            self.wait_until(until)

    def wait_until(self, until: float) -> None:
        """Wait until the clock reads *until*, in seconds, or until `rouse`, which the caller has to check for."""
        me = _me()
        self._resting.add(me)
        try:
            self.clock.sleep(until - self.clock.now())
        except _Woken:
            pass
        finally:
            self._resting.discard(me)

    def rouse(self) -> None:
        """End every rest soon: from the hub, so that nobody can leave a rest meanwhile."""
        self.after(0.0, self._wake)

    def visit(self, holding: ShareProgress, arrival: Arrival, due: float) -> VisitResult:
        """Make one visit, and write into the ledger what became of it."""
        me = _me()
        self._busy[me] = (holding, due, arrival)
        try:
            visited = self.visitor.visit(arrival)
        except BaseException as exc:
            if not is_ours(exc):  # a signal, or a fault of ours: both end the run
                if self._busy.pop(me, None) is not None:
                    self._ended(holding, due, "interrupted" if is_interrupt(exc) else "failed")
                raise
            visited = VisitResult("interrupted", stays=False)
        if self._busy.pop(me, None) is not None:
            self.recorder.count_visit(holding.share.label, due, visited.fate, 0.0, share=holding.name)
            holding.ended += 1
        return visited

    def account(self, holding: ShareProgress, due: float, fate: VisitOutcome, waited: float = 0.0) -> None:
        """Write into the ledger what became of a visit of a share."""
        self.recorder.count_visit(holding.share.label, due, fate, waited, share=holding.name)

    def stop(self, grace: float, patience: float) -> None:
        """Begin nothing more; what is in flight has *grace* seconds, then *patience* to be interrupted."""
        if self.stopped is None:
            self.stopped = self.clock.now()
            self.rouse()
        self.staying = False
        self.end_if_idle()
        self.after(grace, self.interrupt)
        self.after(grace + patience, self.over.set)

    def end_if_idle(self) -> None:
        """It is over when nobody is at work, unless more is to come."""
        if not self._alive and not self.staying:
            self.over.set()

    def interrupt(self, holding: ShareProgress | None = None) -> None:
        """End the visits in flight of a share, or of all; runs in the hub."""
        for greenlet, (whose, _, arrival) in list(self._busy.items()):
            if holding in (None, whose) and greenlet in self._busy:
                closed = not whose.load.is_open and whose.load.until is not None
                endless = self.visitor.endless(arrival, greenlet.gr_frame if closed else None)
                greenlet.throw(marked(Interrupted("the run ended"), endless))

    def abandon(self, holding: ShareProgress | None = None) -> None:
        """Count who would not be interrupted as interrupted all the same; let nobody of a share stay."""
        for greenlet, (whose, due, arrival) in list(self._busy.items()):
            if holding in (None, whose):
                del self._busy[greenlet]
                self._ended(whose, due, "interrupted")
                self.visitor.abandoned(arrival)
                _kill(greenlet)
                self._gone(greenlet)
        if holding is None:
            return
        for greenlet, served in list(self._alive.items()):  # no visit is left: these bid too long a farewell
            if served is holding:
                _kill(greenlet)
                self._gone(greenlet)

    def close(self) -> None:
        """Call off every timer; leave nobody uncounted."""
        for timer in self._timers:
            timer.cancel()
        self.abandon()
        if self.fault is not None:  # who rests is not to wake up to a run that is over
            for greenlet in list(self._alive):
                _kill(greenlet)
                self._gone(greenlet)

    def _in_hub(self, deed: Callable[[], object]) -> None:
        """Do what was due in the hub, which would only print what it raises."""
        try:
            deed()
        except Exception as exc:
            self._failed(exc)

    def _failed(self, exc: BaseException) -> None:
        """End the run for a fault of ours, and let perform raise it."""
        self.fault = exc if self.fault is None else self.fault
        self.stopped = self.clock.now() if self.stopped is None else self.stopped
        self.over.set()

    def _run(self, deed: Callable[..., None], *args: object) -> None:
        try:
            deed(*args)
        except BaseException as exc:
            if not is_ours(exc):  # end the run and let perform raise it
                self.fault = exc if self.fault is None else self.fault
                self.stop(0.0, 0.0)
        finally:
            self._gone(_me())

    def _gone(self, greenlet: Greenlet) -> None:
        if greenlet in self._alive:
            holding = self._alive.pop(greenlet)
            if holding is not None:
                holding.alive -= 1
                if not holding.alive:
                    self.changed()
        self.end_if_idle()

    def _wake(self) -> None:
        for greenlet in list(self._resting):
            if greenlet in self._resting:
                greenlet.throw(_Woken())

    def _ended(self, holding: ShareProgress, due: float, fate: VisitOutcome) -> None:
        self.account(holding, due, fate)
        holding.ended += 1


def _kill(greenlet: Greenlet) -> None:
    """End a greenlet soon, without waiting for it."""
    greenlet.kill(marked(gevent.GreenletExit()), block=False)
