"""The context manager that times a block of a scenario; `@step` and `@measured` are built on it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final

from chaperon.errors import FeedEmpty, ScenarioExit
from chaperon.interrupts import is_a, is_ours, is_signal
from chaperon.measure.failures import failure_of
from chaperon.measure.sample import REQUEST_KINDS_NOT, Failure

if TYPE_CHECKING:
    from chaperon.measure.meter import Meter, SeriesSlot

_FRAMES: Final = frozenset({"step", "task"})
"""Kinds around all that an author does: what is in such a block may still be in no figure of its own."""
_PREFIXED: Final = frozenset({"step", "call", "task", "check"})


def series_name(name: str, kind: str) -> str:
    """Return the name of the series of blocks called *name*: with the kind before it, where Chaperon defines that."""
    return f"{kind} {name}" if kind in _PREFIXED else name


class TimedBlock:
    """Times a `with` block and records one sample at its end, unless a feed had no row left for it.

    An exception that leaves the block makes it an error.

    Set *bytes* to the number of bytes received. Call `fail` to count the block as an error without an
    exception. Raises ScenarioExit in place of a SystemExit from the block. *slot* is that of the series, where
    it is known; *name* is not read then.
    """

    __slots__ = ("_failure", "_meter", "_outer_step", "_slot", "_start", "bytes", "due", "kind", "name")

    def __init__(
        self, meter: Meter, name: str, kind: str, due: float | None = None, slot: SeriesSlot | None = None
    ) -> None:
        self._meter = meter
        self._failure: Failure | None = None
        self._outer_step = ""
        self._slot = slot
        self.name = series_name(name, kind) if slot is None else slot.name
        self.kind = kind
        self.due = due
        self.bytes = 0

    def fail(self, error: str, message: str = "") -> None:
        """Count the block as an error of class *error*."""
        self._failure = Failure(error, message or error)

    def __enter__(self) -> TimedBlock:
        meter = self._meter
        if self.kind == "step":
            activity = meter.activity
            self._outer_step, activity.step = activity.step, self.name
            self._start = meter.now()
            if not self._outer_step:
                activity.step_began = self._start
            return self
        self._start = meter.now()
        if self.kind not in _FRAMES:
            meter.measuring += 1
        if self.kind not in REQUEST_KINDS_NOT:
            meter.recorder.lag.begin(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        meter = self._meter
        end = meter.now()
        if self.kind == "step":
            meter.activity.step = self._outer_step
            if not self._outer_step:
                meter.last_reply = None
            if exc is None and self._slot is not None:
                meter.record_in(self._slot, self._start, end, self._failure, self.bytes, self.due, None)
                return
        elif self.kind not in _FRAMES:
            meter.measuring -= 1
        empty = exc is not None and kind is FeedEmpty and is_ours(exc)
        if exc is not None and not empty:
            self._failure = failure_of(exc, natural=self.kind not in REQUEST_KINDS_NOT)
        if self.kind not in REQUEST_KINDS_NOT:
            meter.recorder.lag.end(end)
        if not empty:  # what found no row has no duration
            meter.record(self.name, self.kind, self._start, end, self._failure, self.bytes, self.due)
        if exc is not None and is_a(exc, SystemExit) and not is_signal(exc):
            # SystemExit would end the process before the report is written
            raise ScenarioExit(f"{self.name} called sys.exit: that ends no run; session.stop_run(reason) does") from exc
