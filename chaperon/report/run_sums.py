"""The sums of a run's windows: series, ledger, seconds, errors, events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from typing import NamedTuple

from chaperon.measure.exchange import ErrorPlace, Exchange, first_exchanges
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts, Window
from chaperon.measure.window_merge import merge_worst
from chaperon.report.percentiles import Population
from chaperon.report.totals import SecondRow, Totals, WorkerStats

HAPPENINGS = 1_000
"""Most events kept of a run."""
HAPPENINGS_CAPPED = f"happenings beyond the first {HAPPENINGS:,} of the run left out"


BATCH = 32
"""Seconds of a series that are merged into its total at once: one by one takes ten times as long.

So are the delays of the generator, a part of each window.
"""


class MergedSecond(NamedTuple):
    """What the windows of one second added.

    *parts* are their series by key, one per window that has the key, *series* the sums of these.
    *requests* and *errors* count the requests, *population* has their times, *counts* the
    outcomes of visits.
    """

    parts: Mapping[Key, Sequence[Series]]
    series: Mapping[Key, Series]
    requests: int
    errors: int
    population: Population
    counts: VisitCounts


class RunSums:
    """Adds up windows, a second at a time. The same windows in the same order give the same figures."""

    def __init__(self) -> None:
        self.series: dict[Key, Series] = {}
        self._waiting: dict[Key, list[Series]] = {}
        self.ledger: dict[str, VisitCounts] = {}
        self.seconds: dict[int, SecondRow] = {}
        self.requests = self.request_errors = 0
        self.errors: dict[ErrorKey, ErrorCount] = {}
        self.exchanges: dict[ErrorPlace, tuple[Exchange, ...]] = {}
        self.notes: Counter[str] = Counter()
        self.phases: dict[tuple[str, str], float] = {}
        self.due: dict[str, float] = {}
        self.happenings: list[tuple[str, RunEvent]] = []
        self.generator: dict[str, Series] = {}
        self._delays: dict[str, list[Series]] = {}

    def __repr__(self) -> str:
        return f"<RunSums of {len(self.seconds)} seconds>"

    def copy(self) -> RunSums:
        """Return a copy; adding to it leaves these sums as they are. A series is never changed, and is shared."""
        new = RunSums()
        new.series, new.generator = dict(self.series), dict(self.generator)
        new._waiting = {key: list(parts) for key, parts in self._waiting.items()}
        new._delays = {name: list(parts) for name, parts in self._delays.items()}
        new.ledger = {label: copy(counts) for label, counts in self.ledger.items()}
        new.seconds = {at: row.copy() for at, row in self.seconds.items()}
        new.requests, new.request_errors = self.requests, self.request_errors
        new.errors = {key: copy(error) for key, error in self.errors.items()}
        new.exchanges = dict(self.exchanges)
        new.notes = Counter(self.notes)
        new.phases, new.due = dict(self.phases), dict(self.due)
        new.happenings = list(self.happenings)
        return new

    def totals(self, workers: Sequence[WorkerStats]) -> Totals:
        """Return the sums together with the figures of the *workers*. The sums must not be added to afterwards."""
        for key in self._waiting:
            self._merge_waiting(key)
        for name in self._delays:
            self._merge_delays(name)
        return Totals(
            self.series,
            self.ledger,
            [self.seconds[at] for at in sorted(self.seconds)],
            self.errors,
            workers,
            dict(self.notes),
            self.phases,
            self.due,
            sorted(self.happenings, key=lambda pair: pair[1].order),
            self.generator,
            self.exchanges,
        )

    def so_far(self, workers: Sequence[WorkerStats]) -> Totals:
        """Return what `GeneratorChecks` evaluate, as it is by now and not copied: nothing in it may be changed.

        Its series are those of visits alone. Other than `totals` it does not merge what waits to be merged, so that
        the figures of the report do not depend on how often it is called.
        """
        visits = {
            key: Series.merge_all([*([self.series[key]] if key in self.series else []), *parts])
            for key, parts in self._waiting.items()
            if key.kind == "visit" and (parts or key in self.series)
        }
        happenings = sorted(self.happenings, key=lambda pair: pair[1].order)
        return Totals(visits, self.ledger, list(self.seconds.values()), {}, workers, {}, happenings=happenings)

    def row(self, second: int) -> SecondRow:
        """Return the row of a second, made when first asked for."""
        row = self.seconds.get(second)
        if row is None:
            row = self.seconds[second] = SecondRow(second)
        return row

    def correct(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None:
        """Add *ledger*, by (scenario label, second in which the visits were due), to the visit counts."""
        for (label, due), counts in ledger.items():
            known = self.ledger.get(label)
            if known is None:
                known = self.ledger[label] = VisitCounts()
            known.add(counts)
            self.row(due).counts.add(counts)

    def merge(self, second: int, windows: Sequence[Window], *, late: bool = False) -> MergedSecond:
        """Add the *windows* of a second, in this order, and return what they added.

        Windows that came *late*, after their second was closed, change counts and series, but
        neither the percentiles of their second nor the lengths of phases.
        """
        row = self.row(second)
        parts: dict[Key, list[Series]] = {}
        visits = VisitCounts()
        for window in windows:
            row.users += window.users
            merge_worst(row.health, window.health)
            for key, series in window.series.items():
                parts.setdefault(key, []).append(series)
            self.correct(window.ledger)
            for counts in window.ledger.values():
                visits.add(counts)
            self._add_errors(window.errors)
            self._add_exchanges(window.exchanges)
            self._add_happenings(window)
            if window.notes:
                self.notes.update(window.notes)
        sums = self._add_series(parts)
        self._add_generator(windows)
        requests = [new for key, new in sums.items() if key.is_request]
        population = Population.merge_all(map(Population.service, requests))
        merged = MergedSecond(
            parts, sums, sum(s.count for s in requests), sum(s.errors for s in requests), population, visits
        )
        row.requests += merged.requests
        row.errors += merged.errors
        self.requests += merged.requests
        self.request_errors += merged.errors
        row.censored += sum(s.censored.count for s in requests)
        if not late:
            self._add_lengths(windows)
            row.p50, row.p95 = population.known(0.5), population.known(0.95)
        return merged

    def _add_series(self, parts: Mapping[Key, Sequence[Series]]) -> dict[Key, Series]:
        """Add the parts of each series and return their sums."""
        # the parts of a second are merged first: merging them together with the total takes ten times as long
        sums = {key: Series.sum_of(each) for key, each in parts.items()}
        for key, new in sums.items():
            waiting = self._waiting.setdefault(key, [])
            waiting.append(new)
            if len(waiting) >= BATCH:
                self._merge_waiting(key)
        return sums

    def _merge_waiting(self, key: Key) -> None:
        waiting, known = self._waiting[key], self.series.get(key)
        if waiting:
            self.series[key] = Series.merge_all(waiting if known is None else [known, *waiting])
            self._waiting[key] = []

    def _add_errors(self, errors: Mapping[ErrorKey, ErrorCount]) -> None:
        for where, error in errors.items():
            known = self.errors.get(where)
            if known is None:
                self.errors[where] = copy(error)
            else:
                known.add(error)

    def _add_exchanges(self, exchanges: Sequence[Exchange]) -> None:
        for each in exchanges:
            if each.place in self.errors:  # which are bounded
                known = self.exchanges.get(each.place, ())
                self.exchanges[each.place] = first_exchanges([*known, each])

    def _add_happenings(self, window: Window) -> None:
        for event in window.happenings:
            if event.kind == "change" and any(known == event for _, known in self.happenings):
                continue  # every worker reports a change of the load
            if len(self.happenings) >= HAPPENINGS:
                self.notes[HAPPENINGS_CAPPED] += 1
            else:
                self.happenings.append((window.worker, event))

    def _add_lengths(self, windows: Sequence[Window]) -> None:
        """Add how long the load was in each phase, and visits were due: all workers report the same lengths."""
        phases: dict[tuple[str, str], float] = {}
        due: dict[str, float] = {}
        for window in windows:
            for phase, span in window.phases.items():
                phases[phase] = max(phases.get(phase, 0.0), span)
            for label, span in window.due.items():
                due[label] = max(due.get(label, 0.0), span)
        for phase, span in phases.items():
            self.phases[phase] = self.phases.get(phase, 0.0) + span
        for label, span in due.items():
            self.due[label] = self.due.get(label, 0.0) + span

    def _add_generator(self, windows: Sequence[Window]) -> None:
        for window in windows:
            if window.phases and all(phase == WARM_UP for _, phase in window.phases):
                continue  # warm-up is in no headline figure, so the delays in it distort none
            for name, series in window.generator.items():
                waiting = self._delays.setdefault(name, [])
                waiting.append(series)
                if len(waiting) >= BATCH:
                    self._merge_delays(name)

    def _merge_delays(self, name: str) -> None:
        waiting, known = self._delays[name], self.generator.get(name)
        if waiting:
            self.generator[name] = Series.merge_all(waiting if known is None else [known, *waiting])
            self._delays[name] = []
