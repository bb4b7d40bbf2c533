"""State shared by all loads of one engine: clock, recorder, and the greenlets that make visits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent.event import Event

from chaperon.clock import Clock, Timer
from chaperon.errors import Interrupted, LoadChanged
from chaperon.interrupts import is_interrupt, is_ours, marked
from chaperon.load.arrival import Arrival
from chaperon.load.generator.health import Health
from chaperon.load.share import ShareProgress
from chaperon.load.visitor import Visitor, VisitResult
from chaperon.measure.recorder import Recorder
from chaperon.measure.window import VisitOutcome
from chaperon.timers import call_in_groups

if TYPE_CHECKING:
    from typing import TypeAlias

    Greenlet: TypeAlias = "gevent.Greenlet[..., Any]"


_me: Final[Callable[[], Greenlet]] = gevent.getcurrent  # type: ignore[assignment]  # every caller runs in a gevent.Greenlet


LONG_REST: Final = 2.0
"""Seconds of rest between two visits from which a user is parked; a new greenlet costs some 10 µs more than a wait."""
SUSPENSION_CHECK = 0.05
"""Seconds between two checks of `suspended`."""


class Leasing:
    """How an engine gets its shares if a master leases them; the defaults are those of an engine with all shares.

    *engines* is the number of engines of the run: caps on visits in flight are divided by it. With
    *keep_alive* the engine waits for further shares when it has none. No visit starts while
    *suspended* returns true; without it they always may. *on_share_ended* is called when a share is done or returned.
    *knows_changes* returns whether the live changes up to a reading of the clock are known; without it they always are.
    """

    def __init__(
        self,
        *,
        engines: int = 1,
        keep_alive: bool = False,
        suspended: Callable[[], bool] | None = None,
        on_share_ended: Callable[[], object] = lambda: None,
        knows_changes: Callable[[float], bool] | None = None,
    ) -> None:
        self.engines = engines
        self.keep_alive = keep_alive
        self.suspended = suspended
        self.on_share_ended = on_share_ended
        self.knows_changes = knows_changes


class PlannedVisits:
    """How many visits of an entry were planned so far."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class ParkedUser:
    """A user that rests without a greenlet: its share, what continues it, and the context variables of its greenlet.

    *timer* is None once it continues.
    """

    __slots__ = ("context", "deed", "progress", "timer")

    def __init__(self, progress: ShareProgress, deed: Callable[[], None], context: Any) -> None:
        self.progress = progress
        self.deed = deed
        self.context = context
        self.timer: Timer | None = None


