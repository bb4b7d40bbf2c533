"""The session of one virtual user: the object that scenario functions get as their first argument."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from chaperon.client.current_session import set_current
from chaperon.clock import Clock, seconds
from chaperon.errors import SessionAborted, UsageError
from chaperon.interrupts import marked
from chaperon.load.current_visit import CurrentVisit
from chaperon.measure.meter import Meter
from chaperon.measure.sample import SessionActivity
from chaperon.session.clients import SessionClients
from chaperon.session.config import Config
from chaperon.session.context import OnError, SessionContext
from chaperon.session.data import DataMethods
from chaperon.session.endless import EndlessWork
from chaperon.session.flow import FlowMethods
from chaperon.session.http import HttpMethods
from chaperon.session.metrics import MetricMethods
from chaperon.session.periodic import Every
from chaperon.session.signals import ANY, Mailbox
from chaperon.session.spawning import TaskMethods
from chaperon.session.state import State, StateMethods
from chaperon.session.tasks import TaskList, VisitGreenlet
from chaperon.session.websockets import WebSocketMethods

LOG = logging.getLogger("chaperon.scenario")


class Nestable(Protocol):
    """What `Session.run` needs of a scenario."""

    @property
    def label(self) -> str: ...

    def run_nested(self, session: Any) -> None:
        """Run `init`, the steps, `cleanup`."""


class Session(HttpMethods, WebSocketMethods, MetricMethods, StateMethods, FlowMethods, TaskMethods, DataMethods):
    """One virtual user: clients, tasks, state and test data; the first argument of every scenario function."""

    def __init__(self, context: SessionContext, user: int, *, parent: Session | None = None) -> None:
        self.context = context
        self.clock: Clock = context.clock
        self.meter: Meter = (context if parent is None else parent).meter.fork()
        self.on_error: OnError = context.on_error
        self.tasks: TaskList = TaskList(context.clock)
        self._parent = parent
        self._user = user
        self._mailbox = Mailbox(context.clock)
        if parent is None:
            self.meter.activity = SessionActivity(user)
            self.id: str = f"{context.meter.scenario}-{user}"
            self.config = Config(context.config)
            self.assigned: State = State()
            self.visit_greenlet = VisitGreenlet()
            self._clients: SessionClients = SessionClients(context, self.meter)
            self._current = CurrentVisit(user)
        else:
            parent._current.tasks.n += 1
            place = parent._current.tasks.n
            self.id = f"{parent.id}.{place}"
            self.config = parent.config.with_values(None)
            self.assigned = parent.assigned.copied()
            self.visit_greenlet = parent.visit_greenlet
            self._clients = parent._clients.fork(self.meter)
            self._current = parent._current.for_task(f"{parent._random_key}.{place}", context.clock.now())
        self.endless_work = EndlessWork(self._clients)

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    @property
    def parent(self) -> Session:
        """The session that spawned this one; raises UsageError for a session that was not spawned."""
        if self._parent is None:
            raise UsageError(f"session {self.id} has no parent: only what `session.spawn` starts has one")
        return self._parent

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that prefixes each message with the id of the session; it prints only if logging is configured."""
        return _Prefixed(LOG, {"session": self.id})

    # Waiting for others

    def _child(self) -> Session:
        """Return a session for a task."""
        return Session(self.context, self._user, parent=self)

    def signal(self, value: Any) -> None:
        """Send this session a signal, for its `wait_signal`: `session.parent.signal("ready")`."""
        self._mailbox.put(value)

    def wait_signal(self, expected: Any = ANY, *, timeout: float | str | None = None) -> Any:
        """Block until a matching signal arrives, at most *timeout* (None: without limit); return the oldest one.

        *expected* is a value to compare with, or a predicate; without it, any signal matches.
        Signals that do not match are kept for later calls. Raises SignalTimeout.
        """
        return self._mailbox.receive(expected, None if timeout is None else seconds(timeout))

    def every(self, span: float | str, work: Callable[..., Any]) -> Every:
        """Call *work*, with this session if it takes an argument, every *span* while a `with` block waits.

        It can keep a connection alive: `with session.every("30s", ws.ping): …`.
        """
        return Every(self, seconds(span), work)

    def rendezvous(self, name: str, n: int, *, timeout: float | str = 60.0) -> int:
        """Block until *n* sessions of this process have called this with *name*; return the order of arrival, from 0.

        Raises RendezvousTimeout after *timeout*.
        """
        return self.context.rendezvous.meet(name, n, seconds(timeout))

    # Scenarios within this one

    def run(self, scenario: Nestable | Callable[..., Any], config: Mapping[str, Any] | None = None) -> None:
        """Run `init`, the steps and `cleanup` of a scenario within this visit, timed as «call LABEL».

        A function stands for a scenario of one step.

        The scenario shares this session's cookies and assigned values. It has its own copy of
        the config with *config* merged in; this session's config does not change. Its series
        are labelled "outer/inner". Raises what its steps raise; an abort also ends this session.
        """
        nested: Any = scenario
        if not hasattr(scenario, "run_nested"):
            if not callable(scenario) or self.context.scenario_of is None:
                raise UsageError(f"session.run takes a Scenario or a function, got {scenario!r}")
            nested = self.context.scenario_of(scenario)
        with self.measure(nested.label):
            inner = self._nested(nested.label, config)
            outer = set_current(inner)
            try:
                nested.run_nested(inner)
            finally:
                set_current(outer)
                inner.tasks.end()

    def _nested(self, label: str, config: Mapping[str, Any] | None) -> Session:
        """Return a copy of this session for a nested scenario, with its own label, config and tasks."""
        self.random  # noqa: B018 - from here on, both draw from one source
        inner = copy(self)
        inner.meter = self.meter.inner(label)
        inner.config = self.config.with_values(config)
        inner.tasks = TaskList(self.clock)
        inner._current = self._current.nested()
        inner._clients = self._clients.fork(inner.meter)
        return inner

    # Endings

    def abort(self, reason: str) -> NoReturn:
        """End this session with all its tasks: its visit counts as interrupted, its cleanup still runs."""
        raise marked(SessionAborted(reason))

    def stop_run(self, reason: str) -> NoReturn:
        """End this session and the whole run, which is ABORTED; visits in flight may finish within the grace time."""
        self.context.stop_run(reason)
        raise marked(SessionAborted(reason))

    def _close(self) -> None:
        """End all running tasks; close every connection."""
        self.tasks.end()
        self._clients.close()


class _Prefixed(logging.LoggerAdapter[logging.Logger] if TYPE_CHECKING else logging.LoggerAdapter):  # type: ignore[misc]
    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return f"[{(self.extra or {})['session']}] {msg}", kwargs
