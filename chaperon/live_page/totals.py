"""The tables of the page while a run goes on: sums of its closed seconds, in the form of the JSON report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import asdict, replace
from typing import Any

from chaperon.measure.precision.history import History
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts
from chaperon.report.events.note_text import note_text
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.page.payload import clean, event_rows, table_row
from chaperon.report.page.steps import SeriesName
from chaperon.report.rows import ALL_REQUESTS, Row, due_length
from chaperon.report.run_sums import HAPPENINGS

BATCH = 32
"""Seconds of a series that are merged into its total at once: one by one takes ten times as long."""
FRESH = 10
"""Each row that changes is made again at least once in this number of seconds."""
LEAST_FRESH = 5
"""Rows that are made again each second, at least."""


class SeriesTotal:
    """One series over the run so far, and its row of the table as it was made last.

    *count* and *errors* are of now, the other figures of the row are of when it was made. Warm-up is left out.
    """

    __slots__ = ("_total", "_waiting", "age", "count", "errors", "name", "row")

    def __init__(self, name: SeriesName) -> None:
        self.name = name
        self.count = self.errors = 0
        self.age = FRESH
        self.row: dict[str, Any] = {}
        self._total: Series | None = None
        self._waiting: list[Series] = []

    def __repr__(self) -> str:
        return f"<SeriesTotal of {self.name}: {self.count}>"

    def add(self, series: Series) -> None:
        """Add the samples of one second."""
        self.count += series.count
        self.errors += series.errors
        self._waiting.append(series)
        if len(self._waiting) >= BATCH:
            self._merge()

    def remake(self, length: float, began: float) -> None:
        """Make the row again. *length*: the seconds in which visits were due. *began* is as for `table_row`."""
        self._merge()
        scenario, name, kind = self.name
        self.row = table_row(Row(clean(scenario), clean(name), kind, self._total or Series(), length), began)

    def opened(self, length: float, began: float, history: History | None) -> dict[str, Any]:
        """Return the row as of now, with the intervals that *history* allows for. May block to read a file."""
        self._merge()
        scenario, name, kind = self.name
        series = (self._total or Series()).with_history(history)
        return table_row(Row(clean(scenario), clean(name), kind, series, length), began)

    def _merge(self) -> None:
        if self._waiting:
            parts = self._waiting if self._total is None else [self._total, *self._waiting]
            self._total, self._waiting = Series.merge_all(parts), []


class RunTotals:
    """Adds closed seconds up. *breathe* is called between two series, so that others can run."""

    def __init__(self, breathe: Callable[[], object] = lambda: None) -> None:
        self._breathe = breathe
        self.series: list[SeriesTotal] = []
        self.places: dict[SeriesName, int] = {}
        self.ledger: dict[str, VisitCounts] = {}
        self.errors: dict[ErrorKey, ErrorCount] = {}
        self.events: list[tuple[str, RunEvent]] = []
        self.notes: Counter[str] = Counter()
        self.phases: dict[tuple[str, str], float] = {}
        self.seconds = 0
        self._requests = SeriesTotal(SeriesName("", ALL_REQUESTS, "http"))
        self._changed: set[int] = set()
        self._changed_errors: set[ErrorKey] = set()

    def __repr__(self) -> str:
        return f"<RunTotals of {len(self.series)} series in {self.seconds} seconds>"

    def add(self, second: ClosedSecond) -> None:
        """Add one second, or what came late for one."""
        self.seconds = max(self.seconds, second.at + 1)
        for key, series in second.series.items():
            if key.phase != WARM_UP:
                self._changed.add(place := self._place(SeriesName(key.scenario, key.name, key.kind)))
                self.series[place].add(series)
        requests = [each for key, each in second.series.items() if key.is_request and key.phase != WARM_UP]
        if requests:
            self._requests.add(Series.sum_of(requests))
        for label, counts in second.ledger.items():
            self.ledger.setdefault(label, VisitCounts()).add(counts)
        for where, error in second.errors.items():
            self._changed_errors.add(where)
            if where in self.errors:
                self.errors[where].add(error)
            else:
                self.errors[where] = copy(error)
        for worker, event in second.events:
            every = event.kind == "change" and any(event == known for _, known in self.events)
            if not every and len(self.events) < HAPPENINGS:  # every worker reports a change of the load
                self.events.append((worker, event))
        self.notes.update(second.notes)
        for where_in, span in second.phases.items():
            self.phases[where_in] = self.phases.get(where_in, 0.0) + span

    @property
    def lengths(self) -> dict[str, float]:
        """By scenario, as it is shown, the seconds in which its visits were due: rates are per second of these."""
        return {clean(each): self._length(each) for each in {name.scenario for name in self.places}}

    def remake_all(self, began: float) -> None:
        """Make all rows again that changed; `remake_rows` makes them once more. *began* is as for `table_row`."""
        for place in list(self._changed):
            series = self.series[place]
            series.remake(self._length(series.name.scenario), began)
            self._breathe()

    def remake_rows(self, began: float) -> list[int]:
        """Make the rows again that changed longest ago, and all new ones; return their places."""
        changed = [(self.series[place].age, place) for place in self._changed]
        for place in self._changed:
            self.series[place].age += 1
        most = max(LEAST_FRESH, -(-len(changed) // FRESH))
        oldest = sorted(changed, key=lambda pair: -pair[0])
        chosen = [place for n, (_, place) in enumerate(oldest) if n < most or not self.series[place].row]
        for place in chosen:
            series = self.series[place]
            series.remake(self._length(series.name.scenario), began)
            series.age = 0
            self._changed.discard(place)
            self._breathe()
        return chosen

    def requests_row(self, began: float) -> dict[str, Any]:
        """Return the row of all requests."""
        lengths = [self._length(name.scenario) for name in self.places if Key("", name.name, name.kind).is_request]
        self._requests.remake(max(lengths, default=float(self.seconds)), began)
        return self._requests.row

    def row(self, place: int) -> dict[str, Any]:
        """Return a row of the table, with the counts and the rate of now."""
        series = self.series[place]
        length = self._length(series.name.scenario)
        rate = series.count / length if length > 0 else 0.0
        return {**series.row, "count": series.count, "errors": series.errors, "rate": rate}

    def opened(self, name: SeriesName, began: float, history: History | None) -> dict[str, Any]:
        """Return the row of a series as of now, with intervals; see `SeriesTotal.opened`."""
        return self.series[self.places[name]].opened(self._length(name.scenario), began, history)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table; a series that has come since they were made has none yet."""
        return [self.row(place) for place, series in enumerate(self.series) if series.row]

    def changed_counts(self) -> dict[str, tuple[int, int]]:
        """Return samples and errors of the series that changed since their row was made, by place."""
        return {str(place): (self.series[place].count, self.series[place].errors) for place in self._changed}

    def changed_errors(self) -> list[dict[str, Any]]:
        """Return the rows of the errors that occurred since the last call."""
        found = [self.error_row(where) for where in self._changed_errors]
        self._changed_errors.clear()
        return found

    def error_row(self, where: ErrorKey) -> dict[str, Any]:
        """Return one error as the JSON report has it; failing requests are in the final report alone."""
        error = self.errors[where]
        scenario, series, kind = map(clean, where)
        figures = {"count": error.count, "first": error.first, "last": error.last, "sample": clean(error.sample)}
        where_raised = clean(error.where) if error.where else None
        return {
            "scenario": scenario, "series": series, "error": kind, **figures, "where": where_raised, "exchanges": [],
        }  # fmt: skip

    def ledger_rows(self) -> list[dict[str, Any]]:
        """Return the visits of each scenario."""
        return [{"scenario": clean(label), **asdict(counts)} for label, counts in sorted(self.ledger.items())]

    def event_rows(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the events from number *since* on, in the order in which they became known."""
        return [
            {"worker": clean(worker), **asdict(event), "text": clean(event.text)}
            for worker, event in self.events[since:]
        ]

    def event_groups(self) -> list[dict[str, Any]]:
        """Return the events as they are listed, equal ones once."""
        return event_rows([(clean(worker), replace(each, text=clean(each.text))) for worker, each in self.events])

    def note_rows(self) -> list[str]:
        """Return the notes as texts, with their numbers."""
        return [note_text(clean(note), times) for note, times in sorted(self.notes.items())]

    def _place(self, name: SeriesName) -> int:
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = len(self.series)
            self.series.append(SeriesTotal(name))
        return place

    def _length(self, scenario: str) -> float:
        return due_length(scenario, float(self.seconds), self.phases, {})
