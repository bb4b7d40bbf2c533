"""Applying the records of a run to a new monitor, whole or for a stretch of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import field, replace

from chaperon.errors import RunFileError, WireError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.closing import OPEN_ENDS
from chaperon.measure.encoding.window_codec import unpack_window
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, VisitCounts, Window
from chaperon.report.monitor import RunMonitor
from chaperon.report.run_file.records import (
    Correction,
    ExtraRecord,
    LostVisitsRecord,
    MergedRecord,
    Noted,
    Record,
    RunEnded,
    WindowRecord,
    WorkerJoined,
    WorkerLeft,
)

GAP = 100_000
"""Maximum number of windows of one worker that may be missing in a row."""
STOPPED = "the run was stopped before its end: "
Ledger = dict[tuple[str, int], VisitCounts]


def _is_visit(key: Key) -> bool:
    return key.kind == "visit"


def _is_request(key: Key) -> bool:
    return key.is_request


@lazy_dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a run is wanted: seconds *start* to *end* from its start, *end* left out, and one *phase*.

    *seconds* are the seconds in which that phase was going on, by scenario label.
    """

    start: float = 0.0
    end: float = math.inf
    phase: str | None = None
    seconds: frozenset[tuple[str, int]] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether it is the whole run."""
        return self.start <= 0.0 and math.isinf(self.end) and self.phase is None

    def has(self, second: int) -> bool:
        """Return whether a second of the run is wanted."""
        return self.start <= second < self.end

    def counts(self, ledger: Iterable[tuple[tuple[str, int], VisitCounts]]) -> Ledger:
        """Return the part of a ledger that is of visits due in this stretch."""
        return {
            (label, due): counts
            for (label, due), counts in ledger
            if self.has(due) and (self.phase is None or (label.partition("/")[0], due) in self.seconds)
        }

    def cut(self, window: Window, seq: int) -> Window:
        """Return a window of this stretch with the number *seq*, without what is of another phase."""
        ledger = self.counts(window.ledger.items())
        if self.phase is None:
            return replace(window, seq=seq, ledger=ledger)
        phases = {of: span for of, span in window.phases.items() if of[1] == self.phase}
        return replace(
            window,
            seq=seq,
            ledger=ledger,
            series={key: each for key, each in window.series.items() if key.phase == self.phase},
            errors=self._errors(window),
            phases=phases,
            due={label: phases.get((label, self.phase), 0.0) for label in window.due},
        )

    def _errors(self, window: Window) -> dict[ErrorKey, ErrorCount]:
        """Return the errors of the phase, which errors do not name: as many as its series have, at most.

        Errors without a series are those of all phases.
        """
        failed: dict[tuple[str, str], int] = {}
        for key, series in window.series.items():
            own = series.errors if key.phase == self.phase else 0
            failed[key.scenario, key.name] = failed.get((key.scenario, key.name), 0) + own
        found = {}
        for (label, name, error), each in window.errors.items():
            count = min(each.count, failed.get((label, name), each.count))
            if count:
                warm = min(each.warm, count) if self.phase == WARM_UP else 0
                found[label, name, error] = replace(each, count=count, warm=warm)
        return found


WHOLE = Stretch()


@lazy_dataclass(slots=True)
class Replay:
    """Applies records to *monitor*, in their order; moments in windows are relative to *began*, in seconds.

    *kept* is whether the monitor judges by the limits of the run itself: only then does the
    reason for which a limit stopped the run count.
    """

    monitor: RunMonitor
    began: float
    stretch: Stretch = WHOLE
    kept: bool = True
    _numbers: dict[str, int] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Apply one record. Raises RunFileError if a window in it is not valid."""
        collector = self.monitor.collector
        match record:
            case WindowRecord(worker, _, body):
                self._add(decoded(body, worker, self.began))
            case MergedRecord(worker, parts, body):
                whole = decoded(body, worker, self.began)
                for seq, at, users in parts[:-1]:
                    self._add(Window(worker, seq, at, users=users))
                self._add(whole)
            case ExtraRecord(worker, second, body):
                if self.stretch.has(second):
                    window = self.stretch.cut(decoded(body, worker, self.began), 1)
                    if window.series:
                        collector.add_series(worker, second, window.series)
                    if window.happenings:
                        collector.add_events(second, window.happenings)
            case WorkerJoined(worker):
                collector.join(worker)
            case WorkerLeft(worker, lost):
                collector.leave(worker, lost=lost)
            case LostVisitsRecord(worker, visits):
                collector.set_lost_visits(worker, visits)
            case Correction(ledger):
                changes = {(label, due): counts for label, due, counts in ledger}
                collector.correct(changes if self.stretch.whole else self.stretch.counts(changes.items()))
            case Noted(text, times):
                collector.count_note(text, times)
            case RunEnded(how, reason):
                self._end(how, reason)

    def _add(self, window: Window) -> None:
        number = self._numbers.get(window.worker, 0)
        if self.stretch.whole:
            if window.seq > number + GAP:
                raise RunFileError(f"window {window.seq:,} of {window.worker!r} follows window {number:,}")
            self._numbers[window.worker] = max(window.seq, number)
            self.monitor.add(window)
        elif self.stretch.has(window.at):
            seq = self._numbers[window.worker] = number + 1
            self.monitor.add(self.stretch.cut(window, seq))
        else:
            self.monitor.collector.correct(self.stretch.counts(window.ledger.items()))
            if window.at >= self.stretch.end:
                self._count_open(window)

    def _count_open(self, window: Window) -> None:
        """Note how many samples of a later window were certainly in flight at the end of the stretch."""
        for note, wanted in zip(OPEN_ENDS, (_is_request, _is_visit), strict=True):
            longer = sum([self._open_of(each, window.at) for key, each in window.series.items() if wanted(key)])
            if longer:
                self.monitor.collector.count_note(note, longer)

    def _open_of(self, series: Series, second: int) -> int:
        """Return how many samples of a series, which ended in *second*, had begun before the end of the stretch."""
        newest = second + 1.0 if series.last is None else min(series.last[0] - self.began, second + 1.0)
        least = newest - self.stretch.end
        populations = (series.good, series.bad, series.censored)
        return sum([round(part.count * (1.0 - part.share_below(least))) for part in populations])

    def _end(self, how: str, reason: str) -> None:
        if how == "fault":
            self.monitor.add_fault(reason)
        elif not self.stretch.whole or (how == "failed" and not self.kept):
            self.monitor.collector.count_note(f"{STOPPED}{reason}")
        elif how == "failed":
            self.monitor.set_failed(reason)
        else:
            self.monitor.set_aborted(reason)


def decoded(body: bytes, worker: str, began: float) -> Window:
    """Return the window in *body*. Raises RunFileError if it is not valid."""
    try:
        return unpack_window(body, worker, began=began)
    except WireError as exc:
        raise RunFileError(f"a window of {worker!r} that is not valid: {exc}") from exc
