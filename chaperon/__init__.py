"""Load testing for HTTP services, WebSocket ones too, in plain Python.

Names are loaded when first used: importing chaperon patches nothing, starts nothing, logs
nothing. The rooms, from the ground up: `errors` `clock`, `measure`, `load`, `client`
`report`, `script`, `local` `demo` `testing`, `cli`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chaperon._version import VERSION

if TYPE_CHECKING:
    from chaperon.client.service import Service
    from chaperon.errors import (
        BlockTimeout,
        ChaperonError,
        ConfigMissing,
        FeedEmpty,
        JoinTimeout,
        LimitError,
        LoadError,
        NotAssigned,
        NotPatched,
        PlanError,
        RendezvousTimeout,
        SignalTimeout,
        StepTimeout,
        TaskEnded,
        TeardownError,
        VisitTimeout,
        WebSocketClosed,
        WebSocketError,
        WebSocketRefused,
        WebSocketTimeout,
    )
    from chaperon.load.profile import between
    from chaperon.load.shapes import iterations, pause, rate, spike, stages, stairs, users
    from chaperon.report.summary import Report, Verdict
    from chaperon.script.data import feed
    from chaperon.script.entry import run
    from chaperon.script.environment import Environment
    from chaperon.script.running import Running
    from chaperon.script.scenario import Scenario, mix
    from chaperon.script.series_rules import metric
    from chaperon.script.session import Session
    from chaperon.script.steps import measured, step

__version__ = VERSION

_ROOMS = {
    # what a scenario is made of
    "chaperon.script.steps": ("measured", "step"),
    "chaperon.script.scenario": ("Scenario", "mix"),
    "chaperon.script.data": ("feed",),
    "chaperon.script.session": ("Session",),
    # what it is run against, how much of it
    "chaperon.script.environment": ("Environment",),
    "chaperon.script.entry": ("run",),
    "chaperon.client.service": ("Service",),
    "chaperon.script.series_rules": ("metric",),
    "chaperon.load.profile": ("between",),
    "chaperon.load.shapes": ("iterations", "pause", "rate", "spike", "stages", "stairs", "users"),
    # what comes of it
    "chaperon.script.running": ("Running",),
    "chaperon.report.summary": ("Report", "Verdict"),
    # what can go wrong
    "chaperon.errors": (
        "BlockTimeout",
        "ChaperonError",
        "ConfigMissing",
        "FeedEmpty",
        "JoinTimeout",
        "LimitError",
        "LoadError",
        "NotAssigned",
        "NotPatched",
        "PlanError",
        "RendezvousTimeout",
        "SignalTimeout",
        "StepTimeout",
        "WebSocketClosed",
        "WebSocketError",
        "WebSocketRefused",
        "WebSocketTimeout",
        "TaskEnded",
        "TeardownError",
        "VisitTimeout",
    ),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "BlockTimeout",
    "ChaperonError",
    "ConfigMissing",
    "Environment",
    "FeedEmpty",
    "JoinTimeout",
    "LimitError",
    "LoadError",
    "NotAssigned",
    "NotPatched",
    "PlanError",
    "RendezvousTimeout",
    "Report",
    "Running",
    "Scenario",
    "Service",
    "Session",
    "SignalTimeout",
    "StepTimeout",
    "TaskEnded",
    "TeardownError",
    "Verdict",
    "VisitTimeout",
    "WebSocketClosed",
    "WebSocketError",
    "WebSocketRefused",
    "WebSocketTimeout",
    "__version__",
    "between",
    "feed",
    "iterations",
    "measured",
    "metric",
    "mix",
    "pause",
    "rate",
    "run",
    "spike",
    "stages",
    "stairs",
    "step",
    "users",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'chaperon' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
