"""The context that sessions of one entry share, and the seeded random source of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from chaperon.clock import Clock
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.arrivals import seeded_random
from chaperon.load.current_visit import CurrentVisit
from chaperon.load.feeder import UniqueRows, UserNumbering
from chaperon.measure.meter import Meter
from chaperon.measure.roundtrips import RoundTripStarts
from chaperon.session.signals import Rendezvous

if TYPE_CHECKING:
    from chaperon.client.network.connect import NetworkContext
    from chaperon.client.service import Service

DEFAULT = "default"
"""The name of the service at the environment's own url."""


class StopRun(Protocol):
    """Callable that ends the whole run as ABORTED."""

    def __call__(self, reason: str) -> None: ...


@lazy_dataclass(frozen=True)
class SessionContext:
    """What all sessions of one entry share.

    *rendezvous*, *unique_rows* and *round_trips* are shared by all entries of an engine. *scenario_of* returns the
    scenario of one step that a function stands for.
    """

    entry: int
    meter: Meter
    clock: Clock
    config: Mapping[str, Any]
    services: Mapping[str, Service]
    seed: int
    stop_run: StopRun
    rendezvous: Rendezvous
    unique_rows: UniqueRows
    numbering: UserNumbering
    on_error: OnError = "next-visit"
    round_trips: RoundTripStarts = field(default_factory=RoundTripStarts)
    network: NetworkContext | None = None
    scenario_of: Callable[[Any], Any] | None = None

    def visit_key(self, visit: VisitInfo) -> tuple[int, ...]:
        """Return a key that identifies a visit on any worker; its random numbers are derived from it."""
        return (visit.number,) if self.numbering.numbered else (visit.user, visit.number)


class VisitInfo(NamedTuple):
    """The current visit of a session; *due* and *started* are seconds since the start of the run."""

    number: int
    user: int
    due: float
    started: float


class SeededRandom:
    """A session's random source."""

    context: SessionContext
    _current: CurrentVisit

    @property
    def visit(self) -> VisitInfo:
        """The current visit."""
        current = self._current
        return VisitInfo(current.number, current.user, current.due, current.started)

    @property
    def _random_key(self) -> str:
        """The key of the visit and of this session within it; seeds `random`."""
        key = self._current.random_key
        if key is None:
            key = self._current.random_key = "/".join(map(str, self.context.visit_key(self.visit)))
        return key

    @property
    def random(self) -> Random:
        """A random source, seeded with the seed of the run, the entry, the user or arrival, and the visit."""
        found: Random | None = self._current.random
        if found is None:
            found = self._current.random = seeded_random(self.context.seed, self.context.entry, self._random_key)
        return found


OnError = Literal["next-visit", "continue", "stop-session", "stop-run"]

POLICIES = ("next-visit", "continue", "stop-session", "stop-run")
