"""The context manager that times a block of a scenario; `@step` and `@measured` are built on it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from chaperon.errors import FeedEmpty, ScenarioExit
from chaperon.interrupts import is_a, is_ours, is_signal
from chaperon.measure.failures import failure_of
from chaperon.measure.sample import NON_REQUEST_KINDS, Failure, SessionActivity

if TYPE_CHECKING:
    from chaperon.measure.meter import Meter, SeriesSlot

_FRAMES: Final = frozenset({"step", "task"})
"""Kinds around all that an author does: what is in such a block may still be in no figure of its own."""
_OPEN: Final = "open when its visit was interrupted, which handled that or could not be ended"
"""The message of requests that are errors by that; what is around them is only counted."""
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

    The open blocks of a session and its tasks are a list, linked from the newest one to the oldest, since blocks of
    tasks do not end in order. `record_open_blocks` ends them where their code does not.
    """

    __slots__ = (
        "_abandoned",
        "_failure",
        "_linked",
        "_meter",
        "_newer",
        "_older",
        "_outer_step",
        "_slot",
        "_start",
        "bytes",
        "due",
        "kind",
        "name",
    )

    def __init__(
        self, meter: Meter, name: str, kind: str, due: float | None = None, slot: SeriesSlot | None = None
    ) -> None:
        self._meter = meter
        self._failure: Failure | None = None
        self._outer_step = ""
        self._slot = slot
        self._older: TimedBlock | None = None
        self._newer: TimedBlock | None = None
        self._linked = self._abandoned = False
        self.name = series_name(name, kind) if slot is None else slot.name
        self.kind = kind
        self.due = due
        self.bytes = 0

    def fail(self, error: str, message: str = "") -> None:
        """Count the block as an error of class *error*."""
        self._failure = Failure(error, message or error)

    def __enter__(self) -> TimedBlock:
        meter = self._meter
        self._link(meter.activity)
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
        if self.kind not in NON_REQUEST_KINDS:
            meter.recorder.lag.begin(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        meter = self._meter
        end = meter.now()
        self._unlink(meter.activity)
        if self._abandoned:
            return
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
            self._failure = failure_of(exc, natural=self.kind not in NON_REQUEST_KINDS)
        if self.kind not in NON_REQUEST_KINDS:
            meter.recorder.lag.end(end)
        if not empty:  # what found no row has no duration
            meter.record(self.name, self.kind, self._start, end, self._failure, self.bytes, self.due)
        if exc is not None and is_a(exc, SystemExit) and not is_signal(exc):
            # SystemExit would end the process before the report is written
            raise ScenarioExit(f"{self.name} called sys.exit: that ends no run; session.stop_run(reason) does") from exc

    def abandon(self, now: float, endless: bool) -> None:
        """Record the block, which is still open at *now*, as one that takes at least so long; its end records nothing.

        *endless* is whether its work has no natural end, if it is no request.
        """
        self._abandoned = True
        self.cut(endless)
        self._meter.record(self.name, self.kind, self._start, now, self._failure, self.bytes, self.due)

    def cut(self, endless: bool) -> None:
        """Count the block, which is open, as interrupted: its code may go on, but not as it would have by itself."""
        natural = self.kind not in NON_REQUEST_KINDS
        self._failure = Failure("interrupted", _OPEN if natural else "", natural, natural or not endless)

    def _link(self, activity: SessionActivity) -> None:
        self._abandoned = False
        if self._linked:  # the same block, within itself
            return
        older: Any = activity.newest
        if older is not None:
            older._newer = self
        self._older, self._linked, activity.newest = older, True, self

    def _unlink(self, activity: SessionActivity) -> None:
        if not self._linked:
            return
        older, newer = self._older, self._newer
        if newer is None:
            activity.newest = older
        else:
            newer._older = older
        if older is not None:
            older._newer = newer
        self._older = self._newer = None
        self._linked = False


def cut_open_blocks(activity: SessionActivity) -> None:
    """Count the open blocks of a session and its tasks as interrupted, even if their code handles the exception."""
    block: Any = activity.newest
    while block is not None:
        block.cut(False)
        block = block._older


def record_open_blocks(activity: SessionActivity, now: float, *, endless: bool) -> None:
    """Record the blocks of a session and its tasks that are open at *now*, for their code cannot be ended.

    Each takes at least so long. *endless* is whether the session's work has no natural end.
    """
    block: Any = activity.newest
    activity.newest = None
    while block is not None:
        older = block._older
        block._older = block._newer = None
        block._linked = False
        block.abandon(now, endless)
        block = older
