"""One virtual user's hands, with its memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from chaperon.clock import Clock
from chaperon.errors import SessionAborted, UsageError
from chaperon.load.arrivals import chance
from chaperon.measure.meter import Meter
from chaperon.measure.sample import Failure
from chaperon.script.config import Config
from chaperon.script.measuring import Measure
from chaperon.script.state import State
from chaperon.script.steps import OnError
from chaperon.script.tasks import Task, Tasks

if TYPE_CHECKING:
    from requests import Response
    from requests.cookies import RequestsCookieJar

    from chaperon.client.http import Http
    from chaperon.client.service import Service

LOG = logging.getLogger("chaperon.scenario")
DEFAULT = "default"


class StopRun(Protocol):
    """Who can end the whole run."""

    def __call__(self, reason: str) -> None: ...


@dataclass(frozen=True)
class Scene:
    """What all sessions of one entry have in common."""

    entry: int
    meter: Meter
    clock: Clock
    config: Mapping[str, Any]
    services: Mapping[str, Service]
    seed: int
    stop_run: StopRun
    on_error: OnError = "next-visit"


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit a session is on: moments are seconds from the start of the run."""

    number: int
    user: int
    due: float
    started: float


class Hands:
    """One cookie jar, with a `requests` session for each service that is used."""

    __slots__ = ("_cookies", "_https", "_meter", "_scene")

    def __init__(self, scene: Scene, meter: Meter) -> None:
        self._scene = scene
        self._meter = meter
        self._https: dict[str, Http] = {}
        self._cookies: RequestsCookieJar | None = None

    def of(self, name: str) -> Http:
        """Return the session's HTTP towards one service; raises UsageError for an unknown one."""
        http = self._https.get(name)
        if http is None:
            from chaperon.client.http import Http  # late: requests brings ssl, which must be patched first

            service = self._scene.services.get(name)
            if service is None:
                raise UsageError(
                    f"no service {name!r} in this environment; there are {', '.join(self._scene.services)}"
                )
            http = self._https[name] = Http(self._meter, service, self._cookies)
            self._cookies = http.cookies
        return http

    def let_go(self) -> None:
        """Close what was streamed and left open."""
        for http in self._https.values():
            http.let_go()

    def close(self) -> None:
        """Close every connection."""
        for http in self._https.values():
            http.close()


class Session:
    """What a scenario function gets as its first argument.

    Methods return what they did, never the session. The HTTP verbs take every keyword of
    `requests`, and beside them *name* (of the series), *expect* (which responses are good)
    and *service* (a named one of the environment); they raise what `requests` raises.
    """

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

    # HTTP

    @property
    def http(self) -> Http:
        """The `requests.Session` beneath, for an SDK that wants one; measured like the verbs."""
        return self._hands.of(DEFAULT)

    def request(self, method: str, path: str = "", *, service: str = DEFAULT, **keywords: Any) -> Response:
        """Send a request with any method."""
        return self._hands.of(service).request(method, path, **keywords)

    def get(self, path: str = "", params: Any = None, **keywords: Any) -> Response:
        """Send a GET request."""
        return self.request("GET", path, params=params, **keywords)

    def options(self, path: str = "", **keywords: Any) -> Response:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", path, **keywords)

    def head(self, path: str = "", **keywords: Any) -> Response:
        """Send a HEAD request; redirects are not followed unless asked for."""
        keywords.setdefault("allow_redirects", False)
        return self.request("HEAD", path, **keywords)

    def post(self, path: str = "", data: Any = None, json: Any = None, **keywords: Any) -> Response:
        """Send a POST request."""
        return self.request("POST", path, data=data, json=json, **keywords)

    def put(self, path: str = "", data: Any = None, **keywords: Any) -> Response:
        """Send a PUT request."""
        return self.request("PUT", path, data=data, **keywords)

    def patch(self, path: str = "", data: Any = None, **keywords: Any) -> Response:
        """Send a PATCH request."""
        return self.request("PATCH", path, data=data, **keywords)

    def delete(self, path: str = "", **keywords: Any) -> Response:
        """Send a DELETE request."""
        return self.request("DELETE", path, **keywords)

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

    # Metrics

    def measure(self, name: str, *, kind: str = "call") -> Measure:
        """Time a `with` block as a series: «call NAME», or NAME itself under a *kind* of your own."""
        due = None
        if kind == "step" and self.first_due is not None:
            due, self.first_due = self.first_due, None  # response time is for a visit's first step
        return Measure(self.meter, name, kind, due)

    def record(self, name: str, value: float, *, unit: str | None = None) -> None:
        """Record one value of a distribution, under NAME or «NAME (UNIT)»."""
        self._take(f"{name} ({unit})" if unit else name, "value", value)

    def count(self, name: str, n: float = 1) -> None:
        """Add *n* to a sum."""
        self._take(name, "count", n)

    def gauge(self, name: str, value: float) -> None:
        """Say what a level is now: its last, lowest, mean, highest are kept."""
        self._take(name, "gauge", value)

    def check(self, name: str, condition: object) -> bool:
        """Count whether *condition* held, as «check NAME»; return it as a bool and never raise."""
        held = bool(condition)
        now = self.clock.now()
        failure = None if held else Failure("check failed", f"check {name} did not hold")
        self.meter.take(f"check {name}", "check", now, now, failure)
        return held

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

    def _take(self, name: str, kind: str, value: float) -> None:
        now = self.clock.now()
        self.meter.take(name, kind, now, now, value=float(value))


class _Prefixed(logging.LoggerAdapter[logging.Logger] if TYPE_CHECKING else logging.LoggerAdapter):  # type: ignore[misc]
    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return f"[{(self.extra or {})['session']}] {msg}", kwargs
