"""Signals to a session: kept until somebody waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.errors import SignalTimeout
from chaperon.script.waiting import awaited

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

    def take(self, expected: Any, within: float | None) -> Any:
        """Return the oldest signal that is as *expected*; what is not stays. Raises SignalTimeout.

        *expected* is a value, or a predicate of the value, or ANY.
        """
        fits = _fitting(expected)
        deadline = None if within is None else self._clock.now() + within
        while True:
            for place, value in enumerate(self._kept):
                if fits(value):
                    del self._kept[place]
                    return value
            left = None if deadline is None else deadline - self._clock.now()
            if self._arrived is None:
                self._arrived = Event()
            if (left is not None and left <= 0) or not awaited(self._arrived, self._clock, left):
                others = f"; {len(self._kept)} others did" if self._kept else ""
                raise SignalTimeout(f"{_wanted(expected)} did not come within {within:g} s{others}")


def _fitting(expected: Any) -> Callable[[Any], object]:
    if expected is ANY:
        return lambda value: True
    return expected if callable(expected) else lambda value: value == expected


def _wanted(expected: Any) -> str:
    if expected is ANY:
        return "a signal"
    return "a signal that fits" if callable(expected) else f"the signal {expected!r}"
