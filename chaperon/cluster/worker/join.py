"""How a worker joins a run: hello, welcome, download of the scenario, import."""

from __future__ import annotations

import math
import platform
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chaperon._version import VERSION
from chaperon.clock import Clock
from chaperon.cluster.protocol.messages import BundleChunk, Fetch, Hello, Welcome
from chaperon.cluster.transport.link import WorkerLink
from chaperon.errors import ChaperonError
from chaperon.execution.plan import RunPlan
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.background import spawn_watched
from chaperon.load.generator.host import cores
from chaperon.load.share import Share
from chaperon.measure.exception_text import describe, text_of
from chaperon.measure.plain_text import LABEL, encodable

if TYPE_CHECKING:
    from chaperon.execution.environment import Environment

RETRY_INTERVAL = 0.5
"""Seconds between two hellos."""


NO_ANSWER_AFTER = 3.0
"""Seconds without an answer after which a message says so."""

NOT_ADMITTED = "the master has not admitted this worker: its run may be ending, or a worker of the same name be lost"

MAX_NAME_BYTES = 200
"""Bytes of a worker's name in its routing id."""


def routing_id(name: str, number: int, prefix: str = "") -> bytes:
    """Return a routing id with a name, cut to what it has room for, and a number that makes it unique.

    ZeroMQ allows 255 bytes; a connection after the first adds its own number.
    """
    return f"{prefix}{name.encode()[:MAX_NAME_BYTES].decode(errors='ignore')}/{number}".encode()


@lazy_dataclass(frozen=True, slots=True)
class Identity:
    """A worker: its name, a number for this process, and its capacity, 1 being the usual."""

    name: str
    incarnation: int
    capacity: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", encodable(self.name, LABEL))

    @property
    def routing_id(self) -> bytes:
        """The ZeroMQ routing id of its sockets."""
        return routing_id(self.name, self.incarnation)

    @property
    def hello(self) -> Hello:
        """Its first message to a master."""
        return Hello(
            self.name,
            self.incarnation,
            VERSION,
            platform.python_version(),
            encodable(socket.gethostname(), LABEL),
            cores(),
            self.capacity,
        )


LoadEnvironment = Callable[[Welcome, bytes], "Environment"]
"""Makes the environment from a welcome and the content of the bundle. Raises ChaperonError."""


@lazy_dataclass(frozen=True, slots=True)
class Joined:
    """The result of joining: a plan with its shares by name, or the reason why there is none.

    *final*: the worker gives up, a further attempt is of no use.
    """

    plan: RunPlan | None = None
    shares: Mapping[str, Share] | None = None
    why: str = ""
    final: bool = False


class Join:
    """Joins a master and loads the scenario, then calls *on_joined* once.

    Without *fetch_bundle* the master's bundle is not downloaded. It waits *timeout* seconds for the
    master's answer, None: without limit; *notify* is called when that takes long.
    """

    def __init__(
        self,
        link: WorkerLink,
        identity: Identity,
        load_environment: LoadEnvironment,
        clock: Clock,
        on_joined: Callable[[Joined], None],
        *,
        fetch_bundle: bool = True,
        timeout: float | None = None,
        notify: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.welcome: Welcome | None = None
        self._link = link
        self._identity = identity
        self._load_environment = load_environment
        self._clock = clock
        self._on_joined = on_joined
        self._fetch_bundle = fetch_bundle
        self._timeout = timeout
        self._notify = notify
        self._began = clock.now()
        self._obstacle = NOT_ADMITTED
        self._notified = False
        self._bundle = bytearray()
        self._last_hello_at = -math.inf
        self._loading = False

    def tick(self) -> None:
        """Repeat the hello, or the request for the next chunk."""
        if self.welcome is None:
            if self._clock.now() - self._last_hello_at >= RETRY_INTERVAL:
                self._last_hello_at = self._clock.now()
                self._link.send(self._identity.hello)
                self._check_timeout(self._clock.now() - self._began)
        elif self._incomplete(self.welcome):
            self._fetch(self.welcome)

    def extend_deadlines(self, gap: float) -> None:
        """Wait *gap* seconds longer for a master: this process did not run meanwhile."""
        self._began += gap

    def on_refused(self, why: str, final: bool) -> None:
        """Record why the master cannot be joined; *final*: a further attempt is of no use."""
        if self.welcome is None:
            self._obstacle = why
            if final:
                self._on_joined(Joined(why=why, final=True))

    def on_connected(self) -> None:
        """Record that a connection to a master is open: what was in the way before is not any more."""
        self._obstacle = NOT_ADMITTED

    def handle_welcome(self, welcome: Welcome) -> bool:
        """Handle the master's welcome; return whether it is the first."""
        if self.welcome is not None:
            return False
        self.welcome = welcome
        self._proceed(welcome)
        return True

    def handle_chunk(self, chunk: BundleChunk) -> None:
        """Handle a chunk of the scenario; ignore any but the next one."""
        welcome = self.welcome
        if welcome is None or chunk.digest != welcome.digest or chunk.offset != len(self._bundle):
            return
        self._bundle += chunk.data
        self._proceed(welcome)

    def _proceed(self, welcome: Welcome) -> None:
        if self._incomplete(welcome):
            self._fetch(welcome)
        elif not self._loading:
            self._loading = True
            spawn_watched("loading the scenario", self._load, welcome, on_fault=self._failed, ends=True)

    def _check_timeout(self, waited: float) -> None:
        if self._timeout is not None and waited > self._timeout:
            self._on_joined(Joined(why=f"{self._obstacle}, after {waited:.0f} s", final=True))
        elif waited > NO_ANSWER_AFTER and not self._notified:
            self._notified = True
            self._notify(f"worker {self._identity.name}: {self._obstacle}; still trying")

    def _incomplete(self, welcome: Welcome) -> bool:
        return self._fetch_bundle and len(self._bundle) < welcome.size

    def _fetch(self, welcome: Welcome) -> None:
        self._link.send(Fetch(welcome.digest, len(self._bundle)))

    def _failed(self, text: str) -> None:
        self._on_joined(Joined(why=text))

    def _load(self, welcome: Welcome) -> None:
        try:
            environment = self._load_environment(welcome, bytes(self._bundle))
            plan = environment.plan(welcome.secrets).with_setup_result(welcome.setup_result)
            shares = {share.name: share for share in plan.shares(welcome.shares)}
        except ChaperonError as exc:
            self._on_joined(Joined(why=text_of(exc)))
        except BaseException as exc:  # raised by the scenario's code: reported to the master
            self._on_joined(Joined(why=describe(exc)))
        else:
            self._on_joined(Joined(plan, shares))
