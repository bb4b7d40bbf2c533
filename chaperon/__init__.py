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
    from chaperon.execution.environment import Environment
    from chaperon.execution.metric_rules import metric
    from chaperon.execution.running import Running
    from chaperon.load.kinds.think import between
    from chaperon.load.shapes import iterations, pause, rate, spike, stages, stairs, users, users_per_second
    from chaperon.report.report import Report, Verdict
    from chaperon.scenario.entry import run
    from chaperon.scenario.scenario import Scenario, mix
    from chaperon.scenario.steps import measured, step
    from chaperon.session.data import feed
    from chaperon.session.session import Session

__version__ = VERSION

_ROOMS = {
    # what a scenario is made of
    "chaperon.scenario.steps": ("measured", "step"),
    "chaperon.scenario.scenario": ("Scenario", "mix"),
    "chaperon.session.data": ("feed",),
    "chaperon.session.session": ("Session",),
    # what it is run against, how much of it
    "chaperon.execution.environment": ("Environment",),
    "chaperon.scenario.entry": ("run",),
    "chaperon.client.service": ("Service",),
    "chaperon.execution.metric_rules": ("metric",),
    "chaperon.load.kinds.think": ("between",),
    "chaperon.load.shapes": ("iterations", "pause", "rate", "spike", "stages", "stairs", "users", "users_per_second"),
    # what comes of it
    "chaperon.execution.running": ("Running",),
    "chaperon.report.report": ("Report", "Verdict"),
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
    "users_per_second",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'chaperon' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
