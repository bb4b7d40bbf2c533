"""Engine: starts each visit when it is due and waits for the end of every visit."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import gevent

from chaperon.clock import Clock
from chaperon.load.due_time import Interval, due_intervals, length_within
from chaperon.load.generator.health import Health
from chaperon.load.in_flight import Leasing, VisitsInFlight
from chaperon.load.kinds.iterations import Iterations
from chaperon.load.kinds.load import Shaped
from chaperon.load.kinds.rate import Rate
from chaperon.load.kinds.users import Users
from chaperon.load.kinds.users_per_second import UsersPerSecond
from chaperon.load.live_changes import LiveChanges, positive
from chaperon.load.performers.arriving_users import ArrivingUsers
from chaperon.load.performers.closed_load import ClosedLoad
from chaperon.load.performers.open_load import OpenLoad
from chaperon.load.performers.performer import Performer, Pool, Terms
from chaperon.load.share import Share, ShareProgress, ShareState
from chaperon.load.visitor import Visitor, VisitResult
from chaperon.measure.recorder import Recorder
from chaperon.measure.window import RunEvent

__all__ = ["Engine", "Leasing", "VisitResult", "Visitor"]

PERFORMERS: dict[type[Shaped], Callable[[VisitsInFlight, ShareProgress, Terms], Performer]] = {
    Users: ClosedLoad,
    Iterations: ClosedLoad,
    Rate: OpenLoad,
    UsersPerSecond: ArrivingUsers,
}
"""The class that performs a share, by kind of load."""

PATIENCE = 15.0
LATE = 1.0


class Engine:
    """Performs shares of loads; `perform` blocks until the last visit has ended.

    *began* is the reading of the clock from which offsets count, in seconds. When the time of a
    share is over, or after `stop`, visits in flight have *grace* seconds; then they are
    interrupted. A visit that does not end within *patience* seconds after that is counted as
    interrupted and abandoned. An arrival that would start more than *late* seconds after it was
    due is dropped. *shares* is the progress of each share by name; the engine adds the shares that
    a master leases to it later (*leasing*).
    """

    def __init__(
        self,
        shares: dict[str, ShareProgress],
        visitor: Visitor,
        recorder: Recorder,
        clock: Clock,
        *,
        began: float,
        grace: float,
        health: Health | None = None,
        patience: float = PATIENCE,
        late: float = LATE,
        leasing: Leasing | None = None,
    ) -> None:
        leasing = leasing or Leasing()
        self._flight = VisitsInFlight(visitor, recorder, clock, health or Health(clock), began=began, leasing=leasing)
        self._clock = clock
        self._began = began
        self._grace = grace
        self._patience = patience
        self._terms = Terms(Pool(), late=late, grace=grace, engines=leasing.engines)
        self.shares = shares
        self._loads: dict[str, Performer] = {}
        self._changes = LiveChanges()
        self._performing = False
        self._finished = False

    def __repr__(self) -> str:
        return f"<Engine of {len(self.shares)} shares, {self.busy} visits in flight>"

    @property
    def busy(self) -> int:
        """The number of visits in flight."""
        return self._flight.busy

    @property
    def present(self) -> int:
        """The number of users: all active ones of closed loads, those making a visit of open loads."""
        return self._flight.present

    @property
    def fault(self) -> BaseException | None:
        """An exception that the visitor raised against its contract, or None."""
        return self._flight.fault

    @property
    def planned(self) -> dict[str, int]:
        """The number of planned visits by scenario label, counted independently of the recorder."""
        return self._flight.planned

    @property
    def stopped(self) -> float | None:
        """The reading of the clock at `stop`, in seconds, None before it."""
        return self._flight.stopped

    @property
    def live_changes(self) -> LiveChanges:
        """The live changes made to the loads so far."""
        return self._changes

    @property
    def progress(self) -> dict[str, tuple[int, int, int]]:
        """By share: arrivals taken from its schedule (including those before its *start*), visits ended, rows taken."""
        return {name: (h.taken, h.ended, h.rows) for name, h in self.shares.items()}

    @property
    def share_states(self) -> dict[str, ShareState]:
        """By share: "going", "done", or "returned" after it was released."""
        return {name: h.state if self._performing else "going" for name, h in self.shares.items()}

    def phases(self, since: float, until: float) -> dict[tuple[str, str], float]:
        """Return, by (label, phase), how many seconds between two offsets of the run the loads are in that phase."""
        spans: dict[tuple[str, str], float] = {}
        for share in {(h.share.entry, h.share.leg): h.share for h in self.shares.values()}.values():
            for phase, span in share.phases.within(since, until).items():
                spans[share.label, phase] = max(spans.get((share.label, phase), 0.0), span)
        return spans

    def due(self, since: float, until: float) -> dict[str, float]:
        """Return, by label, in how many seconds between two offsets of the run visits were due, without warm-up.

        No visit is due after `stop` or during a pause.
        """
        if self._flight.stopped is not None:
            until = min(until, self._flight.stopped - self._began)
        legs = {(h.share.entry, h.share.leg): h for h in self.shares.values()}
        intervals: dict[str, list[Interval]] = {}
        for progress in legs.values():
            intervals.setdefault(progress.share.label, []).extend(due_intervals(progress.share, progress.load))
        pauses = self._changes.pauses
        return {label: length_within(spans, since, until, pauses) for label, spans in intervals.items()}

    def add_share(self, share: Share, *, count_missed_as_lost: bool = False) -> None:
        """Add a share, resuming after `share.start` arrivals.

        Arrivals that are already due start late; with *count_missed_as_lost* they count as lost.
        """
        progress = self.shares[share.name] = ShareProgress(
            share, since=self._clock.now() if count_missed_as_lost else -math.inf
        )
        if self._performing:
            self._begin(progress)

    def release(self, name: str) -> None:
        """Start no more visits of a share. It is returned when its visits in flight have ended, or `perform` begins."""
        progress = self.shares.get(name)
        if progress is not None and (progress.alive or not self._performing):
            progress.released = True
            self._flight.rouse()

    def finish(self) -> None:
        """Let `perform` return when the present shares are done, instead of waiting for further ones."""
        self._flight.keep_alive = False
        if self._performing:  # before that no share has begun, so that the engine only seems to be idle
            self._flight.end_if_idle()

    def scale(self, factor: float, at: float | None = None, *, by: str = "") -> None:
        """Multiply the planned level (visits per second or users) by *factor*, from offset *at* of the run or from now.

        Returns at once. *by* names the cause in the event of the change. Raises PlanError unless *factor* is
        positive and finite.
        """
        self._when(at, partial(self._scale, by, positive(factor)))

    def pause(self, at: float | None = None, *, by: str = "") -> None:
        """Start no more visits until `resume`. Visits that would be due meanwhile are not planned."""
        self._when(at, partial(self._pause, by))

    def resume(self, at: float | None = None, *, by: str = "") -> None:
        """End a pause. The load continues at the level planned for that time."""
        self._when(at, partial(self._resume, by))

    def perform(self) -> None:
        """Make all visits. Blocks until they have ended. Raises only what the visitor raised against its contract."""
        flight = self._flight
        self._performing = True
        for progress in list(self.shares.values()):
            self._begin(progress)
        flight.end_if_idle()
        flight.over.wait()
        if self._finished:  # abandoned
            return
        for entry, user in self._terms.pool.empty():
            flight.spawn(None, flight.visitor.leave, entry, user)
        if not flight.empty and flight.fault is None:
            flight.over.clear()
            flight.after(self._patience, flight.over.set)
            flight.over.wait()
        self._finished = True
        self._close_loads()
        flight.close()
        if flight.abandoned:
            gevent.sleep(0)  # those that end as they are killed record their blocks themselves
            flight.record_unended()
        if flight.fault is not None:
            raise flight.fault

    def stop(self, grace: float | None = None) -> None:
        """Start no more visits, and interrupt those in flight after *grace* seconds, by default the engine's.

        Returns at once; `perform` returns when the visits have ended.
        """
        self._flight.stop(self._grace if grace is None else grace, self._patience)

    def abandon(self) -> None:
        """End at once: count each visit in flight as interrupted, run no `cleanup`, let `perform` return.

        Does not block and does not need the hub, which a visit may be blocking.
        """
        if self._flight.stopped is None:
            self._flight.stopped = self._clock.now()
        self._finished = True
        self._close_loads()
        self._flight.close()
        self._flight.record_unended()
        self._flight.over.set()

    def _begin(self, progress: ShareProgress) -> None:
        share, flight = progress.share, self._flight
        load = PERFORMERS[type(share.load)](flight, progress, self._terms)
        self._loads[share.name] = load
        self._follow(share, load)
        flight.spawn(progress, load.run)
        if share.until is not None:
            over = self._began + share.until + self._grace - self._clock.now()
            flight.after(over, partial(flight.interrupt, progress))
            flight.after(over + self._patience, partial(self._abandon_share, progress, load))

    def _abandon_share(self, progress: ShareProgress, load: Performer) -> None:
        load.close()
        self._flight.abandon(progress)

    def _close_loads(self) -> None:
        for load in self._loads.values():
            load.close()

    def _when(self, at: float | None, deed: Callable[[float], None]) -> None:
        """Call *deed* now, or at offset *at* of the run if that is in the future."""
        if self._finished:
            return
        now = max(self._clock.now() - self._began, 0.0)
        if at is None or at <= now:
            deed(now if at is None else at)
        else:
            self._flight.after(at - now, partial(deed, at))

    def _scale(self, by: str, factor: float, at: float) -> None:
        self._changes.scale(factor, at)
        self._apply_changes(f"scaled to {factor:.4g} times the plan", by, at)

    def _pause(self, by: str, at: float) -> None:
        if self._changes.pause(at):
            self._flight.paused = True
            self._apply_changes("paused", by, at)

    def _resume(self, by: str, at: float) -> None:
        if self._changes.resume(at):
            self._flight.paused = False
            self._apply_changes("resumed", by, at)

    def _follow(self, share: Share, load: Performer) -> None:
        """Apply the live changes made so far to a performer."""
        changed = self._changes.load(share)
        if changed is not None:
            load.follow_curve(changed.curve)

    def _apply_changes(self, what: str, by: str, at: float) -> None:
        for name, load in self._loads.items():
            self._follow(self.shares[name].share, load)
        self._flight.rouse()
        self._flight.recorder.record_event(RunEvent(at, "change", f"{what}, by {by}" if by else what))
