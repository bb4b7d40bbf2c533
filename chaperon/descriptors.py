"""The limit of open file descriptors (RLIMIT_NOFILE), checked and raised before a process opens sockets."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from io import FileIO

from chaperon.errors import UsageError

LEAST = 32
"""Descriptors used by the interpreter, the hub and one connection."""

_FLEET, _PROCESS = 48, 6
"""Descriptors used by a master or supervisor itself, and for each engine process: pipes and connections."""

REMEDY = "raise the limit (ulimit -n, or LimitNOFILE= of the service)"
"""What helps where descriptors run out while a load is sent, by a command or a service of systemd."""

SPARE = 2
"""Descriptors that are kept for the end of a run."""


class SpareDescriptors:
    """Descriptors kept open while a load is sent that may use all others; `release` them to read and write files."""

    def __init__(self, count: int = SPARE) -> None:
        self._open: list[FileIO] = []
        with suppress(OSError):  # so few are left that the load will not begin
            self._open += [FileIO(os.devnull) for _ in range(count)]

    def __repr__(self) -> str:
        return f"<SpareDescriptors {len(self._open)}>"

    def release(self) -> None:
        """Close them; a second call does nothing."""
        while self._open:
            self._open.pop().close()


def takes(processes: int) -> int:
    """Return how many descriptors a process needs to start or conduct *processes* engine processes."""
    return _FLEET + _PROCESS * processes


def enough(needed: int, what: str) -> None:
    """Raise the soft limit to the hard limit if it is below *needed*, the descriptors that *what* uses.

    Raises UsageError if the hard limit is too low as well. Call it before libev or libzmq open
    descriptors: both abort the process if they cannot.
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


def limit() -> int:
    """Return the soft limit of descriptors of this process, -1 if there is none."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def short(what: str, allowed: int, needed: int) -> str:
    """Return the message that the limit *allowed* is too low for *what*, with the remedy."""
    return f"this process may open {allowed} files and sockets, {what} needs {needed}: {remedy(needed)}"


def remedy(needed: int) -> str:
    """Return how to raise the limit to twice the *needed* descriptors, at least to 1,024."""
    high = max(1024, 2 * needed)
    return f"raise the limit with ulimit -n {high}, in a container with --ulimit nofile={high}"
