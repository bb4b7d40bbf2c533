"""One virtual user's hands, with its memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

from chaperon.clock import Clock
from chaperon.errors import SessionAborted
from chaperon.load.arrivals import chance
from chaperon.measure.meter import Meter
from chaperon.script.config import Config
from chaperon.script.hands import Hands
from chaperon.script.measuring import Metrics
from chaperon.script.scene import Scene, Visit
from chaperon.script.sockets import Sockets
from chaperon.script.state import State
from chaperon.script.steps import OnError
from chaperon.script.tasks import Task, Tasks
from chaperon.script.verbs import Verbs

LOG = logging.getLogger("chaperon.scenario")


class Session(Verbs, Sockets, Metrics):
    """What a scenario function gets as its first argument; methods return what they did, never the session."""

    def __init__(self, scene: Scene, user: int, *, parent: Session | None = None) -> None:
        self.scene = scene
        self.clock: Clock = scene.clock
        self.meter: Meter = (scene if parent is None else parent).meter.fork()
        self.on_error: OnError = scene.on_error
        self.config = Config(scene.config)
        self.tasks: Tasks = Tasks(scene.clock)
        self.parent = parent
        self.first_due: float | None = None
        self._user = user
        self._children = 0
        self._random: Random | None = None
        self._hands: Hands = Hands(scene, self.meter) if parent is None else parent._hands
        self.id: str = f"{scene.meter.scenario}-{user}" if parent is None else f"{parent.id}.{parent._children}"
        self.assigned: State = State() if parent is None else State(parent.assigned)
        self.visit: Visit = Visit(0, user, 0.0, 0.0) if parent is None else parent.visit

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    # Memory

    def assign(self, **values: Any) -> None:
        """Remember *values*: `session.assigned.name` or `session.assigned["name"]`."""
        self.assigned.update(values)

    @property
    def random(self) -> Random:
        """A random source that depends on the seed, the entry, the user, the visit alone."""
        if self._random is None:
            self._random = chance(self.scene.seed, self.scene.entry, self.id, self.visit.number)
        return self._random

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that says which session speaks; quiet unless logging is set up."""
        return _Prefixed(LOG, {"session": self.id})

    # Tasks

    def spawn(self, work: Callable[..., Any], *args: Any, task: str | None = None, **keywords: Any) -> Task:
        """Start `work(child, *args)` beside this session, as «task NAME»; return at once.

        The child is a session of its own that shares hands and config and has a copy of
        what is assigned. A method of this session is called on the child instead.
        """
        self._children += 1
        child = Session(self.scene, self._user, parent=self)
        name = task or str(getattr(work, "__name__", type(work).__name__))
        if getattr(work, "__self__", None) is self:
            deed = partial(getattr(child, work.__name__), *args, **keywords)
        else:
            deed = partial(work, child, *args, **keywords)
        return self.tasks.add(Task(name, child, deed))

    def join(self, *tasks: str | Task, timeout: float | None = None) -> Any:
        """Wait for tasks by name and return their values in order; one task, its value.

        One name that was spawned often means all of them, oldest first. Raises what a task
        raised, TaskMissing, JoinTimeout.
        """
        return self.tasks.join(tasks, timeout)

    # Endings

    def abort(self, reason: str) -> NoReturn:
        """End this session: its visit counts as interrupted, its cleanup still runs."""
        raise SessionAborted(reason)

    def stop_run(self, reason: str) -> NoReturn:
        """End the whole run as ABORTED; visits in flight may finish within the grace time."""
        self.scene.stop_run(reason)
        raise SessionAborted(reason)

    def begin(self, visit: Visit) -> None:
        """Take up a visit: what is random starts anew."""
        self.visit = visit
        self._random = None

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
