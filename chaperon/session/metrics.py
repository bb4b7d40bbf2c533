"""Custom metrics of a session: timers, values, counters, gauges, checks."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isfunction, ismethod
from types import TracebackType
from typing import TYPE_CHECKING

from chaperon.load.current_visit import CurrentVisit
from chaperon.measure.meter import with_tags
from chaperon.measure.plain_text import NAME, excerpt
from chaperon.measure.sample import Failure
from chaperon.measure.timed_block import TimedBlock

if TYPE_CHECKING:
    from chaperon.clock import Clock
    from chaperon.measure.meter import Meter, Tags
    from chaperon.session.clients import SessionClients


class MetricMethods:
    """Custom metrics of a session, beside those of its requests."""

    clock: Clock
    meter: Meter
    _current: CurrentVisit
    _clients: SessionClients

    def measure(self, name: str, *, kind: str = "call") -> TimedBlock:
        """Time a `with` block as a series: «call NAME», or NAME itself under a *kind* of your own."""
        due = None
        if kind == "step" and self._current.first_due is not None:
            due, self._current.first_due = self._current.first_due, None  # response time is for a visit's first step
        return TimedBlock(self.meter, f"{name}", f"{kind}", due)

    def tagged(self, **tags: object) -> Tagged:
        """Add tags to all samples measured in a `with` block: `with session.tagged(area="checkout"): …`."""
        return Tagged(self.meter, tags)

    def record(self, name: str, value: float, *, unit: str | None = None) -> None:
        """Record one value of a distribution, under NAME or «NAME (UNIT)»."""
        self._record_number(f"{name} ({unit})" if unit else f"{name}", "value", value)

    def count(self, name: str, n: float = 1) -> None:
        """Add *n* to a sum."""
        self._record_number(f"{name}", "count", n)

    def gauge(self, name: str, value: float) -> None:
        """Record the current value of a level; last, minimum, mean and maximum are reported."""
        self._record_number(f"{name}", "gauge", value)

    def check(self, name: str, condition: object) -> bool:
        """Count whether *condition* held, as «check NAME»; return it as a bool.

        Raises TypeError if *name* is no text, or a whole page of it beside a text: the two are in the wrong order;
        and for a function, which would always count as true.
        """
        if not isinstance(name, str) or (isinstance(condition, str) and (len(name) > NAME or "\n" in name)):
            raise TypeError(_check_order(name, condition))
        if isfunction(condition) or ismethod(condition):
            raise TypeError(
                f"session.check({excerpt(name)}, …) takes a condition, got a function, which is never false:"
                " call it first, as in check(name, works(response))"
            )
        held = bool(condition)
        now = self.clock.now()
        failure = None if held else Failure("check failed", f"check {name} did not hold")
        self.meter.record(f"check {name}", "check", now, now, failure)
        if failure is not None:
            self._clients.explain_check(f"check {name}", now, failure)
        return held

    def _record_number(self, name: str, kind: str, value: float) -> None:
        now = self.clock.now()
        self.meter.record(name, kind, now, now, value=float(value))


def _check_order(first: object, second: object) -> str:
    """Return what to write in place of `check(first, second)`, where the first one is no text."""
    name = excerpt(second) if isinstance(second, str) else "'has a price'"
    return (
        f"session.check(name, condition) takes the name first, which is text; got {type(first).__name__} "
        f"{excerpt(first)}: write session.check({name}, …)"
    )


class Tagged:
    """A `with` block with tags; no `contextmanager`, which sets attributes of the exceptions that pass through it."""

    def __init__(self, meter: Meter, tags: Mapping[str, object]) -> None:
        self._meter = meter
        self._tags = tags
        self._before: Tags = ()

    def __enter__(self) -> None:
        self._before = self._meter.tags
        self._meter.set_phase(self._meter.phase, with_tags(self._before, self._tags))

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meter.set_phase(self._meter.phase, self._before)
