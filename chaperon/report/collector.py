"""Where windows come together, second by second."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from chaperon.measure.closing import Reported
from chaperon.measure.plain_text import encodable
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts, Window
from chaperon.report.percentiles import Population

RECENT = 5
COUNTED = frozenset(
    ("stalls", "starts", "dropped_late", "dropped_cap", "gc", "queued", "throttled", "throttles", "steal")
)
"""What a window's health counts anew each time."""
HAPPENINGS = 1_000
HAPPENINGS_CAPPED = f"happenings beyond the first {HAPPENINGS:,} of the run left out"
LATE = "windows that came after their second was closed, added all the same"
TWICE = "windows that came twice, counted once"
MISSING = "windows that never came"


@dataclass(slots=True)
class SecondRow:
    """What one second of the run amounts to; *users* were busy at its end, p50 and p95 in seconds.

    *censored* requests were cut before they ended; a percentile that falls among them is None.
    *health* is the worst of any worker.
    """

    at: int
    requests: int = 0
    errors: int = 0
    users: int = 0
    p50: float | None = None
    p95: float | None = None
    censored: int = 0
    counts: VisitCounts = field(default_factory=VisitCounts)
    health: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class WorkerStats:
    """What one worker has sent so far; *health* is the worst that was seen, *latest* the last.

    *losses* are the visits whose end is unknown because the worker was lost. No window is waited
    for of one that is *away*; one that is *lost* went away with windows it never sent.
    """

    name: str
    windows: int = 0
    visits: int = 0
    next_seq: int = 1
    away: bool = False
    lost: bool = False
    missing: set[int] = field(default_factory=set)
    health: dict[str, float] = field(default_factory=dict)
    latest: Mapping[str, float] = field(default_factory=dict)
    losses: int = 0
    reported: Reported = field(default_factory=Reported)

    def record(self, window: Window) -> bool:
        """Note a window's number; return whether it is new."""
        if window.seq >= self.next_seq:
            self.missing.update(range(self.next_seq, window.seq))
            self.next_seq = window.seq + 1
        elif window.seq in self.missing:
            self.missing.discard(window.seq)
        else:
            return False
        self.windows += 1
        self.visits += sum(c.done + c.failed + c.interrupted for c in window.ledger.values())
        self.reported.add(window)
        merge_worst(self.health, window.health)
        self.latest = window.health
        return True


def merge_worst(known: dict[str, float], seen: Mapping[str, float]) -> None:
    """Make *known* the worse of both: what is counted anew in each window is added up."""
    for name, value in seen.items():
        worst = known.get(name, 0.0)
        known[name] = worst + value if name in COUNTED else max(worst, value)


@dataclass(slots=True)
class FailureStreak:
    """For how many seconds there has been nothing but bad; seconds with neither count with those before."""

    length: int = 0
    _since: int | None = None

    def record(self, second: int, *, bad: int, good: int) -> None:
        """Note how many were bad, how many good in *second*."""
        if good:
            self.length, self._since = 0, None
        elif bad:
            self._since = second if self._since is None else self._since
            self.length = second - self._since + 1


@dataclass(frozen=True, slots=True)
class Pulse:
    """The run as it is now, over the last closed seconds; times in seconds, rates per second.

    A percentile that falls among censored requests is None, with its lower bound beside it.
    """

    elapsed: int = 0
    users: int = 0
    requests_rate: float = 0.0
    visits_rate: float = 0.0
    errors: int = 0
    error_share: float = 0.0
    p50: float | None = None
    p95: float | None = None
    p50_at_least: float | None = None
    p95_at_least: float | None = None
    visits: int = 0
    requests: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """All that is known at one moment.

    *phases* is by (scenario label, phase) for how many seconds the load was in it, *due* by
    scenario label for how many seconds visits were due that are no warm-up. *happenings* are
    with the worker they came from, in their order. *generator* is the generator's own part of
    what was measured, as in a window, without the warm-up.
    """

    series: Mapping[Key, Series]
    ledger: Mapping[str, VisitCounts]
    seconds: Sequence[SecondRow]
    errors: Mapping[ErrorKey, ErrorCount]
    workers: Sequence[WorkerStats]
    notes: Mapping[str, int]
    phases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    due: Mapping[str, float] = field(default_factory=dict)
    happenings: Sequence[tuple[str, RunEvent]] = ()
    generator: Mapping[str, Series] = field(default_factory=dict)


Listener = Callable[[int, Mapping[Key, Sequence[Series]], Sequence[Window]], None]
"""Called with every second when it is closed, and with each window that comes late to one."""


