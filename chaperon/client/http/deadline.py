"""Limits of one call: a deadline and a maximum body size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, NamedTuple

from gevent import Timeout

from chaperon.client.network.exceptions import deadline_exceeded


class CallBudget(NamedTuple):
    """The limits of one call: *until*, a reading in seconds of the clock *now*, and *limit*, bytes of decoded body."""

    until: float
    limit: float
    now: Callable[[], float]


def bounds_of(request: Any) -> CallBudget | None:
    """Return the budget attached to a prepared request, or None."""
    found: CallBudget | None = getattr(request, "_chaperon_bounds", None)
    return found


def mark_hop(request: Any) -> None:
    """Mark a prepared request as one that follows a redirect, within a call that is counted already."""
    request._chaperon_hop = True


def is_counted(request: Any) -> bool:
    """Return whether a prepared request is the first of a call: one with a budget that follows no redirect."""
    return bounds_of(request) is not None and not getattr(request, "_chaperon_hop", False)


def bind(request: Any, bounds: CallBudget) -> None:
    """Attach *bounds* to a prepared request: `requests` passes no other argument through to adapters."""
    request._chaperon_bounds = bounds


@contextmanager
def in_time(until: float, now: Callable[[], float]) -> Iterator[None]:
    """Interrupt the body of the `with` statement at *until*, a reading of *now*. Raises DeadlineExceeded.

    For code that has no deadline parameter, such as urllib3.
    """
    if until == inf:
        yield
        return
    timer = Timeout(max(until - now(), 0.0))  # a BaseException: urllib3 would treat an Exception as a network error
    timer.start()
    try:
        yield
    except Timeout as exc:
        if exc is not timer:
            raise
        exc.__traceback__ = None  # its frames would keep the interrupted call's sockets open
        raise deadline_exceeded("the response was not complete before the deadline") from None
    finally:
        timer.close()
