"""What all sessions of one entry have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from chaperon.clock import Clock
from chaperon.load.feeder import Crowd, Dealer
from chaperon.measure.marks import Marks
from chaperon.measure.meter import Meter
from chaperon.script.rendezvous import Rendezvous
from chaperon.script.steps import OnError

if TYPE_CHECKING:
    from chaperon.client.service import Service
    from chaperon.client.transport import Wire

DEFAULT = "default"
"""The service that an environment's own url is."""


class StopRun(Protocol):
    """Who can end the whole run."""

    def __call__(self, reason: str) -> None: ...


@dataclass(frozen=True)
class Scene:
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
    dealer: Dealer
    crowd: Crowd
    on_error: OnError = "next-visit"
    marks: Marks = field(default_factory=Marks)
    wire: Wire | None = None

    def turn(self, visit: Visit) -> tuple[int, ...]:
        """Return what tells a visit from all others, whoever makes it: what is random derives from it."""
        return (visit.number,) if self.crowd.numbered else (visit.user, visit.number)


class Visit(NamedTuple):
    """The visit a session is on: moments are seconds from the start of the run."""

    number: int
    user: int
    due: float
    started: float
