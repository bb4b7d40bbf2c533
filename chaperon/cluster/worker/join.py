"""How a worker comes to know what it is to run: it knocks, fetches the scenario, imports it."""

from __future__ import annotations

import math
import platform
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaperon._version import VERSION
from chaperon.clock import Clock
from chaperon.cluster.protocol.messages import BundleChunk, Fetch, Hello, Welcome
from chaperon.cluster.transport.link import WorkerLink
from chaperon.errors import ChaperonError
from chaperon.execution.plan import RunPlan
from chaperon.load.background import spawn_watched
from chaperon.load.generator.host import cores
from chaperon.load.share import Share
from chaperon.measure.exception_text import describe, text_of
from chaperon.measure.plain_text import LABEL, encodable

if TYPE_CHECKING:
    from chaperon.execution.environment import Environment

RETRY_INTERVAL = 0.5
"""Seconds between two attempts to be let in."""


NO_ANSWER_AFTER = 3.0
"""Seconds after which it is said that nobody answers."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a worker is: a name of its own, a number for this life of it, how much it takes."""

    name: str
    incarnation: int
    capacity: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", encodable(self.name, LABEL))

    @property
    def routing_id(self) -> bytes:
        """What its sockets are known by."""
        return f"{self.name}/{self.incarnation}".encode()

    @property
    def hello(self) -> Hello:
        """What it says at the door."""
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
"""From what a master says, with the scenario it ships, to what is to be run; raises ChaperonError."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of it: a plan with its shares by name, or why there is none.

    It is *final* where no master will ever let this worker in.
    """

    plan: RunPlan | None = None
    shares: Mapping[str, Share] | None = None
    why: str = ""
    final: bool = False


class Join:
    """Gets a worker to the point where it could send; then calls *joined*, once.

    Not *fetch_bundle*, it does without what the master ships. For the master's answer it waits
    *timeout* seconds, or for ever; *notify* is called when that takes long.
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
        self._obstacle = "no master lets this worker in"
        self._notified = False
        self._bundle = bytearray()
        self._last_hello_at = -math.inf
        self._loading = False

    def tick(self) -> None:
        """Knock again, or ask again for what has not come."""
        if self.welcome is None:
            if self._clock.now() - self._last_hello_at >= RETRY_INTERVAL:
                self._last_hello_at = self._clock.now()
                self._link.send(self._identity.hello)
                self._check_timeout(self._clock.now() - self._began)
        elif self._incomplete(self.welcome):
            self._fetch(self.welcome)

    def extend_deadlines(self, gap: float) -> None:
        """Wait *gap* seconds longer for a master: for so long its answer could not be heard."""
        self._began += gap

    def on_refused(self, why: str, final: bool) -> None:
        """Note why there is no way through the door; *final* where trying again is of no use."""
        if self.welcome is None:
            self._obstacle = why
            if final:
                self._on_joined(Joined(why=why, final=True))

    def handle_welcome(self, welcome: Welcome) -> bool:
        """Take the master's welcome; return whether it is the first."""
        if self.welcome is not None:
            return False
        self.welcome = welcome
        self._proceed(welcome)
        return True

    def handle_chunk(self, chunk: BundleChunk) -> None:
        """Take a piece of the scenario, if it is the one that is missing."""
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
            plan = self._load_environment(welcome, bytes(self._bundle)).plan().with_setup_result(welcome.setup_result)
            shares = {share.name: share for share in plan.shares(welcome.shares)}
        except ChaperonError as exc:
            self._on_joined(Joined(why=text_of(exc)))
        except BaseException as exc:  # raised by the scenario's code: the master is told
            self._on_joined(Joined(why=describe(exc)))
        else:
            self._on_joined(Joined(plan, shares))
