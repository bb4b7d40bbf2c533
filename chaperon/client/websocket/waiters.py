"""An ordered list of greenlets that wait for values, each with an optional deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from gevent import get_hub, getcurrent

from chaperon.clock import Clock, Timer
from chaperon.errors import WaitExpired
from chaperon.interrupts import raise_again

T = TypeVar("T")
_getcurrent: Final[Any] = getcurrent


class Waiter(Generic[T]):
    """One greenlet's wait for a value; *wants*, if given, is a predicate of the value."""

    __slots__ = ("deadline", "error", "greenlet", "served", "value", "wants")

    def __init__(self, wants: Callable[[Any], bool] | None = None) -> None:
        self.wants = wants
        self.greenlet: Any = None
        self.deadline: float | None = None
        self.served = False
        self.value: T | None = None
        self.error: BaseException | None = None


class Waiting:
    """The greenlets that wait for one kind of value, in order of arrival.

    `serve` and `fail` only store the outcome; `wake` resumes the greenlets. One timer serves all deadlines,
    so that a wait that ends in time creates none.
    """

    __slots__ = ("_clock", "_hub", "_line", "_served", "_timer", "_timer_at")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hub: Any = get_hub()  # kept, as asking for it takes as long as a switch to it
        self._line: list[Waiter[Any]] = []
        self._served: list[Waiter[Any]] = []
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def __repr__(self) -> str:
        return f"<Waiting {len(self._line)}>"

    def __bool__(self) -> bool:
        return bool(self._line)

    @property
    def line(self) -> list[Waiter[Any]]:
        """The waiters without an outcome, oldest first."""
        return self._line

    def wait(self, waiter: Waiter[T], within: float | None) -> T:
        """Block until *waiter* is served and return its value.

        Raises the error given to `fail`, or WaitExpired after *within* seconds.
        """
        hub = self._hub
        waiter.greenlet = _getcurrent()
        self._line.append(waiter)
        if within is not None:
            waiter.deadline = self._clock.now() + within
            self._watch(waiter.deadline)
        try:
            while not waiter.served:
                hub.switch()
        finally:
            waiter.greenlet = None
            if not waiter.served:
                self._line.remove(waiter)
        if waiter.error is not None:
            error, waiter.error = waiter.error, None
            raise_again(error)
        return waiter.value  # type: ignore[return-value]  # served without an error: the value is there

    def serve(self, waiter: Waiter[T], value: T) -> None:
        """Set the value that a waiter returns; it resumes at `wake`."""
        waiter.value = value
        self._end(waiter)

    def fail(self, waiter: Waiter[Any], error: BaseException) -> None:
        """Set the error that a waiter raises; it resumes at `wake`."""
        waiter.error = error
        self._end(waiter)

    def fail_all(self, error: Callable[[], BaseException]) -> None:
        """Make every waiter raise; *error* is called once for each."""
        for waiter in list(self._line):
            self.fail(waiter, error())

    def wake(self) -> None:
        """Resume all waiters that have an outcome: at once in the hub, else in its next iteration."""
        if not self._served:
            return
        hub = self._hub
        within_hub = _getcurrent() is hub
        while self._served:
            waiter = self._served.pop(0)
            if waiter.greenlet is not None:
                if within_hub:
                    waiter.greenlet.switch()
                else:
                    hub.loop.run_callback(_go_on, waiter)

    def close(self) -> None:
        """Cancel the timer; no further waits are allowed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, waiter: Waiter[Any]) -> None:
        waiter.served = True
        self._line.remove(waiter)
        self._served.append(waiter)

    def _watch(self, deadline: float) -> None:
        if self._timer is not None and self._timer_at <= deadline:
            return
        self.close()
        self._timer_at = deadline
        self._timer = self._clock.after(deadline - self._clock.now(), self._expire)

    def _expire(self) -> None:
        self.close()
        now = self._clock.now()
        for waiter in [w for w in self._line if w.deadline is not None and w.deadline <= now]:
            self.fail(waiter, _expired())
        left = [w.deadline for w in self._line if w.deadline is not None]
        if left:
            self._watch(min(left))
        self.wake()


def _go_on(waiter: Waiter[Any]) -> None:
    if waiter.greenlet is not None:
        waiter.greenlet.switch()


def _expired() -> WaitExpired:
    late = WaitExpired("a wait has ended")
    late.raised_here = True
    return late
