"""Flow of control in a session: sleeps, loops, retries, time limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, cast

from chaperon import forks
from chaperon.clock import Clock, seconds
from chaperon.errors import BlockTimeout, PlanError
from chaperon.interrupts import is_interrupt
from chaperon.load.kinds.think import Think, thinking
from chaperon.measure.failures import clear_listed
from chaperon.measure.meter import Meter
from chaperon.session.context import SeededRandom
from chaperon.session.endless import EndlessWork
from chaperon.session.functions import bind_session, name_of
from chaperon.session.tasks import TaskList
from chaperon.session.timeouts import TimeLimit

Retryable = type[Exception] | Callable[[Any], object]
"""An exception class, or a predicate of a returned value, for which `retry` tries again."""


class FlowMethods(SeededRandom):
    """Sleeps, loops, retries and time limits; a span is a number of seconds, or text such as "30s"."""

    clock: Clock
    meter: Meter
    tasks: TaskList
    endless_work: EndlessWork

    def sleep(self, span: Think) -> None:
        """Block for *span*: seconds, text such as "30s", or a random span from `between(low, high)`."""
        drawn = thinking(span)
        if drawn is not None:
            self.meter.last_reply = None  # its body is not kept while a user thinks
            self.clock.sleep(drawn.draw_for(self))

    def random_delay(self, most: float | str) -> None:
        """Block for a random span, uniformly distributed from 0 to *most*."""
        self.meter.last_reply = None  # as in `sleep`
        self.clock.sleep(self.random.uniform(0.0, seconds(most)))

    def pace(self, span: float | str) -> None:
        """Block until *span* has passed since the last call returned, or since the visit began.

        Returns at once if that moment has passed; the time lost is not made up later.
        """
        current = self._current
        self.meter.last_reply = None  # as in `sleep`
        current.paced_until = max(current.paced_until + seconds(span), self.clock.now())
        self.clock.sleep(current.paced_until - self.clock.now())

    def repeat(self, work: Callable[..., Any], times: int, *args: Any, **keywords: Any) -> list[Any]:
        """Call `work(session, *args)` *times* times and return the list of values. Raises PlanError."""
        if isinstance(times, bool) or not isinstance(times, int) or times < 0:
            raise PlanError(f"repeat takes a whole number of times, 0 or more; got {times!r}")
        call = bind_session(work, self, self)
        return [call(*args, **keywords) for _ in range(times)]

    def loop(self, duration: float | str | None = None, *, pace: float | str | None = None) -> Iterator[int]:
        """Yield 0, 1, 2 … for *duration*: `for turn in session.loop("10s", pace="1s")`.

        No iteration starts after *duration*; one that has started runs to its end. None is
        without limit. With *pace*, iterations start that long after one another; if one takes
        longer, the next starts at once.
        """
        now = self.clock.now
        end = None if duration is None else now() + seconds(duration)
        step = None if pace is None else seconds(pace)
        due = now()
        self.endless_work.loops += 1
        try:
            for turn in count():
                if (end is not None and now() >= end) or forks.in_child():  # in a child no interrupt would end it
                    return
                yield turn
                if step is None:
                    continue
                due = max(due + step, now())
                if end is not None and due >= end:
                    self.clock.sleep(end - now())
                    return
                self.clock.sleep(due - now())
        finally:
            self.endless_work.loops -= 1

    def retry(
        self,
        work: Callable[..., Any],
        *args: Any,
        attempts: int = 3,
        delay: float | str = 0.0,
        jitter: float | str = 0.0,
        on: Retryable | Sequence[Retryable] = Exception,
        **keywords: Any,
    ) -> Any:
        """Call `work(session, *args, …)` up to *attempts* times, and return its value.

        *on* is the condition for another attempt: an exception class, a predicate of the value
        (`lambda response: response.status_code == 503`), or a list of them. Before another
        attempt it blocks for *delay* plus a random part of *jitter*, and counts «retries NAME».
        The result of the last attempt is returned or raised as it is. Raises PlanError
        for invalid *attempts*.
        """
        if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
            raise PlanError(f"retry takes a whole number of attempts, at least 1; got {attempts!r}")
        rules = list(on) if isinstance(on, Sequence) else [on]
        classes = cast("tuple[type[Exception], ...]", tuple(rule for rule in rules if isinstance(rule, type)))
        predicates = [rule for rule in rules if not isinstance(rule, type)]
        call = bind_session(work, self, self)
        for left in reversed(range(attempts)):
            try:
                value = call(*args, **keywords)
            except classes as exc:
                if not left or is_interrupt(exc):
                    raise
                clear_listed(exc)
            else:
                for again in predicates:  # in a generator, StopIteration of a predicate would become RuntimeError
                    if left and again(value):
                        break
                else:
                    return value
            now = self.clock.now()
            self.meter.record(f"retries {name_of(work)}", "count", now, now, value=1.0)
            self.clock.sleep(seconds(delay) + self.random.uniform(0.0, seconds(jitter)))
        raise AssertionError("the last attempt returns or raises")

    def timeout(self, span: float | str) -> TimeLimit:
        """Return a `with` block that is interrupted after *span*; it ends its tasks and raises BlockTimeout."""
        within = seconds(span)
        return TimeLimit(self.clock, within, BlockTimeout(f"a block took longer than its {within:g} s"), self.tasks)