class Collector:
    """Adds windows up; the same windows give the same figures in any order of arrival.

    Seconds are closed in their order, each when every worker has sent it or one *patience*
    seconds younger has come; then its windows are merged in the order of *workers*.
    """

    def __init__(self, workers: Sequence[str] = ("local",), *, patience: float = 10.0) -> None:
        self._workers = {name: WorkerStats(name) for name in workers}
        self._patience = patience
        self._present = set(workers)
        self._open: dict[int, dict[str, Window]] = {}
        self._closed = -1
        self._series: dict[Key, Series] = {}
        self._ledger: dict[str, VisitCounts] = {}
        self._seconds: dict[int, SecondRow] = {}
        self._errors: dict[ErrorKey, ErrorCount] = {}
        self._notes: Counter[str] = Counter()
        self._phases: dict[tuple[str, str], float] = {}
        self._due: dict[str, float] = {}
        self._happenings: list[tuple[str, RunEvent]] = []
        self._generator: dict[str, Series] = {}
        self._recent: deque[tuple[int, Population]] = deque(maxlen=RECENT)
        self._requests_failing = FailureStreak()
        self._visits_failing = FailureStreak()
        self.listeners: list[Listener] = []

    def __repr__(self) -> str:
        return f"<Collector of {', '.join(self._workers)} at second {self._closed}>"

    @property
    def failing_for(self) -> int:
        """For how many seconds every request has been in error, or every visit failed without a good request."""
        return max(self._requests_failing.length, self._visits_failing.length)

    def add(self, window: Window) -> None:
        """Take in one window: the sink of a run."""
        worker = self._workers.get(window.worker)
        if worker is None:
            self.join(window.worker)
            worker = self._workers[window.worker]
        if not worker.record(window):
            self._notes[TWICE] += 1
            return
        if window.at <= self._closed:
            self._notes[LATE] += 1
            self._merge(window.at, [window], late=True)
            return
        self._open.setdefault(window.at, {})[window.worker] = window
        self._close_whole()

    def _close_whole(self) -> None:
        present = self._present
        for second in sorted(self._open):
            there = self._open[second]
            next_and_whole = second == self._closed + 1 and len(there) >= len(present) and present <= there.keys()
            if not next_and_whole and max(self._open) - second < self._patience:
                break
            self._close(second)

    def join(self, worker: str) -> None:
        """Wait for the windows of one more worker before closing a second."""
        self._workers.setdefault(worker, WorkerStats(worker)).away = False
        self._present.add(worker)

    def leave(self, worker: str, *, lost: bool = False) -> None:
        """Wait for a worker's windows no longer; *lost* ones have not said all they had to say."""
        tally = self._workers.setdefault(worker, WorkerStats(worker))
        tally.away, tally.lost = True, lost or tally.lost
        self._present.discard(worker)
        self._close_whole()

    def set_lost_visits(self, worker: str, visits: int) -> None:
        """Note how many visits have no known end because *worker* was lost; one lost before the run began has none."""
        tally = self._workers.get(worker)
        if tally is not None:
            tally.losses = visits

    @property
    def workers(self) -> list[WorkerStats]:
        """Who has sent windows, or is expected to."""
        return list(self._workers.values())

    def correct(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None:
        """Add changes to the ledger that no window brings: what was lost with a worker."""
        for (label, due), counts in ledger.items():
            self._ledger.setdefault(label, VisitCounts()).add(counts)
            self._row(due).counts.add(counts)

    def count_note(self, what: str, times: int = 1) -> None:
        """Count something the reader of the report has to know."""
        self._notes[encodable(what)] += times

    @property
    def closed(self) -> int:
        """The last second that is closed, -1 before the first."""
        return self._closed

    def close(self) -> None:
        """Close every second that is still open: nothing more is to come, or it will be late."""
        for second in sorted(self._open):
            self._close(second)

    def pulse(self) -> Pulse:
        """Return the live figures: rates and percentiles over the last seconds."""
        if not self._seconds:
            return Pulse()
        rows = [self._seconds[at] for at, _ in self._recent if at in self._seconds]
        population = Population.merge_all([p for _, p in self._recent])
        p50, p95 = population.quantile(0.5), population.quantile(0.95)
        requests, errors = sum(r.requests for r in rows), sum(r.errors for r in rows)
        visits = sum(c.done + c.failed + c.interrupted for c in self._ledger.values())
        recent_visits = sum(r.counts.done + r.counts.failed for r in rows)
        return Pulse(
            elapsed=self._closed + 1,
            users=rows[-1].users if rows else 0,
            requests_rate=requests / max(len(rows), 1),
            visits_rate=recent_visits / max(len(rows), 1),
            errors=sum(r.errors for r in self._seconds.values()),
            error_share=errors / requests if requests else 0.0,
            p50=p50.value if p50 else None,
            p95=p95.value if p95 else None,
            p50_at_least=p50.at_least if p50 else None,
            p95_at_least=p95.at_least if p95 else None,
            visits=visits,
            requests=sum(r.requests for r in self._seconds.values()),
            dropped=sum(c.dropped for c in self._ledger.values()),
        )

    def totals(self) -> Totals:
        """Return all that is known so far, seconds that are still open included."""
        whole = self
        if self._open:
            whole = copy(self)
            whole.listeners = []
            whole._series, whole._open = dict(self._series), dict(self._open)
            whole._ledger = {label: copy(c) for label, c in self._ledger.items()}
            whole._seconds = {at: _copied(row) for at, row in self._seconds.items()}
            whole._errors = {key: copy(t) for key, t in self._errors.items()}
            whole._phases, whole._due = dict(self._phases), dict(self._due)
            whole._happenings = list(self._happenings)
            whole._generator = dict(self._generator)
            whole._notes, whole._recent = Counter(self._notes), deque(self._recent, maxlen=RECENT)
            for second in sorted(whole._open):
                whole._close(second)
        notes = dict(whole._notes)
        missing = sum(len(w.missing) for w in self._workers.values())
        if missing:
            notes[MISSING] = missing
        return Totals(
            dict(whole._series),
            {label: copy(c) for label, c in whole._ledger.items()},
            [_copied(whole._seconds[at]) for at in sorted(whole._seconds)],
            {key: copy(t) for key, t in whole._errors.items()},
            [copy(w) for w in self._workers.values()],
            notes,
            dict(whole._phases),
            dict(whole._due),
            sorted(whole._happenings, key=lambda pair: pair[1]),
            dict(whole._generator),
        )

    def _close(self, second: int) -> None:
        windows = self._open.pop(second)
        self._closed = max(self._closed, second)
        self._merge(second, [windows[name] for name in self._workers if name in windows])

    def _merge(self, second: int, windows: Sequence[Window], *, late: bool = False) -> None:
        row = self._row(second)
        by_key: dict[Key, list[Series]] = {}
        spans: dict[tuple[str, str], float] = {}
        due_for: dict[str, float] = {}
        for window in windows:
            row.users += window.users
            merge_worst(row.health, window.health)
            for key, series in window.series.items():
                by_key.setdefault(key, []).append(series)
            for (label, due), counts in window.ledger.items():
                self._ledger.setdefault(label, VisitCounts()).add(counts)
                self._row(due).counts.add(counts)
            for where, trouble in window.errors.items():
                known = self._errors.get(where)
                if known is None:
                    self._errors[where] = copy(trouble)
                else:
                    known.add(trouble)
            for where_in, span in window.phases.items():
                spans[where_in] = max(spans.get(where_in, 0.0), span)
            for label, span in window.due.items():
                due_for[label] = max(due_for.get(label, 0.0), span)
            for happening in window.happenings:
                told = happening.kind == "change" and any(known == happening for _, known in self._happenings)
                if told:  # every worker tells of a change
                    continue
                if len(self._happenings) >= HAPPENINGS:
                    self._notes[HAPPENINGS_CAPPED] += 1
                else:
                    self._happenings.append((window.worker, happening))
            self._notes.update(window.notes)
        # each series first by itself: merging the parts of all at once takes ten times as long
        sums = {key: parts[0] if len(parts) == 1 else Series.merge_all(parts) for key, parts in by_key.items()}
        for key, new in sums.items():
            known_series = self._series.get(key)
            self._series[key] = Series.merge_all([new] if known_series is None else [known_series, new])
        self._merge_generator(windows)
        for listener in self.listeners:
            listener(second, by_key, windows)
        requests = [new for key, new in sums.items() if key.is_request]
        count, errors = sum(s.count for s in requests), sum(s.errors for s in requests)
        row.requests += count
        row.errors += errors
        row.censored += sum(s.censored.count for s in requests)
        if not late:  # of a phase, every worker tells the same length
            for where_in, span in spans.items():
                self._phases[where_in] = self._phases.get(where_in, 0.0) + span
            for label, span in due_for.items():
                self._due[label] = self._due.get(label, 0.0) + span
            population = Population.merge_all(map(Population.service, requests))
            row.p50, row.p95 = population.known(0.5), population.known(0.95)
            self._recent.append((row.at, population))
            fates = [counts for window in windows for counts in window.ledger.values()]
            done, failed = sum(c.done for c in fates), sum(c.failed for c in fates)
            self._requests_failing.record(row.at, bad=errors, good=count - errors)
            self._visits_failing.record(row.at, bad=failed, good=done + count - errors)

    def _merge_generator(self, windows: Sequence[Window]) -> None:
        for window in windows:
            if window.phases and all(phase == WARM_UP for _, phase in window.phases):
                continue  # counts to no headline, and neither does what falsified it
            for name, series in window.generator.items():
                known = self._generator.get(name)
                self._generator[name] = Series.merge_all([series] if known is None else [known, series])

    def _row(self, second: int) -> SecondRow:
        return self._seconds.setdefault(second, SecondRow(second))


def _copied(row: SecondRow) -> SecondRow:
    new = copy(row)
    new.counts, new.health = copy(row.counts), dict(row.health)
    return new
