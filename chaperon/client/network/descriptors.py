"""The file descriptor limit of this process (RLIMIT_NOFILE)."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def widen() -> bool:
    """Raise the soft limit of file descriptors to the hard limit; return whether it changed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return False
    return True


def opened(make: Callable[[], T]) -> T:
    """Return what *make* returns; if it fails for lack of descriptors, raise the limit and call it again.

    Raises OSError.
    """
    try:
        return make()
    except OSError as exc:
        if exc.errno != errno.EMFILE or not widen():
            raise
        return make()


def facts() -> dict[str, float]:
    """Return the number of open descriptors (0 if unknown) and the soft limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"descriptors": float(_open()), "descriptors_limit": float(soft)}


def _open() -> int:
    with suppress(OSError):
        counted = os.stat("/proc/self/fd").st_size  # since Linux 6.2; to list 20,000 takes 10 ms
        if counted:
            return counted
    for listing in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(listing))
        except OSError:
            continue
    return 0
