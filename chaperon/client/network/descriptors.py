"""What the machine lets this process open: file descriptors, local ports."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def widen() -> bool:
    """Raise the soft limit of file descriptors to the hard one; return whether that gave more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return False
    return True


def opened(make: Callable[[], T]) -> T:
    """Return what *make* opens, with the limit raised and a second try where descriptors ran out. Raises OSError."""
    try:
        return make()
    except OSError as exc:
        if exc.errno != errno.EMFILE or not widen():
            raise
        return make()


def facts() -> dict[str, float]:
    """Return how many descriptors are open, and how many may be."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"descriptors": float(_open()), "descriptors_limit": float(soft)}


def _open() -> int:
    for listing in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(listing))
        except OSError:
            continue
    return 0
