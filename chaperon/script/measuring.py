"""Timing a stretch of a scenario: the mechanism beneath `@step`, `@measured`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from chaperon.client.response import failure_of
from chaperon.errors import FeedEmpty, ScenarioExit
from chaperon.measure.meter import with_tags
from chaperon.measure.sample import Failure

if TYPE_CHECKING:
    from chaperon.clock import Clock
    from chaperon.measure.meter import Meter

_SPOKEN = frozenset({"step", "call", "task", "check"})


def series_name(name: str, kind: str) -> str:
    """Return the name of a series: kinds of ours are spoken before it, as in "step login"."""
    return f"{kind} {name}" if kind in _SPOKEN else name


class Measure:
    """A stretch being timed; an exception that leaves it makes it an error.

    Set *bytes* to what came in; call `fail` where it failed without an exception.
    """

    __slots__ = ("_failure", "_meter", "_start", "bytes", "due", "kind", "name")

    def __init__(self, meter: Meter, name: str, kind: str, due: float | None = None) -> None:
        self._meter = meter
        self._failure: Failure | None = None
        self.name = f"{kind} {name}" if kind in _SPOKEN else name
        self.kind = kind
        self.due = due
        self.bytes = 0

    def fail(self, error: str, message: str = "") -> None:
        """Count the stretch as an error of class *error*."""
        self._failure = Failure(error, message or error)

    def __enter__(self) -> Measure:
        self._start = self._meter.clock.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is not None and not isinstance(exc, FeedEmpty):
            self._failure = failure_of(exc)
        self._meter.take(
            self.name, self.kind, self._start, self._meter.clock.now(), self._failure, self.bytes, self.due
        )
        if isinstance(exc, SystemExit):  # it would end the process, with nothing written
            raise ScenarioExit(f"{self.name} called sys.exit: that ends no run; session.stop_run(reason) does") from exc


class Metrics:
    """What a session measures, counts, checks beside its requests."""

    clock: Clock
    meter: Meter
    first_due: float | None

    def measure(self, name: str, *, kind: str = "call") -> Measure:
        """Time a `with` block as a series: «call NAME», or NAME itself under a *kind* of your own."""
        due = None
        if kind == "step" and self.first_due is not None:
            due, self.first_due = self.first_due, None  # response time is for a visit's first step
        return Measure(self.meter, name, kind, due)

    @contextmanager
    def tagged(self, **tags: object) -> Iterator[None]:
        """Tag whatever is measured in a `with` block: `with session.tagged(area="checkout"): …`."""
        before = self.meter.tags
        self.meter.turn(self.meter.phase, with_tags(before, tags))
        try:
            yield
        finally:
            self.meter.turn(self.meter.phase, before)

    def record(self, name: str, value: float, *, unit: str | None = None) -> None:
        """Record one value of a distribution, under NAME or «NAME (UNIT)»."""
        self._take(f"{name} ({unit})" if unit else name, "value", value)

    def count(self, name: str, n: float = 1) -> None:
        """Add *n* to a sum."""
        self._take(name, "count", n)

    def gauge(self, name: str, value: float) -> None:
        """Say what a level is now: its last, lowest, mean, highest are kept."""
        self._take(name, "gauge", value)

    def check(self, name: str, condition: object) -> bool:
        """Count whether *condition* held, as «check NAME»; return it as a bool and never raise."""
        held = bool(condition)
        now = self.clock.now()
        failure = None if held else Failure("check failed", f"check {name} did not hold")
        self.meter.take(f"check {name}", "check", now, now, failure)
        return held

    def _take(self, name: str, kind: str, value: float) -> None:
        now = self.clock.now()
        self.meter.take(name, kind, now, now, value=float(value))
