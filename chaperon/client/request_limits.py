"""Limits of a request as they are written: times as numbers or text, a size in bytes."""

from __future__ import annotations

from typing import Any

from chaperon.clock import named_seconds
from chaperon.errors import PlanError, UsageError


def timeout_of(timeout: Any) -> Any:
    """Return *timeout* of `requests` with times given as text, such as "2s", in seconds. Raises PlanError."""
    if isinstance(timeout, tuple):
        return tuple(map(timeout_of, timeout))
    return named_seconds("timeout", timeout) if isinstance(timeout, str) else timeout


def timeout_of_call(timeout: Any) -> Any:
    """Return *timeout* as `timeout_of` does; what is no time as it is, for `requests` to refuse with its ValueError."""
    try:
        return timeout_of(timeout)
    except PlanError:
        return timeout


def deadline_of(deadline: Any) -> Any:
    """Return a deadline in seconds; None, and `...` for the default, as they are. Raises PlanError."""
    return deadline if deadline is None or deadline is ... else named_seconds("deadline", deadline)


def max_body_of(size: Any) -> Any:
    """Return a number of bytes; None, and `...` for the default, as they are. Raises UsageError."""
    if size is None or size is ... or (isinstance(size, int) and not isinstance(size, bool) and size >= 0):
        return size
    raise UsageError(f"max_body= takes a number of bytes such as 5_000_000, or None for no bound; got {size!r}")
