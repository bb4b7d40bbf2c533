"""The collector: receives the windows of all workers and closes the run second by second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.plain_text import encodable
from chaperon.measure.precision.history import History
from chaperon.measure.precision.stretch import SeriesStretch, stretch_of
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorKey, RunEvent, VisitCounts, Window
from chaperon.report.percentiles import Population
from chaperon.report.run_log import NoRunLog, RunLog
from chaperon.report.run_sums import MergedSecond, RunSums
from chaperon.report.spooling.spool import Spool
from chaperon.report.totals import Pulse, RecentSecond, Totals, WorkerStats

RECENT = 5
"""Number of closed seconds that the live figures cover."""
HISTORY = 60
"""Number of closed seconds that are given one by one with the live figures."""
LATE = "windows that came after their second was closed, added all the same"
TWICE = "windows that came twice, counted once"
MISSING = "windows that never came"
NO_HISTORY = "failure to keep the seconds of the run ({why}): intervals treat samples as independent"

Listener = Callable[[int, Mapping[Key, Sequence[Series]], Sequence[Window]], None]
"""Called with (second, series parts by key, windows) for each closed second, and for each late window."""


@lazy_dataclass(slots=True)
class FailureStreak:
    """The number of seconds, *length*, since the last second with a good outcome in which something failed.

    Seconds without any outcome count if a failure came before and after them.
    """

    length: int = 0
    _since: int | None = None

    def record(self, second: int, *, bad: int, good: int) -> None:
        """Record how many outcomes of *second* were bad, and how many good."""
        if good:
            self.length, self._since = 0, None
        elif bad:
            self._since = second if self._since is None else self._since
            self.length = second - self._since + 1


class Collector:
    """Receives windows and adds them up. The same windows give the same figures in any order of arrival.

    Seconds are closed in order. A second is closed when every present worker has sent its window,
    or when a window *patience* seconds younger has arrived. Its windows are then merged in the
    order of the workers. Every change is reported to the attached log first. Nothing here
    blocks or reads a clock, unless the log does.
    """

    def __init__(self, workers: Sequence[str] = ("local",), *, patience: float = 10.0) -> None:
        self.log: RunLog = NoRunLog()
        self._workers = {name: WorkerStats(name) for name in workers}
        self._patience = patience
        self._present = set(workers)
        self._open: dict[int, dict[str, Window]] = {}
        self._early: dict[int, list[tuple[MergedSecond, Window]]] = {}
        self._closed = -1
        self._sums = RunSums()
        self._spool = Spool()
        self._recent: deque[tuple[int, Population]] = deque(maxlen=RECENT)
        self._minute: deque[RecentSecond] = deque(maxlen=HISTORY)
        self._requests_failing = FailureStreak()
        self._visits_failing = FailureStreak()
        self.listeners: list[Listener] = []

    def __repr__(self) -> str:
        return f"<Collector of {', '.join(self._workers)} at second {self._closed}>"

    @property
    def workers(self) -> list[WorkerStats]:
        """The workers that have sent windows or joined, present or not."""
        return list(self._workers.values())

    @property
    def closed(self) -> int:
        """The newest closed second, -1 before the first."""
        return self._closed

    @property
    def failing_for(self) -> int:
        """For how many seconds every request has been in error, or every visit failed without a good request."""
        return max(self._requests_failing.length, self._visits_failing.length)

    def attach(self, log: RunLog) -> None:
        """Report every change to *log* from now on, beginning with the workers that are present."""
        self.log = log
        for worker in self._workers:
            log.record_join(worker)

    def join(self, worker: str) -> None:
        """Add a worker, or mark it as present again: from now on seconds wait for its windows."""
        if worker not in self._present:
            self.log.record_join(worker)
            self._expect(worker)

    def leave(self, worker: str, *, lost: bool = False) -> None:
        """Mark a worker as away: seconds no longer wait for its windows. *lost*: it has not sent all of them."""
        self.log.record_leave(worker, lost)
        stats = self._workers.setdefault(worker, WorkerStats(worker))
        stats.away, stats.lost = True, lost or stats.lost
        self._present.discard(worker)
        self._close_complete()

    def add(self, window: Window) -> None:
        """Receive one window. A window received before is only counted, in a note; an unknown worker joins."""
        window = self.log.record_window(window)
        if window.worker not in self._workers:
            self._expect(window.worker)
        if not self._workers[window.worker].record(window):
            self._sums.notes[TWICE] += 1
        elif window.at <= self._closed:
            self._sums.notes[LATE] += 1
            merged = self._sums.merge(window.at, [window], late=True)
            self._spool.add(window.at, merged.series)
            self._add_to_minute(window.at, merged)
            self._notify(window.at, merged, [window])
        else:
            self._open.setdefault(window.at, {})[window.worker] = window
            self._close_complete()

    @property
    def in_flight(self) -> int:
        """How many visits of the closed seconds are planned and have not ended."""
        return sum(counts.planned - counts.ended for counts in self._sums.ledger.values())

    def close(self) -> None:
        """Close all open seconds. Windows that arrive afterwards for one of them count as late."""
        for second in sorted(self._open):
            self._close(second)

    def correct(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None:
        """Add visit counts that no window contains, such as visits lost with a worker; see `RunSums.correct`."""
        self.log.record_correction(ledger)
        self._sums.correct(ledger)

    def add_series(self, worker: str, second: int, series: Mapping[Key, Series]) -> None:
        """Add samples that no window contains, such as visits lost with *worker*; listeners get them as a late window.

        They do not count as reported by the worker.
        """
        window = self.log.record_extra(Window(worker, 1, second, series=series))
        merged = self._sums.merge(second, [window], late=True)
        self._spool.add(second, merged.series)
        self._notify(second, merged, [window])

    def add_event(self, event: RunEvent) -> None:
        """Add an event of the run as a whole, such as its stop, which no window contains; its worker is ""."""
        self.add_events(max(min(int(event.at), self._closed), 0), [event])

    def add_events(self, second: int, events: Sequence[RunEvent]) -> None:
        """Add events that no window contains; listeners get them as a late window, once *second* is closed."""
        window = self.log.record_extra(Window("", 1, second, happenings=tuple(events)))
        merged = self._sums.merge(second, [window], late=True)
        if second <= self._closed:
            self._notify(second, merged, [window])
        else:
            self._early.setdefault(second, []).append((merged, window))

    def count_note(self, what: str, times: int = 1) -> None:
        """Count *times* occurrences of the note *what*, which the report shows with its number."""
        what = encodable(what)
        self.log.record_note(what, times)
        self._sums.notes[what] += times

    def set_lost_visits(self, worker: str, visits: int) -> None:
        """Set how many visits have an unknown outcome because *worker* was lost. Does nothing for an unknown worker."""
        stats = self._workers.get(worker)
        if stats is not None and stats.losses != visits:
            self.log.record_lost_visits(worker, visits)
            stats.losses = visits

    def pulse(self) -> Pulse:
        """Return the live figures: rates and percentiles of the last `RECENT` closed seconds."""
        seconds = self._sums.seconds
        if not seconds:
            return Pulse()
        rows = list(self._minute)[-RECENT:]
        population = Population.merge_all([p for _, p in self._recent])
        p50, p95, p99 = (population.quantile(q) for q in (0.5, 0.95, 0.99))
        requests, errors = sum(r.requests for r in rows), sum(r.errors for r in rows)
        ledger = self._sums.ledger.values()
        newest = self._newest_error()
        return Pulse(
            elapsed=self._closed + 1,
            users=seconds[rows[-1].at].users if rows else 0,
            requests_rate=requests / max(len(rows), 1),
            visits_rate=sum(r.visits for r in rows) / max(len(rows), 1),
            errors=self._sums.request_errors,
            error_share=errors / requests if requests else 0.0,
            p50=p50.value if p50 else None,
            p95=p95.value if p95 else None,
            p50_at_least=p50.at_least if p50 else None,
            p95_at_least=p95.at_least if p95 else None,
            p99=p99.value if p99 else None,
            p99_at_least=p99.at_least if p99 else None,
            visits=sum(c.made for c in ledger),
            requests=self._sums.requests,
            dropped=sum(c.dropped for c in ledger),
            error="" if newest is None else self._error_text(newest),
            error_series="" if newest is None else newest[1],
            error_count=0 if newest is None else self._sums.errors[newest].count,
            seconds=tuple(self._minute),
        )

    def so_far(self) -> Totals:
        """Return what the validity of the run is judged by, as it is by now: nothing in it may be changed."""
        return self._sums.so_far(self.workers)

    def totals(self, *, histories: bool = True) -> Totals:
        """Return a copy of all sums, including those of seconds that are still open.

        With *histories*, each series has the seconds that are closed, which are read from a file
        when they are needed.
        """
        sums = self._sums.copy()
        for second in sorted(self._open):
            sums.merge(second, self._in_order(self._open[second]))
        missing = sum(len(w.missing) for w in self._workers.values())
        if missing:
            sums.notes[MISSING] = missing
        if self._spool.failure is not None:
            sums.notes[NO_HISTORY.format(why=self._spool.failure)] = 1
        totals = sums.totals([copy(w) for w in self._workers.values()])
        if not histories:
            return totals
        kept = self._spool.histories(totals.series)
        series = {key: each.with_history(kept.get(key)) for key, each in totals.series.items()}
        return replace(totals, series=series)

    def stretch(self, start: float, end: float) -> Iterator[tuple[Key, SeriesStretch]]:
        """Yield each key with its samples from second *start* up to second *end*, of closed seconds. May block.

        A series whose samples are all beside the stretch is left out. Nothing is yielded where the seconds
        could not be kept.
        """
        for key in self._spool.keys:
            found = stretch_of(self._spool.between(key, start, end))
            if found is not None:
                yield key, found

    def histories(self) -> Iterator[tuple[Key, History]]:
        """Yield each key with its closed seconds. Nothing is yielded where the seconds could not be kept."""
        yield from self._spool.histories(self._spool.keys).items()

    @property
    def errors(self) -> dict[ErrorKey, int]:
        """The numbers of errors so far by (scenario, series, error class), without those of the warm-up."""
        return {where: error.count - error.warm for where, error in self._sums.errors.items()}

    @property
    def due(self) -> Mapping[str, float]:
        """By scenario label, for how many seconds visits were due so far, without the warm-up."""
        return self._sums.due

    def _newest_error(self) -> ErrorKey | None:
        """Return the error class that came up last among those of the last seconds, else the one that occurred last."""
        errors = self._sums.errors
        recent = [where for where, error in errors.items() if error.last >= self._closed + 1 - RECENT]
        if recent:
            return max(recent, key=lambda where: errors[where].first)
        return max(errors, key=lambda where: errors[where].last, default=None)

    def _error_text(self, place: ErrorKey) -> str:
        """Return the error class, or the text of the exception if the author's code raised it, with its line."""
        error = self._sums.errors[place]
        return error.sample if error.where else place[2]

    def _expect(self, worker: str) -> None:
        self._workers.setdefault(worker, WorkerStats(worker)).away = False
        self._present.add(worker)

    def _close_complete(self) -> None:
        """Close, in order, the seconds that are complete or have waited for *patience* seconds."""
        present = self._present
        for second in sorted(self._open):
            there = self._open[second]
            complete = second == self._closed + 1 and len(there) >= len(present) and present <= there.keys()
            if not complete and max(self._open) - second < self._patience:
                break
            self._close(second)

    def _close(self, second: int) -> None:
        windows = self._in_order(self._open.pop(second))
        self._closed = max(self._closed, second)
        merged = self._sums.merge(second, windows)
        self._spool.add(second, merged.series)
        self._recent.append((second, merged.population))
        good, visits = merged.requests - merged.errors, merged.counts
        times = (merged.population.quantile(q) for q in (0.5, 0.95, 0.99))
        self._minute.append(
            RecentSecond(
                second,
                merged.requests,
                merged.errors,
                visits.planned,
                visits.made,
                *(each.lower if each else None for each in times),
            )
        )
        self._requests_failing.record(second, bad=merged.errors, good=good)
        self._visits_failing.record(second, bad=visits.failed, good=visits.done + good)
        self._notify(second, merged, windows)
        for early in [at for at in self._early if at <= second]:
            for extra, window in self._early.pop(early):
                self._notify(second, extra, [window])

    def _add_to_minute(self, second: int, late: MergedSecond) -> None:
        """Add what came late for a second to its counts among the last ones; its percentiles stay as they are."""
        for place, row in enumerate(self._minute):
            if row.at == second:
                self._minute[place] = row._replace(
                    requests=row.requests + late.requests,
                    errors=row.errors + late.errors,
                    planned=row.planned + late.counts.planned,
                    visits=row.visits + late.counts.made,
                )

    def _in_order(self, windows: Mapping[str, Window]) -> list[Window]:
        return [windows[name] for name in self._workers if name in windows]

    def _notify(self, second: int, merged: MergedSecond, windows: Sequence[Window]) -> None:
        for listener in self.listeners:
            listener(second, merged.parts, windows)
