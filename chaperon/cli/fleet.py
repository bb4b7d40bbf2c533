"""The options of a run on several workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from chaperon.cli.option_groups import Decorator, option
from chaperon.cli.options import RunOptions
from chaperon.cli.spans import WAIT_SPAN
from chaperon.cluster.transport.key_variables import FILE_VARIABLE, VARIABLE
from chaperon.errors import UsageError
from chaperon.load.generator.host import cores
from chaperon.measure.quantity import count_text

MAX_PROCESSES_PER_CORE = 16
"""Engine processes per core that are accepted: more would only wait for each other."""

_OPTIONS = (
    option(
        "Cluster",
        "--silence",
        type=WAIT_SPAN,
        default=10.0,
        standard="10s",
        help="Give up a worker silent for this span.",
    ),
    option(
        "Cluster",
        "--dead-man",
        type=WAIT_SPAN,
        default=30.0,
        standard="30s",
        help="Stop workers after this without a master.",
    ),
    option(
        "Trust",
        "--max-lost",
        default="1%",
        standard="1%",
        metavar="SHARE",
        help="INVALID if more visits are lost.",
    ),
)


def key_option(help: str) -> Decorator:
    """Return the decorator that adds --key; *help* says which of the two key files it names."""
    return option(
        "Cluster",
        "--key",
        metavar="FILE",
        variables=(FILE_VARIABLE, VARIABLE),
        standard="CHAPERON_KEY_FILE, CHAPERON_KEY, on loopback a key of your user",
        help=help,
    )


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of runs on several workers to a command."""
    for each in reversed(_OPTIONS):
        command = each(command)
    return command


def worker_overrides(options: RunOptions) -> dict[str, Any]:
    """Return the options that workers apply to the environment; outputs are left out."""
    return {**asdict(options), "outputs": {}, "log": options.log_level, "log_file": None, "quiet": True}


def parse_share(text: str) -> float:
    """Parse a share such as 1% or 0.01. Raises UsageError."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"{text!r} is not a share: write 1% or 0.01")
    return value


def parse_processes(processes: str) -> int:
    """Parse a number of processes, or "auto" (one per core). Raises UsageError."""
    available = cores()
    if processes == "auto":
        return available
    if not processes.isdigit() or int(processes) < 1:
        raise UsageError(f"--processes takes a number or auto, got {processes!r}")
    if int(processes) > MAX_PROCESSES_PER_CORE * available:
        here = count_text(available, "core")
        raise UsageError(f"--processes {processes} is too many for {here}: auto is one per core")
    return int(processes)
