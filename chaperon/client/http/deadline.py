"""What a call may take: so much time, so many bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, NamedTuple

from gevent import Timeout

from chaperon.client.network.exceptions import DeadlineExceeded


class CallBudget(NamedTuple):
    """The moment at which a call must be over, the bytes its decoded body may have, the clock of that moment."""

    until: float
    limit: float
    now: Callable[[], float]


def bounds_of(request: Any) -> CallBudget | None:
    """Return the bounds that go with a prepared request."""
    found: CallBudget | None = getattr(request, "_chaperon_bounds", None)
    return found


def bind(request: Any, bounds: CallBudget) -> None:
    """Send *bounds* with a prepared request: adapters are handed nothing that `requests` does not know."""
    request._chaperon_bounds = bounds


@contextmanager
def in_time(until: float, now: Callable[[], float]) -> Iterator[None]:
    """End what this greenlet does within the context at the moment *until*. Raises DeadlineExceeded.

    It is for code that knows of no deadline, such as urllib3's.
    """
    if until == inf:
        yield
        return
    timer = Timeout(max(until - now(), 0.0))  # no Exception, or urllib3 would take it for a fault of the wire
    timer.start()
    try:
        yield
    except Timeout as exc:
        if exc is not timer:
            raise
        exc.__traceback__ = None  # it would hold on to the sockets of what was ended
        raise DeadlineExceeded("the response was not complete before the deadline") from None
    finally:
        timer.close()
