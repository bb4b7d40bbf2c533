"""Whether the limit of descriptors of a process is high enough for the users of a load, before it is sent."""

from __future__ import annotations

from chaperon.descriptors import enough, limit
from chaperon.errors import UsageError
from chaperon.execution.plan import RunPlan
from chaperon.load.plan import most_users
from chaperon.measure.quantity import count_text

BESIDE = 64
"""Descriptors of a process that sends load beside those of its users' connections."""


def descriptor_warning(plan: RunPlan, processes: int = 1) -> str | None:
    """Return a warning if each of *processes* has fewer descriptors than its users with a connection each; else None.

    Raises the soft limit first if that is too low. A warning is no error: users that send nothing have no connection.
    """
    users = most_users(plan.shares())
    own = -(-users // processes)
    of = "" if processes == 1 else f" (of {users:,}, in {_processes(processes)})"
    try:
        enough(own + BESIDE, f"a load of {count_text(own, 'user')}{of} with a connection each")
    except UsageError as exc:
        return f"{exc}, or share the load out to {_processes(-(-users // max(limit() - BESIDE, 1)))} (--processes)"
    return None


def _processes(number: int) -> str:
    return count_text(number, "process", "processes")
