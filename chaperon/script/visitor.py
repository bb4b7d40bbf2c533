"""How arrivals become visits: each user's session, opened, used, closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent

from chaperon.client.response import failure_of
from chaperon.errors import Ended
from chaperon.load.arrivals import Arrival
from chaperon.load.engine import Visited
from chaperon.measure.sample import Failure
from chaperon.script.scenario import Scenario, StepFailed
from chaperon.script.scene import Scene, Visit
from chaperon.script.session import Session
from chaperon.script.steps import bounded, options_of

CLEANUP = 10.0


@dataclass(frozen=True)
class Part:
    """An entry as it is performed: whose steps, in which scene."""

    scenario: Scenario
    scene: Scene


class Visitor:
    """Makes the visits of a run; the engine says when."""

    def __init__(self, parts: Sequence[Part], *, began: float) -> None:
        self._parts = parts
        self._began = began
        self._sessions: dict[tuple[int, int], Session] = {}

    def visit(self, arrival: Arrival) -> Visited:
        """Run one visit, its session's `init` first if it is new."""
        part = self._parts[arrival.entry]
        clock = part.scene.clock
        session = self._sessions.get((arrival.entry, arrival.user))
        now = clock.now()
        due = now if arrival.due is None else arrival.due
        place = Visit(arrival.number, arrival.user, due - self._began, now - self._began)
        fresh = session is None
        if session is None:
            session = self._sessions[arrival.entry, arrival.user] = Session(part.scene, arrival.user)
        session.meter.turn(arrival.phase, ())
        if fresh:
            session.begin(place)
            entered = self._guarded(session, lambda: self._init(part, session))
            if entered.visited.fate != "done":
                self.leave(arrival.entry, arrival.user)
                return entered.visited
        start = clock.now()
        session.begin(Visit(arrival.number, arrival.user, due - self._began, start - self._began))
        session.first_due = arrival.due
        outcome = self._guarded(session, lambda: part.scenario.perform(session))
        session.first_due = None
        session.meter.turn(arrival.phase, ())
        session.meter.take("visit", "visit", start, clock.now(), outcome.failure, due=arrival.due)
        return outcome.visited

    def leave(self, entry: int, user: int) -> None:
        """Run a session's `cleanup`, in bounded time, and close it."""
        session = self._sessions.pop((entry, user), None)
        if session is None:
            return
        part = self._parts[entry]
        cleanup = part.scenario.cleanup
        try:
            if cleanup is not None:
                self._timed(session, "cleanup", cleanup, CLEANUP)
                session.settle()
        except (Exception, Ended, gevent.GreenletExit):
            pass  # recorded as «step cleanup»; the session is over all the same
        finally:
            session.close()

    def _init(self, part: Part, session: Session) -> None:
        if part.scenario.init is not None:
            self._timed(session, "init", part.scenario.init, None)

    def _timed(self, session: Session, name: str, work: Callable[[Session], Any], within: float | None) -> None:
        if options_of(work) is not None:
            bounded(session.clock, within, f"step {name}", lambda: work(session))
            return
        with session.measure(name, kind="step"):
            bounded(session.clock, within, f"step {name}", lambda: work(session))

    def _guarded(self, session: Session, work: Callable[[], None]) -> _Outcome:
        """Do *work*, then wait for its tasks; whatever is raised becomes an outcome."""
        outcome = _Outcome(Visited("done"))
        try:
            try:
                work()
            except Exception as exc:
                outcome = self._failed(session, exc)
            session.settle()
        except (Ended, gevent.GreenletExit) as exc:
            session.tasks.end()
            outcome = _Outcome(Visited("interrupted", stays=False), failure_of(exc)._replace(listed=False))
        except Exception as exc:
            outcome = self._failed(session, exc)
        return outcome

    @staticmethod
    def _failed(session: Session, exc: Exception) -> _Outcome:
        if not isinstance(exc, StepFailed):
            return _Outcome(Visited("failed"), failure_of(exc))
        if exc.policy == "stop-run":
            session.scene.stop_run(f"a step failed: {exc.__cause__}")
        return _Outcome(Visited("failed", stays=False), failure_of(exc))


@dataclass(frozen=True, slots=True)
class _Outcome:
    visited: Visited
    failure: Failure | None = None
