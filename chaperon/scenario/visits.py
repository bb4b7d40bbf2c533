"""The visits of a run: each user's session is opened, used for its visits, and closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, Final, NamedTuple

from chaperon import forks
from chaperon.client.current_session import ensure_current, set_current
from chaperon.errors import FeedEmpty, StepFailed, VisitTimeout
from chaperon.gc_tuning import LiveSessions
from chaperon.interrupts import is_interrupt, is_ours, is_signal
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.arrival import Arrival
from chaperon.load.current_visit import CurrentVisit
from chaperon.load.engine import VisitResult
from chaperon.measure.exception_text import text_of
from chaperon.measure.failures import clear_listed, failure_of, is_unconnected
from chaperon.measure.meter import Meter, SeriesSlot
from chaperon.measure.sample import NEVER_BEGUN, Failure
from chaperon.measure.timed_block import cut_open_blocks, record_open_blocks
from chaperon.scenario.scenario import Mix, Scenario
from chaperon.scenario.step_loop import PlannedStep, run_in_order
from chaperon.session.clients import SessionClients
from chaperon.session.context import SessionContext, VisitInfo
from chaperon.session.endless import endless_reason
from chaperon.session.session import Session
from chaperon.session.tasks import TaskList, VisitGreenlet

ABANDONED: Final = Failure("interrupted", listed=False, censored=True)
"""The failure of a visit that could not be interrupted, or has handled the exception itself."""


@lazy_dataclass(frozen=True)
class EntryRunner:
    """A scenario with the context of its sessions."""

    scenario: Scenario
    context: SessionContext

    def variants(self) -> tuple[EntryRunner, ...]:
        """Return this runner, or one for each scenario of a mix."""
        if not isinstance(self.scenario, Mix):
            return (self,)
        return tuple(
            EntryRunner(each, replace(self.context, meter=self.context.meter.inner(each.label)))
            for each in self.scenario.members
        )

    def variant_of(self, visit: VisitInfo) -> int:
        """Return the index of the variant that makes a visit."""
        return self.scenario.choose_member(self.context, visit) if isinstance(self.scenario, Mix) else 0


class _ActiveSession:
    """A session with what its visits use of it. *steps* is what `Scenario.run_steps` does, None if it does more."""

    # mypyc: attributes of the session, which is not compiled, are looked up in its dictionary each time.
    __slots__ = ("clients", "current", "greenlet", "meter", "scenario", "session", "steps", "tasks")

    def __init__(self, session: Session, scenario: Scenario, steps: list[PlannedStep] | None) -> None:
        self.session: Any = session
        self.scenario: Any = scenario
        self.steps = steps
        self.meter: Meter = session.meter
        self.current: CurrentVisit = session._current
        self.greenlet: VisitGreenlet = session.visit_greenlet
        self.tasks: TaskList = session.tasks
        self.clients: SessionClients = session._clients

    def begin(self, arrival: Arrival, due: float, start: float, began: float) -> None:
        """Start a visit at *start*; all are readings of the clock in seconds, *began* is that of the run's start."""
        current = self.current
        self.meter.set_phase(arrival.phase, ())
        self.meter.activity.visit = arrival.number
        current.begin(arrival.number, due - began, start - began, start)
        if current.rows and self.session.context.numbering.users is None:
            current.rows.clear()

    def run_init(self) -> None:
        self.scenario.run_init(self.session)

    def run_steps(self) -> None:
        if self.steps is None:
            self.scenario.run_steps(self.session)
        else:
            run_in_order(self.steps, self.session, self.meter, self.current)


class _Entry:
    """An entry's scenarios: one, or the members of a mix; for each its steps, and the slot of its visits' series.

    *users* are its sessions by user, one for each scenario once it made a visit.
    """

    __slots__ = ("now", "runner", "steps", "users", "variants", "visits")

    def __init__(self, runner: EntryRunner) -> None:
        self.runner = runner
        self.variants = runner.variants()
        self.now: Callable[[], float] = runner.context.clock.now
        self.users: dict[int, list[_ActiveSession | None]] = {}
        self.visits: list[SeriesSlot] = []
        self.steps: list[list[PlannedStep] | None] = []
        for each in self.variants:
            meter, steps = each.context.meter, each.scenario._planned_steps
            self.visits.append(meter.slot("visit", "visit"))
            self.steps.append(None if steps is None else [step.measured_by(meter) for step in steps])

    def variant_of(self, arrival: Arrival, due: float, start: float, began: float) -> int:
        """Return the index of the scenario that makes the visit of an arrival."""
        if len(self.variants) == 1:
            return 0
        return self.runner.variant_of(VisitInfo(arrival.number, arrival.user, due - began, start - began))


