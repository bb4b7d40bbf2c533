"""Waiting for others: any event with a time limit, signals between sessions, a rendezvous of many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.errors import PlanError, RendezvousTimeout, SignalTimeout, UsageError


class Waitable(Protocol):
    """What can be waited for: an event of gevent's, or a greenlet."""

    def rawlink(self, callback: Callable[[Any], object], /) -> object: ...

    def unlink(self, callback: Callable[[Any], object], /) -> object: ...

    def ready(self) -> bool: ...


def wait_for(waitable: Waitable, clock: Clock, within: float | None) -> bool:
    """Wait for *waitable*, at most *within* seconds; return whether it has come."""
    if waitable.ready():
        return True
    woken = Event()

    def wake(_: object = None) -> None:
        woken.set()

    timer = None if within is None else clock.after(within, wake)
    waitable.rawlink(wake)
    try:
        woken.wait()
    finally:
        waitable.unlink(wake)
        if timer is not None:
            timer.cancel()
    return waitable.ready()


ANY: Any = object()
"""Stands for whatever comes next."""


class Mailbox:
    """The signals one session was sent and has not waited for yet, oldest first."""

    __slots__ = ("_arrived", "_clock", "_kept")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[Any] = deque()
        self._arrived: Event | None = None

    def __repr__(self) -> str:
        return f"<Mailbox with {len(self._kept)} signals>"

    def put(self, value: Any) -> None:
        """Keep a signal, and wake who waits."""
        self._kept.append(value)
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None

    def receive(self, expected: Any, within: float | None) -> Any:
        """Return the oldest signal that is as *expected*; what is not stays. Raises SignalTimeout.

        *expected* is a value, or a predicate of the value, or ANY.
        """
        fits = _predicate_of(expected)
        deadline = None if within is None else self._clock.now() + within
        while True:
            for place, value in enumerate(self._kept):
                if fits(value):
                    del self._kept[place]
                    return value
            left = None if deadline is None else deadline - self._clock.now()
            if self._arrived is None:
                self._arrived = Event()
            if (left is not None and left <= 0) or not wait_for(self._arrived, self._clock, left):
                others = f"; {len(self._kept)} others did" if self._kept else ""
                raise SignalTimeout(f"{_description_of(expected)} did not come within {within:g} s{others}")


def _predicate_of(expected: Any) -> Callable[[Any], object]:
    if expected is ANY:
        return lambda value: True
    return expected if callable(expected) else lambda value: value == expected


def _description_of(expected: Any) -> str:
    if expected is ANY:
        return "a signal"
    return "a signal that fits" if callable(expected) else f"the signal {expected!r}"


class _Meeting:
    __slots__ = ("complete", "largest", "present", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.present = 0
        self.largest = 0
        self.complete = Event()


class Rendezvous:
    """The gatherings of one engine, by name; each lets its sessions go together, then begins anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, _Meeting] = {}

    def meet(self, name: str, n: int, within: float) -> int:
        """Wait until *n* have come; return as which one this came, from 0.

        Raises RendezvousTimeout: who gives up is no longer counted, the others wait on.
        """
        if n < 1:
            raise PlanError(f"a rendezvous needs at least 1 session, got {n!r}")
        meeting = self._open.get(name)
        if meeting is None:
            meeting = self._open[name] = _Meeting(n)
        if meeting.wanted != n:
            raise UsageError(f"the rendezvous {name!r} waits for {meeting.wanted} sessions, not for {n}")
        place = meeting.present
        meeting.present += 1
        meeting.largest = max(meeting.largest, meeting.present)
        if meeting.present == n:
            del self._open[name]
            meeting.complete.set()
            return place
        try:
            wait_for(meeting.complete, self._clock, within)
        finally:
            if not meeting.complete.ready():
                self._leave(name, meeting)
        if not meeting.complete.ready():
            came = f"only {meeting.largest} of {n} sessions"
            raise RendezvousTimeout(f"{came} came to the rendezvous {name!r} within {within:g} s")
        return place

    def _leave(self, name: str, meeting: _Meeting) -> None:
        meeting.present -= 1
        if not meeting.present:
            del self._open[name]
