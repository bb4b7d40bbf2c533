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
from chaperon.session.endless import OpenEnds
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

    def whole(self, session: Any) -> None:
        """Run `init`, the steps, `cleanup`."""


class Session(HttpMethods, WebSocketMethods, MetricMethods, StateMethods, FlowMethods, TaskMethods, DataMethods):
    """What a scenario function gets as its first argument; methods return what they did, never the session."""

    def __init__(self, scene: SessionContext, user: int, *, parent: Session | None = None) -> None:
        self.scene = scene
        self.clock: Clock = scene.clock
        self.meter: Meter = (scene if parent is None else parent).meter.fork()
        self.on_error: OnError = scene.on_error
        self.tasks: TaskList = TaskList(scene.clock)
        self.first_due: float | None = None
        self.steps_began: Any = None  # a moment or None; Any, for mypyc would trust the type it was narrowed to
        self._parent = parent
        self._user = user
        self._children = count(1)
        self._random: Random | None = None
        self._mailbox = Mailbox(scene.clock)
        if parent is None:
            self.id: str = f"{scene.meter.scenario}-{user}"
            self.config = Config(scene.config)
            self.assigned: State = State()
            self.life = VisitGreenlet()
            self._hands: SessionClients = SessionClients(scene, self.meter)
            self.visit: VisitInfo = VisitInfo(0, user, 0.0, 0.0)
            self._luck: str | None = ""
            self._paced = 0.0
            self._taken: dict[Feed, int] = {}
        else:
            place = next(parent._children)
            self.id = f"{parent.id}.{place}"
            self.config = parent.config.within(None)
            self.assigned = parent.assigned.copied()
            self.life = parent.life
            self._hands = parent._hands.fork(self.meter)
            self.visit = parent.visit
            self._luck = f"{parent.luck}.{place}"
            self._paced = scene.clock.now()
            self._taken = parent._taken
        self.open_ends = OpenEnds(self._hands)

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

    def child(self) -> Session:
        """Return a session for a task."""
        return Session(self.scene, self._user, parent=self)

    def signal(self, value: Any) -> None:
        """Send this session a signal, for its `wait_signal`: `session.parent.signal("ready")`."""
        self._mailbox.put(value)

    def wait_signal(self, expected: Any = ANY, *, timeout: float | str | None = None) -> Any:
        """Return the oldest signal that is *expected*, waiting for it at most *timeout* (None: for ever).

        *expected* is a value, or a predicate of the signal; without it, any will do. What does
        not fit is kept for a later call. Raises SignalTimeout.
        """
        return self._mailbox.take(expected, None if timeout is None else seconds(timeout))

    def every(self, span: float | str, work: Callable[..., Any]) -> Every:
        """Call *work*, with this session if it takes an argument, every *span* while a `with` block waits.

        It is what keeps a connection alive meanwhile: `with session.every("30s", ws.ping): …`.
        """
        return Every(self, seconds(span), work)

    def rendezvous(self, name: str, n: int, *, timeout: float | str = 60.0) -> int:
        """Wait until *n* sessions of this process are here, go on together; return one's place, from 0.

        Raises RendezvousTimeout.
        """
        return self.scene.rendezvous.meet(name, n, seconds(timeout))

    # Scenarios within this one

    def run(self, scenario: Nestable, config: Mapping[str, Any] | None = None) -> None:
        """Run a scenario whole, from `init` to `cleanup`, within this visit, timed as «call LABEL».

        It has this session's cookies and assigned values, and a config of its own: this one
        with *config* merged in, which nobody sees afterwards. Its series are labelled
        "outer/inner". Raises what its steps raise; an abort ends this session, too.
        """
        if not hasattr(scenario, "whole"):
            raise UsageError(f"session.run takes a Scenario, got {scenario!r}")
        with self.measure(scenario.label):
            inner = self._within(scenario.label, config)
            try:
                scenario.whole(inner)
            finally:
                inner.tasks.end()

    def _within(self, label: str, config: Mapping[str, Any] | None) -> Session:
        """Return this session as a nested scenario sees it."""
        self.random  # noqa: B018 - from here on, both draw from one source
        inner = copy(self)
        inner.meter = self.meter.inner(label)
        inner.config = self.config.within(config)
        inner.tasks = TaskList(self.clock)
        inner.first_due = None
        inner._hands = self._hands.fork(inner.meter)
        return inner

    # Endings

    def abort(self, reason: str) -> NoReturn:
        """End this session with all its tasks: its visit counts as interrupted, its cleanup still runs."""
        raise marked(SessionAborted(reason))

    def stop_run(self, reason: str) -> NoReturn:
        """End the whole run as ABORTED; visits in flight may finish within the grace time."""
        self.scene.stop_run(reason)
        raise marked(SessionAborted(reason))

    def begin(self, visit: VisitInfo) -> None:
        """Take up a visit: what is random starts anew."""
        self.visit = visit
        self._random = None
        self._luck = None
        if self.scene.crowd.users is None:
            self._taken.clear()
        self._children = count(1)
        self._paced = self.clock.now()

    def settle(self) -> None:
        """Wait for tasks that nobody joined; close streams that nobody read."""
        self.tasks.settle()
        self._hands.let_go()

    def close(self) -> None:
        """End what still runs; close every connection."""
        self.tasks.end()
        self._hands.close()


class _Prefixed(logging.LoggerAdapter[logging.Logger] if TYPE_CHECKING else logging.LoggerAdapter):  # type: ignore[misc]
    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return f"[{(self.extra or {})['session']}] {msg}", kwargs