class VisitRunner:
    """Makes the visits of a run, one for each `visit` call of the engine."""

    def __init__(self, entries: Sequence[EntryRunner], *, began: float) -> None:
        self._entries = [_Entry(entry) for entry in entries]
        self._began = began
        self._meters: dict[tuple[int, int], Meter] = {}
        self._live_sessions: Any = LiveSessions()

    def visit(self, arrival: Arrival) -> VisitResult:
        """Run one visit, its session's `init` first if it is new."""
        if forks.forking_greenlet is not None:
            forks.end_if_forking_greenlet()
        entry = self._entries[arrival.entry]
        now, began = entry.now, self._began
        start = now()
        due = start if arrival.due is None else arrival.due
        variant = entry.variant_of(arrival, due, start, began)
        sessions = entry.users.get(arrival.user)
        if sessions is None:
            sessions = entry.users[arrival.user] = [None for _ in entry.variants]
        active = sessions[variant]
        if active is None:
            part = entry.variants[variant]
            active = _ActiveSession(Session(part.context, arrival.user), part.scenario, entry.steps[variant])
            sessions[variant] = active
            self._live_sessions.add()
            active.begin(arrival, due, start, began)
            entered = self._guarded(active, True)
            if entered.visited != VisitResult("done"):
                if entered.visited.fate == "interrupted":
                    self.missed(arrival, now())
                elif entered.visited.fate == "failed":  # so that the series has as many failed visits as the ledger
                    active.meter.set_phase(arrival.phase, ())
                    active.meter.record_in(entry.visits[variant], start, now(), entered.failure, 0, arrival.due, None)
                self.leave(arrival.entry, arrival.user)
                return entered.visited
            start = now()
        meter, current = active.meter, active.current
        active.begin(arrival, due, start, began)
        current.first_due = arrival.due
        current.began = start
        outcome = self._guarded(active, False)
        if current.interrupted:
            current.interrupted = False
            if outcome is _DONE:  # its code has handled the exception
                outcome = _HANDLED
        current.first_due = None
        begun, current.began = current.began, None
        if begun is not None and outcome is not _NO_ROW:  # else `abandoned` has recorded it, or it has no duration
            meter.set_phase(arrival.phase, ())
            meter.record_in(entry.visits[variant], start, now(), outcome.failure, 0, arrival.due, None)
        return outcome.visited

    def missed(self, arrival: Arrival, now: float) -> None:
        """Record a censored response time, from its due time to *now*, for a visit that was due and never began."""
        due = arrival.due
        if due is None:
            return
        entry = self._entries[arrival.entry]
        variant = entry.variant_of(arrival, due, now, self._began)
        meter = self._meters.get((arrival.entry, variant))
        if meter is None:
            meter = entry.variants[variant].context.meter.fork()
            self._meters[arrival.entry, variant] = meter
        meter.set_phase(arrival.phase, ())
        meter.record("visit", "visit", now, now, NEVER_BEGUN, 0, due)

    def abandoned(self, arrival: Arrival) -> None:
        """Record a visit that could not be interrupted, censored at the current time."""
        active = self._active(arrival)
        start = None if active is None else active.current.began
        if active is None or start is None:
            self.missed(arrival, self._entries[arrival.entry].now())
            return
        active.current.began = None
        meter = active.meter.fork()
        meter.set_phase(arrival.phase, ())
        meter.record("visit", "visit", start, meter.clock.now(), ABANDONED, 0, arrival.due)

    def interrupted(self, arrival: Arrival, endless: str) -> None:
        """Record a visit as interrupted, with its open blocks, even if its code handles the exception."""
        active = self._active(arrival)
        if active is None:
            return
        active.current.endless = endless != ""
        if not endless:
            active.current.interrupted = True
            cut_open_blocks(active.meter.activity)

    def unended(self, arrival: Arrival) -> None:
        """Record what is still open of a visit that was abandoned, censored at the current time."""
        active = self._active(arrival)
        if active is not None:
            endless = active.current.endless or endless_reason(active.session.endless_work, None) != ""
            record_open_blocks(active.meter.activity, active.meter.now(), endless=endless)

    def endless(self, arrival: Arrival, frame: FrameType | None) -> str:
        """Return why a visit that is interrupted has no natural end, "" where it has one; see `endless_reason`."""
        active = self._active(arrival)
        return "" if active is None else endless_reason(active.session.endless_work, frame)

    def _active(self, arrival: Arrival) -> _ActiveSession | None:
        """Return the session that makes the visit of an arrival now."""
        for active in self._entries[arrival.entry].users.get(arrival.user, []):
            if active is not None and active.greenlet.active:
                return active
        return None

    def leave(self, entry: int, user: int) -> None:
        """Run a user's `cleanup`, which is limited in time, and close its connections."""
        for active in self._entries[entry].users.pop(user, []):
            if active is None:
                continue
            self._live_sessions.remove()
            active.greenlet.attach()
            set_current(active.session)
            try:
                active.scenario.run_cleanup(active.session)
                if forks.forking_greenlet is not None:
                    forks.end_if_forking_greenlet()
            except BaseException as exc:
                if forks.forking_greenlet is not None:
                    forks.end_if_forking_greenlet(exc)
                if is_signal(exc):
                    raise
                clear_listed(exc)  # recorded as «step cleanup»; the session is over
            finally:
                set_current(None)
                active.greenlet.detach()
                active.session._close()

    def _guarded(self, active: _ActiveSession, init: bool) -> _Outcome:
        """Run the steps, or `init`, then wait for tasks; turn any exception but signals into an outcome."""
        outcome = _DONE
        greenlet = active.greenlet.attach()
        ensure_current(greenlet, active.session)
        try:
            try:
                if init:
                    active.run_init()
                else:
                    active.run_steps()
                if forks.forking_greenlet is not None:
                    forks.end_if_forking_greenlet()
            except BaseException as exc:
                if forks.forking_greenlet is not None:
                    forks.end_if_forking_greenlet(exc)
                if is_interrupt(exc):
                    raise
                outcome = self._failed(active.session, exc)
            active.tasks.wait_all()
            active.clients.close_streams()
        except BaseException as exc:
            if not is_interrupt(exc):
                outcome = self._failed(active.session, exc)
            else:
                active.greenlet.detach()
                active.tasks.end()
                if not is_ours(exc):
                    raise
                outcome = _NO_ROW if type(exc) is FeedEmpty else _interrupted(exc)
        finally:
            active.greenlet.detach()
        return outcome

    @staticmethod
    def _failed(session: Session, exc: BaseException) -> _Outcome:
        failure = failure_of(exc)
        clear_listed(exc)  # the visit is the outermost that counts it
        if type(exc) is VisitTimeout and exc.expired:
            return _Outcome(VisitResult("interrupted"), failure)
        if type(exc) is not StepFailed or exc.policy is None:
            return _Outcome(VisitResult("failed", unconnected=is_unconnected(exc)), failure)
        if exc.policy == "stop-run":
            cause = exc if exc.__cause__ is None else exc.__cause__  # its truth is what its class says
            session.context.stop_run(f"a step failed: {text_of(cause)}")
        return _Outcome(VisitResult("failed", stays=False), failure)


class _Outcome(NamedTuple):
    visited: VisitResult
    failure: Failure | None = None


def _interrupted(exc: BaseException) -> _Outcome:
    return _Outcome(VisitResult("interrupted", stays=False), failure_of(exc, natural=False)._replace(listed=False))


_DONE: Final = _Outcome(VisitResult("done"))
_HANDLED: Final = _Outcome(VisitResult("interrupted", stays=False), ABANDONED)
_NO_ROW: Final = _Outcome(VisitResult("no_row", stays=False))
