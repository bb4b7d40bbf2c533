"""A time limit on a `with` block, which interrupts the work in it."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, cast

import gevent

from chaperon.clock import Clock, Timer
from chaperon.errors import BlockTimeout, TimeLimitReached
from chaperon.interrupts import marked
from chaperon.session.tasks import Task, TaskList

if TYPE_CHECKING:
    from typing import TypeAlias

    Greenlet: TypeAlias = "gevent.Greenlet[..., object]"


class TimeLimit:
    """A `with` block that may take *within* seconds; infinity is no limit.

    After that its greenlet is interrupted where it waits, the *tasks* spawned in the block are
    ended, and the block raises *error*.
    """

    def __init__(self, clock: Clock, within: float, error: BlockTimeout, tasks: TaskList) -> None:
        self._clock = clock
        self._within = within
        self._interrupt = marked(TimeLimitReached(error))
        self._tasks = tasks
        self._before: list[Task] = []
        self._timer: Timer | None = None

    def __enter__(self) -> None:
        if self._within == math.inf:
            return
        me = cast("Greenlet", gevent.getcurrent())
        self._before = self._tasks.open
        self._timer = self._clock.after(self._within, lambda: me.throw(self._interrupt))

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if exc is self._interrupt:
            self._tasks.end(keep=self._before)
            self._interrupt.becomes.expired = True
            raise self._interrupt.becomes from None
