"""ViewState: all that the live view shows at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from chaperon.cli.live_view.recent_series import ErrorFigures, SeriesFigures
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.events.event_groups import EventGroup
from chaperon.report.totals import Pulse, WorkerStats


@lazy_dataclass(frozen=True, slots=True)
class ViewState:
    """What the live view shows.

    *plan* is the load in words, *length* its seconds and *visits* its number of visits, where these are known.
    *levels* are what is asked for now by unit, *factor* times the plan. *series* are the busiest of *known* ones,
    *events* have the newest first, *notices* what outputs have to say, by what it is. *keys* says whether keys are
    read, *page* which page is shown, *answer* is the answer to the newest key.
    """

    name: str
    plan: str
    pulse: Pulse = field(default_factory=Pulse)
    length: float | None = None
    visits: int | None = None
    levels: Mapping[str, float] = field(default_factory=dict)
    factor: float = 1.0
    paused: bool = False
    series: Sequence[SeriesFigures] = ()
    known: int = 0
    errors: Sequence[ErrorFigures] = ()
    workers: Sequence[WorkerStats] = ()
    events: Sequence[EventGroup] = ()
    notices: Mapping[str, str] = field(default_factory=dict)
    keys: bool = False
    page: str = ""
    answer: str = ""
