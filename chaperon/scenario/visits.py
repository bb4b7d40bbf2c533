"""The visits of a run: each user's session is opened, used for its visits, and closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, NamedTuple

from chaperon.client.current_session import mark_greenlet, set_current
from chaperon.errors import FeedEmpty, StepFailed, VisitTimeout
from chaperon.interrupts import is_interrupt, is_ours, is_signal
from chaperon.load.arrivals import Arrival
from chaperon.load.engine import VisitResult
from chaperon.measure.exception_text import text_of
from chaperon.measure.failures import clear_listed, failure_of, is_unconnected
from chaperon.measure.meter import Meter
from chaperon.measure.sample import NEVER_BEGUN, Failure
from chaperon.scenario.scenario import Mix, Scenario
from chaperon.session.context import SessionContext, VisitInfo
from chaperon.session.endless import endless_reason
from chaperon.session.session import Session

_tuple: Any = tuple.__new__

ABANDONED = Failure("interrupted", listed=False, censored=True)
"""The failure of a visit that could not be interrupted."""


@dataclass(frozen=True)
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


class VisitRunner:
    """Makes the visits of a run, one for each `visit` call of the engine."""

    def __init__(self, entries: Sequence[EntryRunner], *, began: float) -> None:
        self._entries = entries
        self._variants = [entry.variants() for entry in entries]
        self._began = began
        self._sessions: dict[tuple[int, int], dict[int, Session]] = {}
        self._meters: dict[tuple[int, int], Meter] = {}

    def visit(self, arrival: Arrival) -> VisitResult:
        """Run one visit, its session's `init` first if it is new."""
        entry = self._entries[arrival.entry]
        now, began = entry.context.clock.now, self._began
        start = now()
        due = start if arrival.due is None else arrival.due
        # mypyc: calling a NamedTuple runs a function of the interpreter
        place = _tuple(VisitInfo, (arrival.number, arrival.user, due - began, start - began))
        variants = self._variants[arrival.entry]
        variant = 0 if len(variants) == 1 else entry.variant_of(place)
        part = variants[variant]
        sessions = self._sessions.get((arrival.entry, arrival.user))
        if sessions is None:
            sessions = self._sessions[arrival.entry, arrival.user] = {}
        session = sessions.get(variant)
        if session is None:
            session = sessions[variant] = Session(part.context, arrival.user)
            session.meter.set_phase(arrival.phase, ())
            session._begin_visit(place, start)
            entered = self._guarded(session, part.scenario.run_init)
            if entered.visited != VisitResult("done"):
                if entered.visited.fate == "interrupted":
                    self.missed(arrival, now())
                self.leave(arrival.entry, arrival.user)
                return entered.visited
            start = now()
            place = VisitInfo(arrival.number, arrival.user, due - began, start - began)
        meter = session.meter
        meter.set_phase(arrival.phase, ())
        session._begin_visit(place, start)
        session.first_due = arrival.due
        session.steps_began = start
        outcome = self._guarded(session, part.scenario.run_steps)
        session.first_due = None
        begun, session.steps_began = session.steps_began, None
        if begun is not None and outcome is not _NO_ROW:  # else `abandoned` has recorded it, or it has no duration
            meter.set_phase(arrival.phase, ())
            meter.record("visit", "visit", start, now(), outcome.failure, 0, arrival.due)
        return outcome.visited

    def missed(self, arrival: Arrival, now: float) -> None:
        """Record a censored response time, from its due time to *now*, for a visit that was due and never began."""
        due = arrival.due
        if due is None:
            return
        place = VisitInfo(arrival.number, arrival.user, due - self._began, now - self._began)
        variant = self._entries[arrival.entry].variant_of(place)
        meter = self._meters.get((arrival.entry, variant))
        if meter is None:
            meter = self._variants[arrival.entry][variant].context.meter.fork()
            self._meters[arrival.entry, variant] = meter
        meter.set_phase(arrival.phase, ())
        meter.record("visit", "visit", now, now, NEVER_BEGUN, 0, due)

    def abandoned(self, arrival: Arrival) -> None:
        """Record a visit that could not be interrupted, censored at the current time."""
        session = self._active(arrival)
        start = None if session is None else session.steps_began
        if session is None or start is None:
            self.missed(arrival, self._entries[arrival.entry].context.clock.now())
            return
        session.steps_began = None
        meter = session.meter.fork()
        meter.set_phase(arrival.phase, ())
        meter.record("visit", "visit", start, meter.clock.now(), ABANDONED, 0, arrival.due)

    def endless(self, arrival: Arrival, frame: FrameType | None) -> str:
        """Return why a visit that is interrupted has no natural end, "" where it has one; see `endless_reason`."""
        session = self._active(arrival)
        return "" if session is None else endless_reason(session.endless_work, frame)

    def _active(self, arrival: Arrival) -> Session | None:
        """Return the session that makes the visit of an arrival now."""
        sessions = self._sessions.get((arrival.entry, arrival.user), {})
        return next((session for session in sessions.values() if session.visit_greenlet.active), None)

    def leave(self, entry: int, user: int) -> None:
        """Run a user's `cleanup`, which is limited in time, and close its connections."""
        for variant, session in self._sessions.pop((entry, user), {}).items():
            session.visit_greenlet.attach()
            set_current(session)
            try:
                self._variants[entry][variant].scenario.run_cleanup(session)
            except BaseException as exc:
                if is_signal(exc):
                    raise
                clear_listed(exc)  # recorded as «step cleanup»; the session is over
            finally:
                set_current(None)
                session.visit_greenlet.detach()
                session._close()

    def _guarded(self, session: Session, work: Callable[[Session], None]) -> _Outcome:
        """Call *work*, then wait for its tasks; turn any exception but signals into an outcome."""
        outcome = _DONE
        greenlet = session.visit_greenlet.attach()
        mark_greenlet(greenlet, session)
        try:
            try:
                work(session)
            except BaseException as exc:
                if is_interrupt(exc):
                    raise
                outcome = self._failed(session, exc)
            session._finish_visit()
        except BaseException as exc:
            if not is_interrupt(exc):
                outcome = self._failed(session, exc)
            else:
                session.visit_greenlet.detach()
                session.tasks.end()
                if not is_ours(exc):
                    raise
                outcome = _NO_ROW if type(exc) is FeedEmpty else _interrupted(exc)
        finally:
            mark_greenlet(greenlet, None)
            session.visit_greenlet.detach()
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


_DONE = _Outcome(VisitResult("done"))
_NO_ROW = _Outcome(VisitResult("no_row", stays=False))
