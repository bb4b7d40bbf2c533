"""Waiting for events with a time limit, signals between sessions, and rendezvous of sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.errors import PlanError, RendezvousTimeout, SignalTimeout, UsageError
from chaperon.measure.quantity import count_text


class Waitable(Protocol):
    """An event of gevent, or a greenlet."""

    def rawlink(self, callback: Callable[[Any], object], /) -> object: ...

    def unlink(self, callback: Callable[[Any], object], /) -> object: ...

    def ready(self) -> bool: ...


def wait_for(waitable: Waitable, clock: Clock, within: float | None) -> bool:
    """Wait for *waitable*, at most *within* seconds; return whether it is ready."""
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
"""Matches any signal."""


class Mailbox:
    """The queue of signals sent to one session and not received yet, oldest first."""

    __slots__ = ("_arrived", "_clock", "_kept")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: list[Any] = []  # a deque has 0.7 kB, even an empty one
        self._arrived: Event | None = None

    def __repr__(self) -> str:
        return f"<Mailbox with {len(self._kept)} signals>"

    def put(self, value: Any) -> None:
        """Append a signal and wake the waiting greenlets."""
        self._kept.append(value)
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None

    def receive(self, expected: Any, within: float | None) -> Any:
        """Block until a signal matches *expected*, at most *within* seconds; remove and return it.

        *expected* is a value, a predicate of the value, or ANY. Other signals stay queued.
        Raises SignalTimeout.
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
    """The rendezvous (barriers) of one engine, by name; a name can be used again once its sessions have met."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, _Meeting] = {}

    def meet(self, name: str, n: int, within: float) -> int:
        """Block until *n* sessions have called this; return the order of arrival, from 0.

        Raises RendezvousTimeout after *within* seconds; that session is no longer counted, the
        others go on waiting. Raises UsageError if others wait under this name for another *n*.
        """
        if n < 1:
            raise PlanError(f"a rendezvous needs at least 1 session, got {n!r}")
        meeting = self._open.get(name)
        if meeting is None:
            meeting = self._open[name] = _Meeting(n)
        if meeting.wanted != n:
            raise UsageError(f"the rendezvous {name!r} waits for {count_text(meeting.wanted, 'session')}, not for {n}")
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
