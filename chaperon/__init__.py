"""Load testing for HTTP services, WebSocket ones too, in plain Python.

Importing chaperon patches nothing, starts nothing and logs nothing: errors are imported at once,
all other names when they are first used. CONTRIBUTING.md describes the folders.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chaperon._version import VERSION
from chaperon.errors import (
    BaseMissing,
    BlockTimeout,
    BodyTooLarge,
    ChaperonError,
    ClusterError,
    ConfigMissing,
    DeadlineExceeded,
    DescriptorsExhausted,
    FeedEmpty,
    JoinTimeout,
    LimitError,
    LoadError,
    NoSuchSeries,
    NotAssigned,
    NotInReply,
    NotPatched,
    OutputError,
    PlanError,
    PortsExhausted,
    RendezvousTimeout,
    RunFileError,
    ScenarioExit,
    SignalTimeout,
    StepTimeout,
    TaskEnded,
    TaskMissing,
    TeardownError,
    UsageError,
    VisitTimeout,
    WebSocketClosed,
    WebSocketError,
    WebSocketRefused,
    WebSocketTimeout,
    WorkersMissing,
)

if TYPE_CHECKING:
    from chaperon.client.foreign_session import measured_session
    from chaperon.client.service import Service
    from chaperon.cluster.master.embedded import master, start_master
    from chaperon.execution.environment import Environment
    from chaperon.execution.metric_rules import metric
    from chaperon.execution.running import Running
    from chaperon.execution.secrets.secret_references import secret
    from chaperon.load.kinds.think import between
    from chaperon.load.shapes import iterations, pause, rate, spike, stages, stairs, users, users_per_second
    from chaperon.report.comparison.comparison import Comparison, compare
    from chaperon.report.outputs.closed_second import ClosedSecond
    from chaperon.report.outputs.output import Output
    from chaperon.report.report import Report, Verdict
    from chaperon.report.run_file.run_file import RunFile, read_run
    from chaperon.report.samples.observer import SampleRecord
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
    "chaperon.client.foreign_session": ("measured_session",),
    "chaperon.execution.metric_rules": ("metric",),
    "chaperon.execution.secrets.secret_references": ("secret",),
    "chaperon.load.kinds.think": ("between",),
    "chaperon.load.shapes": ("iterations", "pause", "rate", "spike", "stages", "stairs", "users", "users_per_second"),
    # what comes of it
    "chaperon.execution.running": ("Running",),
    "chaperon.cluster.master.embedded": ("master", "start_master"),
    "chaperon.report.samples.observer": ("SampleRecord",),
    "chaperon.report.outputs.output": ("Output",),
    "chaperon.report.outputs.closed_second": ("ClosedSecond",),
    "chaperon.report.report": ("Report", "Verdict"),
    "chaperon.report.comparison.comparison": ("Comparison", "compare"),
    "chaperon.report.run_file.run_file": ("RunFile", "read_run"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "BaseMissing",
    "BlockTimeout",
    "BodyTooLarge",
    "ChaperonError",
    "ClosedSecond",
    "ClusterError",
    "Comparison",
    "ConfigMissing",
    "DeadlineExceeded",
    "DescriptorsExhausted",
    "Environment",
    "FeedEmpty",
    "JoinTimeout",
    "LimitError",
    "LoadError",
    "NoSuchSeries",
    "NotAssigned",
    "NotInReply",
    "NotPatched",
    "Output",
    "OutputError",
    "PlanError",
    "PortsExhausted",
    "RendezvousTimeout",
    "Report",
    "RunFile",
    "RunFileError",
    "Running",
    "SampleRecord",
    "Scenario",
    "ScenarioExit",
    "Service",
    "Session",
    "SignalTimeout",
    "StepTimeout",
    "TaskEnded",
    "TaskMissing",
    "TeardownError",
    "UsageError",
    "Verdict",
    "VisitTimeout",
    "WebSocketClosed",
    "WebSocketError",
    "WebSocketRefused",
    "WebSocketTimeout",
    "WorkersMissing",
    "__version__",
    "between",
    "compare",
    "feed",
    "iterations",
    "master",
    "measured",
    "measured_session",
    "metric",
    "mix",
    "pause",
    "rate",
    "read_run",
    "run",
    "secret",
    "spike",
    "stages",
    "stairs",
    "start_master",
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
