"""A stretch of a scenario being timed: the mechanism beneath `@step`, `@measured`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from chaperon.errors import FeedEmpty, ScenarioExit
from chaperon.interrupts import is_a, is_ours, is_signal
from chaperon.measure.failures import failure_of
from chaperon.measure.sample import REQUEST_KINDS_NOT, Failure

if TYPE_CHECKING:
    from chaperon.measure.meter import Meter

_SPOKEN = frozenset({"step", "call", "task", "check"})


class TimedBlock:
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

    def __enter__(self) -> TimedBlock:
        self._start = self._meter.clock.now()
        if self.kind not in REQUEST_KINDS_NOT:
            self._meter.recorder.lag.begin(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is not None and not (kind is FeedEmpty and is_ours(exc)):
            self._failure = failure_of(exc, natural=self.kind not in REQUEST_KINDS_NOT)
        end = self._meter.clock.now()
        if self.kind not in REQUEST_KINDS_NOT:
            self._meter.recorder.lag.end(end)
        self._meter.record(self.name, self.kind, self._start, end, self._failure, self.bytes, self.due)
        if exc is not None and is_a(exc, SystemExit) and not is_signal(exc):
            # it would end the process, with nothing written
            raise ScenarioExit(f"{self.name} called sys.exit: that ends no run; session.stop_run(reason) does") from exc
