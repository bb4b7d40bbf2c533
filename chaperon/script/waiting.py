"""Waiting until something has happened, on the clock that was handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gevent.event import Event

from chaperon.clock import Clock


class Happening(Protocol):
    """What can be waited for: an event of gevent's, or a greenlet."""

    def rawlink(self, callback: Callable[[Any], object], /) -> object: ...

    def unlink(self, callback: Callable[[Any], object], /) -> object: ...

    def ready(self) -> bool: ...


def awaited(happening: Happening, clock: Clock, within: float | None) -> bool:
    """Wait for *happening*, at most *within* seconds; return whether it has come."""
    if happening.ready():
        return True
    woken = Event()

    def wake(_: object = None) -> None:
        woken.set()

    timer = None if within is None else clock.after(within, wake)
    happening.rawlink(wake)
    try:
        woken.wait()
    finally:
        happening.unlink(wake)
        if timer is not None:
            timer.cancel()
    return happening.ready()