class VisitsInFlight:
    """State shared by all loads of one engine: clock, recorder, and the greenlets working on each share.

    - *on_share_ended*, *keep_alive*: see `Leasing`.
    - *began*, *stopped*: readings of the clock, in seconds, from which offsets count and at `stop`.
    - *loop*: the hub's event loop; its `iteration` grows each time all ready greenlets had a turn.
    - *present*: number of active users. *flying*: visits of open loads in flight, by leg.
    - *over*: set when no work is left. *fault*: the exception that ended the run, or None.
    - *abandoned*: the visits given up since the last `record_unended`.
    """

    def __init__(
        self,
        visitor: Visitor,
        recorder: Recorder,
        clock: Clock,
        health: Health,
        *,
        began: float,
        leasing: Leasing,
    ) -> None:
        self._suspended = leasing.suspended
        self._knows_changes = leasing.knows_changes
        self.on_share_ended = leasing.on_share_ended
        self.keep_alive = leasing.keep_alive
        self.visitor = visitor
        self.recorder = recorder
        self.clock = clock
        self.health = health
        self.began = began
        self.stopped: float | None = None
        self.paused = False
        self.present = 0
        self.flying: Counter[tuple[int, int]] = Counter()
        self._planned: dict[str, PlannedVisits] = {}
        self.over = Event()
        self.fault: BaseException | None = None
        self.loop: Any = gevent.get_hub().loop
        self._resting: set[Greenlet] = set()
        self._busy: dict[Greenlet, tuple[ShareProgress, float, Arrival]] = {}
        self._alive: dict[Greenlet, ShareProgress | None] = {}
        self._parked: set[ParkedUser] = set()
        self.abandoned: list[Arrival] = []
        self._timers: list[Timer] = []

    def __repr__(self) -> str:
        return f"<VisitsInFlight of {self.busy} visits>"

    @property
    def busy(self) -> int:
        """The number of visits in flight."""
        return len(self._busy)

    @property
    def empty(self) -> bool:
        """Whether no greenlet is working, and no user is parked."""
        return not self._alive and not self._parked

    def going(self, progress: ShareProgress) -> bool:
        """Return whether a share may start further visits."""
        return self.stopped is None and not progress.released

    def suspended(self) -> bool:
        """Return whether no visit may start now; see `Leasing`."""
        return self._suspended is not None and self._suspended()

    def wait_for_changes(self, progress: ShareProgress, until: float) -> bool:
        """Return False if live changes up to *until*, a reading of the clock, are known; else block for a moment."""
        if self._knows_changes is None or not self.going(progress) or self._knows_changes(until):
            return False
        self.clock.sleep(SUSPENSION_CHECK)
        return True

    def planned_of(self, label: str) -> PlannedVisits:
        """Return the count of the planned visits of an entry, to be added to."""
        return self._planned.setdefault(label, PlannedVisits())

    @property
    def planned(self) -> dict[str, int]:
        """The number of planned visits by label, counted independently of the recorder."""
        return {label: visits.n for label, visits in self._planned.items()}

    def wait_while_suspended(self, progress: ShareProgress) -> None:
        """Block while `suspended` returns true and the share may start visits."""
        while self.going(progress) and self.suspended():
            self.clock.sleep(SUSPENSION_CHECK)

    def after(self, seconds: float, deed: Callable[[], object]) -> None:
        """Schedule *deed* to be called by the hub in *seconds*, unless `close` is called before."""
        self._timers.append(self.clock.after(seconds, partial(self._in_hub, deed)))

    def spawn(self, progress: ShareProgress | None, deed: Callable[..., None], *args: object) -> None:
        """Run *deed* in a new greenlet, counted as working on the share *progress* if that is given."""
        greenlet = gevent.spawn(self._run, deed, *args)
        self._alive[greenlet] = progress
        if progress is not None:
            progress.alive += 1

    def rest(self, progress: ShareProgress, until: float) -> None:
        """Block until the clock reads *until* or `rouse` is called. Returns at once if the share has ended.

        The caller must check which of them happened.
        """
        if self.going(progress):
            self.wait_until(until)

    def wait_until(self, until: float) -> None:
        """Block until the clock reads *until*, in seconds, or `rouse` is called. The caller must check which."""
        me = _me()
        self._resting.add(me)
        try:
            self.clock.sleep(until - self.clock.now())
        except LoadChanged:
            pass
        finally:
            self._resting.discard(me)

    def park(self, progress: ShareProgress, until: float, deed: Callable[[], None]) -> ParkedUser:
        """Run *deed* in a new greenlet when the clock reads *until*, or earlier: see `resume`. Returns at once.

        For a user that rests for long: a waiting greenlet takes 13 kB. The share counts as worked on meanwhile.
        `rouse` resumes the user if its share may start no further visits, but not for another change of the load.
        """
        parked = ParkedUser(progress, deed, _me().gr_context)
        self._parked.add(parked)
        progress.alive += 1
        parked.timer = self.clock.after(until - self.clock.now(), partial(self._in_hub, partial(self.resume, parked)))
        return parked

    def resume(self, parked: ParkedUser) -> None:
        """Continue a parked user in a new greenlet, soon. Does nothing if it continues already."""
        if parked in self._parked:
            self._unpark(parked)
            greenlet = gevent.spawn(self._run, parked.deed)
            greenlet.gr_context = parked.context
            self._alive[greenlet] = parked.progress

    def rouse(self) -> None:
        """Wake all resting greenlets soon. The hub does it, so that none of them runs in between."""
        self.after(0.0, self._wake)

    def visit(self, progress: ShareProgress, arrival: Arrival, due: float) -> VisitResult:
        """Make one visit and count its outcome in the ledger. Blocks until the visit has ended."""
        me = _me()
        self._busy[me] = (progress, due, arrival)
        try:
            visited = self.visitor.visit(arrival)
        except BaseException as exc:
            if not is_ours(exc):  # a signal or a fault of Chaperon: both end the run
                if self._busy.pop(me, None) is not None:
                    self._ended(progress, due, "interrupted" if is_interrupt(exc) else "failed")
                raise
            visited = VisitResult("interrupted", stays=False)
        if self._busy.pop(me, None) is not None:
            self.recorder.count_visit(progress.share.label, due, visited.fate, 0.0, share=progress.name)
            progress.ended += 1
        return visited

    def count_visit(self, progress: ShareProgress, due: float, fate: VisitOutcome, waited: float = 0.0) -> None:
        """Count the outcome of a visit in the ledger; a dropped one had been due for *waited* seconds."""
        self.recorder.count_visit(progress.share.label, due, fate, waited, share=progress.name)

    def stop(self, grace: float, patience: float) -> None:
        """Start no more visits; interrupt those in flight after *grace* seconds, end the run *patience* later."""
        if self.stopped is None:
            self.stopped = self.clock.now()
            self.rouse()
        self.keep_alive = False
        self.end_if_idle()
        self.after(grace, self.interrupt)
        self.after(grace + patience, self.over.set)

    def end_if_idle(self) -> None:
        """Set `over` if no work is left and the engine does not wait for further shares."""
        if not self._alive and not self._parked and not self.keep_alive:
            self.over.set()

    def interrupt(self, progress: ShareProgress | None = None) -> None:
        """Throw an interrupt into the visits in flight of a share, or of all shares, soon. Runs in the hub."""
        busy = [(each, visit[2]) for each, visit in self._busy.items() if progress in (None, visit[0])]
        call_in_groups(self.after, self._interrupt_one, iter(busy))

    def abandon(self, progress: ShareProgress | None = None) -> None:
        """Count visits that ignored their interrupt as interrupted, and kill the greenlets of the share."""
        for greenlet, (whose, due, arrival) in list(self._busy.items()):
            if progress in (None, whose):
                del self._busy[greenlet]
                self._ended(whose, due, "interrupted")
                self.visitor.abandoned(arrival)
                self.abandoned.append(arrival)
                _kill(greenlet)
                self._gone(greenlet)
        if progress is None:
            return
        self.after(0.0, self.record_unended)  # those that end by it have recorded their blocks by then
        for greenlet, served in list(self._alive.items()):  # no visit is left: these are closing a session
            if served is progress:
                _kill(greenlet)
                self._gone(greenlet)
        for parked in [each for each in self._parked if each.progress is progress]:
            self._unpark(parked)
            self._less_alive(progress)

    def record_unended(self) -> None:
        """Record what is still open of the visits abandoned since the last call."""
        abandoned, self.abandoned = self.abandoned, []
        for arrival in abandoned:
            self.visitor.unended(arrival)

    def close(self) -> None:
        """Cancel all timers and count every visit still in flight as interrupted."""
        for timer in self._timers:
            timer.cancel()
        for parked in list(self._parked):
            self._unpark(parked)
        self.abandon()
        if self.fault is not None:  # resting greenlets must not resume after the run's end
            for greenlet in list(self._alive):
                _kill(greenlet)
                self._gone(greenlet)

    def _in_hub(self, deed: Callable[[], object]) -> None:
        """Call *deed* in the hub, and keep an exception as the fault: the hub would only print it."""
        try:
            deed()
        except Exception as exc:
            self._failed(exc)

    def _failed(self, exc: BaseException) -> None:
        """End the run because of a fault of Chaperon, which `Engine.perform` raises."""
        self.fault = exc if self.fault is None else self.fault
        self.stopped = self.clock.now() if self.stopped is None else self.stopped
        self.over.set()

    def _run(self, deed: Callable[..., None], *args: object) -> None:
        try:
            deed(*args)
        except BaseException as exc:
            if not is_ours(exc):  # end the run; `Engine.perform` raises it
                self.fault = exc if self.fault is None else self.fault
                self.stop(0.0, 0.0)
        finally:
            self._gone(_me())

    def _gone(self, greenlet: Greenlet) -> None:
        if greenlet in self._alive:
            progress = self._alive.pop(greenlet)
            if progress is not None:
                self._less_alive(progress)
        self.end_if_idle()

    def _less_alive(self, progress: ShareProgress) -> None:
        progress.alive -= 1
        if not progress.alive:
            self.on_share_ended()

    def _unpark(self, parked: ParkedUser) -> None:
        self._parked.discard(parked)
        if parked.timer is not None:
            parked.timer.cancel()
            parked.timer = None

    def _interrupt_one(self, in_flight: tuple[Greenlet, Arrival]) -> None:
        greenlet, arrival = in_flight
        visit = self._busy.get(greenlet)
        if visit is not None and visit[2] is arrival:  # else it has ended meanwhile
            load = visit[0].load
            closed = not load.is_open and load.until is not None
            endless = self.visitor.endless(arrival, greenlet.gr_frame if closed else None)
            self.visitor.interrupted(arrival, endless)
            greenlet.throw(marked(Interrupted("the run ended"), endless))

    def _wake(self) -> None:
        ended = [each for each in self._parked if not self.going(each.progress)]
        call_in_groups(self.after, self.resume, iter(ended))
        call_in_groups(self.after, self._wake_one, iter(list(self._resting)))

    def _wake_one(self, greenlet: Greenlet) -> None:
        if greenlet in self._resting:
            greenlet.throw(LoadChanged())

    def _ended(self, progress: ShareProgress, due: float, fate: VisitOutcome) -> None:
        self.count_visit(progress, due, fate)
        progress.ended += 1


def _kill(greenlet: Greenlet) -> None:
    """Kill a greenlet without waiting for its end."""
    greenlet.kill(marked(gevent.GreenletExit()), block=False)
