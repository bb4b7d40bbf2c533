"""What all sessions of one entry have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from chaperon.clock import Clock
from chaperon.measure.marks import Marks
from chaperon.measure.meter import Meter
from chaperon.script.steps import OnError

if TYPE_CHECKING:
    from chaperon.client.service import Service

DEFAULT = "default"
"""The service that an environment's own url is."""


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
    marks: Marks = field(default_factory=Marks)


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit a session is on: moments are seconds from the start of the run."""

    number: int
    user: int
    due: float
    started: float
