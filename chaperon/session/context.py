"""What the sessions of one entry share, with the seeded random source of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from chaperon.clock import Clock
from chaperon.load.arrivals import seeded_random
from chaperon.load.feeder import UniqueRows, UserNumbering
from chaperon.measure.meter import Meter
from chaperon.measure.roundtrips import RoundTripStarts
from chaperon.session.signals import Rendezvous

if TYPE_CHECKING:
    from chaperon.client.network.connect import NetworkContext
    from chaperon.client.service import Service

DEFAULT = "default"
"""The service that an environment's own url is."""


class StopRun(Protocol):
    """Who can end the whole run."""

    def __call__(self, reason: str) -> None: ...


@dataclass(frozen=True)
class SessionContext:
    """What all sessions of one entry have in common.

    *rendezvous*, *dealer*, *marks* are the same for all entries of an engine.
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

    def visit_key(self, visit: VisitInfo) -> tuple[int, ...]:
        """Return what tells a visit from all others, whoever makes it: what is random derives from it."""
        return (visit.number,) if self.numbering.numbered else (visit.user, visit.number)


class VisitInfo(NamedTuple):
    """The visit a session is on: moments are seconds from the start of the run."""

    number: int
    user: int
    due: float
    started: float


class SeededRandom:
    """A session's random source."""

    context: SessionContext
    visit: VisitInfo
    _cached_random_key: str | None
    _random: Random | None

    @property
    def _random_key(self) -> str:
        """What tells the visit, and the place of this session in it, from all others."""
        if self._cached_random_key is None:
            self._cached_random_key = "/".join(map(str, self.context.visit_key(self.visit)))
        return self._cached_random_key

    @property
    def random(self) -> Random:
        """A random source that depends on the seed, the entry, the user or arrival, the visit alone."""
        if self._random is None:
            self._random = seeded_random(self.context.seed, self.context.entry, self._random_key)
        return self._random


OnError = Literal["next-visit", "continue", "stop-session", "stop-run"]

POLICIES = ("next-visit", "continue", "stop-session", "stop-run")
