"""Calls spread evenly over a span, and calls repeated at an interval."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import count, takewhile
from types import TracebackType
from typing import Any

import gevent
from gevent.event import Event

from chaperon.clock import Clock
from chaperon.errors import Ended, PlanError
from chaperon.interrupts import LOOP, is_ours, is_signal, marked
from chaperon.measure.failures import clear_listed
from chaperon.measure.timed_block import TimedBlock
from chaperon.session.functions import call_with_optional_arg, is_timed, name_of
from chaperon.session.signals import wait_for
from chaperon.session.tasks import Task, TaskSession

LAST_CALL_WAIT = 1.0
"""Seconds that a call in progress has to finish when its block ends."""


def even_offsets(rate: float, per: float) -> Iterator[float]:
    """Yield the offsets in seconds of *rate* calls over *per* seconds, the first at once. Raises PlanError."""
    if rate <= 0 or per <= 0:
        raise PlanError(f"spread needs a rate and a span above 0, got rate={rate!r} and per={per!r}")
    return takewhile(lambda at: at < per - 1e-9, (n * per / rate for n in count()))


def start_at_offsets(clock: Clock, moments: Iterator[float], start: Callable[[], Task]) -> list[Any]:
    """Start a task at each of *moments*, seconds from now; return their values once all have ended.

    The moments are absolute: a late start does not delay the next ones. Raises what the first
    failed task raised. Only the values of tasks that have ended are kept in memory.
    """
    began = clock.now()
    going: deque[Task] = deque()
    values: list[Any] = []
    failed: BaseException | None = None

    def collect() -> None:
        nonlocal failed
        while going and going[0].ended:
            task = going.popleft()
            values.append(task.value)
            failed = task.error if failed is None else failed

    try:
        for at in moments:
            clock.sleep(began + at - clock.now())
            going.append(start())
            collect()
        while going:
            going[0].wait(clock, None)
            collect()
    except BaseException:
        for task in going:
            task.end()
        raise
    if failed is not None:
        raise failed
    return values


class Every:
    """A `with` block during which a greenlet calls a function every *period* seconds.

    An exception of the function is counted as an error of «call NAME» and the calls go on; only
    an exception that ends the session is passed on to it. At the end of the block, a call in
    progress has LAST_CALL_WAIT seconds to finish.
    """

    def __init__(self, session: TaskSession, period: float, work: Callable[..., Any]) -> None:
        if period <= 0:
            raise PlanError(f"every needs a span above 0, got {period!r}")
        self._session = session
        self._period = period
        self._work = work
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._busy = False
        self._over = Event()

    def __enter__(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._greenlet is not None
        self._over.set()
        try:
            if self._busy and exc is None:
                wait_for(self._greenlet, self._session.clock, LAST_CALL_WAIT)
        finally:
            self._greenlet.kill(marked(gevent.GreenletExit(), LOOP))  # repeats until the block ends: not censored

    def _run(self) -> None:
        session, clock = self._session, self._session.clock
        due = clock.now()
        while not self._over.is_set():
            due = max(due + self._period, clock.now())
            clock.sleep(due - clock.now())
            if self._over.is_set():
                return
            self._busy = True
            try:
                with nullcontext() if is_timed(self._work) else TimedBlock(session.meter, name_of(self._work), "call"):
                    call_with_optional_arg(self._work, session)
            except BaseException as exc:
                if is_ours(exc):
                    if isinstance(exc, Ended):
                        session.visit_greenlet.interrupt(exc)
                    return
                if is_signal(exc):
                    raise
                clear_listed(exc)  # counted as «call NAME»
            finally:
                self._busy = False
