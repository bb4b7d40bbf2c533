"""The context manager that times a block of a scenario; `@step` and `@measured` are built on it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from chaperon.errors import FeedEmpty, ScenarioExit
from chaperon.interrupts import is_a, is_ours, is_signal
from chaperon.measure.failures import failure_of
from chaperon.measure.sample import REQUEST_KINDS_NOT, Failure

if TYPE_CHECKING:
    from chaperon.measure.meter import Meter

_FRAMES = frozenset({"step", "task"})
"""Kinds around all that an author does: what is in such a block may still be in no figure of its own."""
_PREFIXED = frozenset({"step", "call", "task", "check"})


def series_name(name: str, kind: str) -> str:
    """Return the name of the series of blocks called *name*: with the kind before it, where Chaperon defines that."""
    return f"{kind} {name}" if kind in _PREFIXED else name


class TimedBlock:
    """Times a `with` block and records one sample at its end, unless a feed had no row left for it.

    An exception that leaves the block makes it an error.

    Set *bytes* to the number of bytes received. Call `fail` to count the block as an error without an
    exception. Raises ScenarioExit in place of a SystemExit from the block. *label* is the name of the series, where
    it is known: the prefix of its kind included.
    """

    __slots__ = ("_failure", "_meter", "_outer_step", "_start", "bytes", "due", "kind", "name")

    def __init__(self, meter: Meter, name: str, kind: str, due: float | None = None, label: str = "") -> None:
        self._meter = meter
        self._failure: Failure | None = None
        self._outer_step = ""
        self.name = label or series_name(name, kind)
        self.kind = kind
        self.due = due
        self.bytes = 0

    def fail(self, error: str, message: str = "") -> None:
        """Count the block as an error of class *error*."""
        self._failure = Failure(error, message or error)

    def __enter__(self) -> TimedBlock:
        if self.kind == "step":
            activity = self._meter.activity
            self._outer_step, activity.step = activity.step, self.name
        self._start = self._meter.now()
        if self.kind not in _FRAMES:
            self._meter.measuring += 1
        if self.kind not in REQUEST_KINDS_NOT:
            self._meter.recorder.lag.begin(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = self._meter.now()
        if self.kind not in _FRAMES:
            self._meter.measuring -= 1
        empty = exc is not None and kind is FeedEmpty and is_ours(exc)
        if exc is not None and not empty:
            self._failure = failure_of(exc, natural=self.kind not in REQUEST_KINDS_NOT)
        if self.kind not in REQUEST_KINDS_NOT:
            self._meter.recorder.lag.end(end)
        if self.kind == "step":
            self._meter.activity.step = self._outer_step
        if not empty:  # what found no row has no duration
            self._meter.record(self.name, self.kind, self._start, end, self._failure, self.bytes, self.due)
        if exc is not None and is_a(exc, SystemExit) and not is_signal(exc):
            # SystemExit would end the process before the report is written
            raise ScenarioExit(f"{self.name} called sys.exit: that ends no run; session.stop_run(reason) does") from exc
