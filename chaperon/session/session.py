"""One virtual user's hands, with its memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from copy import copy
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from chaperon.clock import Clock, seconds
from chaperon.errors import SessionAborted, UsageError
from chaperon.interrupts import marked
from chaperon.measure.meter import Meter
from chaperon.session.clients import SessionClients
from chaperon.session.config import Config
from chaperon.session.context import OnError, SessionContext, VisitInfo
from chaperon.session.data import DataMethods, Feed
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
    """A scenario, as a session that runs it within another sees it."""

    @property
    def label(self) -> str: ...

    def run_nested(self, session: Any) -> None:
        """Run `init`, the steps, `cleanup`."""


class Session(HttpMethods, WebSocketMethods, MetricMethods, StateMethods, FlowMethods, TaskMethods, DataMethods):
    """What a scenario function gets as its first argument; methods return what they did, never the session."""

    def __init__(self, context: SessionContext, user: int, *, parent: Session | None = None) -> None:
        self.context = context
        self.clock: Clock = context.clock
        self.meter: Meter = (context if parent is None else parent).meter.fork()
        self.on_error: OnError = context.on_error
        self.tasks: TaskList = TaskList(context.clock)
        self.first_due: float | None = None
        self.steps_began: Any = None  # a moment or None; Any, for mypyc would trust the type it was narrowed to
        self._parent = parent
        self._user = user
        self._children = count(1)
        self._random: Random | None = None
        self._mailbox = Mailbox(context.clock)
        if parent is None:
            self.id: str = f"{context.meter.scenario}-{user}"
            self.config = Config(context.config)
            self.assigned: State = State()
            self.visit_greenlet = VisitGreenlet()
            self._clients: SessionClients = SessionClients(context, self.meter)
            self.visit: VisitInfo = VisitInfo(0, user, 0.0, 0.0)
            self._cached_random_key: str | None = ""
            self._paced_until = 0.0
            self._rows_taken: dict[Feed, int] = {}
        else:
            place = next(parent._children)
            self.id = f"{parent.id}.{place}"
            self.config = parent.config.with_values(None)
            self.assigned = parent.assigned.copied()
            self.visit_greenlet = parent.visit_greenlet
            self._clients = parent._clients.fork(self.meter)
            self.visit = parent.visit
            self._cached_random_key = f"{parent._random_key}.{place}"
            self._paced_until = context.clock.now()
            self._rows_taken = parent._rows_taken
        self.endless_work = EndlessWork(self._clients)

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    @property
    def parent(self) -> Session:
        """The session that spawned this one; raises UsageError where nobody did."""
        if self._parent is None:
            raise UsageError(f"session {self.id} has no parent: only what `session.spawn` starts has one")
        return self._parent

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that says which session speaks; quiet unless logging is set up."""
        return _Prefixed(LOG, {"session": self.id})

    # Waiting for others

    def _child(self) -> Session:
        """Return a session for a task."""
        return Session(self.context, self._user, parent=self)

    def signal(self, value: Any) -> None:
        """Send this session a signal, for its `wait_signal`: `session.parent.signal("ready")`."""
        self._mailbox.put(value)

    def wait_signal(self, expected: Any = ANY, *, timeout: float | str | None = None) -> Any:
        """Return the oldest signal that is *expected*, waiting for it at most *timeout* (None: for ever).

        *expected* is a value, or a predicate of the signal; without it, any will do. What does
        not fit is kept for a later call. Raises SignalTimeout.
        """
        return self._mailbox.receive(expected, None if timeout is None else seconds(timeout))

    def every(self, span: float | str, work: Callable[..., Any]) -> Every:
        """Call *work*, with this session if it takes an argument, every *span* while a `with` block waits.

        It is what keeps a connection alive meanwhile: `with session.every("30s", ws.ping): …`.
        """
        return Every(self, seconds(span), work)

    def rendezvous(self, name: str, n: int, *, timeout: float | str = 60.0) -> int:
        """Wait until *n* sessions of this process are here, go on together; return one's place, from 0.

        Raises RendezvousTimeout.
        """
        return self.context.rendezvous.meet(name, n, seconds(timeout))

    # Scenarios within this one

    def run(self, scenario: Nestable, config: Mapping[str, Any] | None = None) -> None:
        """Run a scenario whole, from `init` to `cleanup`, within this visit, timed as «call LABEL».

        It has this session's cookies and assigned values, and a config of its own: this one
        with *config* merged in, which nobody sees afterwards. Its series are labelled
        "outer/inner". Raises what its steps raise; an abort ends this session, too.
        """
        if not hasattr(scenario, "run_nested"):
            raise UsageError(f"session.run takes a Scenario, got {scenario!r}")
        with self.measure(scenario.label):
            inner = self._nested(scenario.label, config)
            try:
                scenario.run_nested(inner)
            finally:
                inner.tasks.end()

    def _nested(self, label: str, config: Mapping[str, Any] | None) -> Session:
        """Return this session as a nested scenario sees it."""
        self.random  # noqa: B018 - from here on, both draw from one source
        inner = copy(self)
        inner.meter = self.meter.inner(label)
        inner.config = self.config.with_values(config)
        inner.tasks = TaskList(self.clock)
        inner.first_due = None
        inner._clients = self._clients.fork(inner.meter)
        return inner

    # Endings

    def abort(self, reason: str) -> NoReturn:
        """End this session with all its tasks: its visit counts as interrupted, its cleanup still runs."""
        raise marked(SessionAborted(reason))

    def stop_run(self, reason: str) -> NoReturn:
        """End the whole run as ABORTED; visits in flight may finish within the grace time."""
        self.context.stop_run(reason)
        raise marked(SessionAborted(reason))

    def _begin_visit(self, visit: VisitInfo) -> None:
        """Take up a visit: what is random starts anew."""
        self.visit = visit
        self._random = None
        self._cached_random_key = None
        if self.context.numbering.users is None:
            self._rows_taken.clear()
        self._children = count(1)
        self._paced_until = self.clock.now()

    def _finish_visit(self) -> None:
        """Wait for tasks that nobody joined; close streams that nobody read."""
        self.tasks.wait_all()
        self._clients.close_streams()

    def _close(self) -> None:
        """End what still runs; close every connection."""
        self.tasks.end()
        self._clients.close()


class _Prefixed(logging.LoggerAdapter[logging.Logger] if TYPE_CHECKING else logging.LoggerAdapter):  # type: ignore[misc]
    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return f"[{(self.extra or {})['session']}] {msg}", kwargs
