"""How many descriptors this process may open, asked for before it opens any."""

from __future__ import annotations

import resource

from chaperon.errors import UsageError

LEAST = 32
"""Descriptors the interpreter, its hub and a single connection take."""

_FLEET, _PROCESS = 48, 6
"""What a master or supervisor takes for itself, and for each engine process: pipes and connections."""


def takes(processes: int) -> int:
    """Return how many descriptors a process takes that starts or conducts so many engine processes."""
    return _FLEET + _PROCESS * processes


def enough(needed: int, what: str) -> None:
    """Raise the soft limit to the hard one if *what* takes more than that; raises UsageError where it is still short.

    To be called before libev or libzmq open anything: they end the process where they cannot.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        hard = soft
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(short(what, hard, needed))


def short(what: str, limit: int, needed: int) -> str:
    """Return in a sentence that the limit is too low for *what*, with the remedy."""
    return (
        f"this process may open {limit} files and sockets, {what} takes {needed}: raise the limit with "
        f"ulimit -n {max(1024, 2 * needed)}, in a container with --ulimit nofile={max(1024, 2 * needed)}"
    )
