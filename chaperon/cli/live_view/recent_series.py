"""The busiest series of a run, its errors by class and its events, from every closed second."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from heapq import nlargest
from typing import NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import RunEvent, Window
from chaperon.report.collector import RECENT
from chaperon.report.events.event_groups import CHANGE, EventGroup, event_groups
from chaperon.report.percentiles import Bounds, Population
from chaperon.report.rows import UNTIMED

EVENTS = 1_000
"""Most events that are kept."""
Name = tuple[str, str]
"""(scenario label, series name)"""


class SeriesFigures(NamedTuple):
    """A series: rate and percentiles (seconds) of the last `RECENT` seconds; samples and errors since the start."""

    scenario: str
    name: str
    rate: float
    p50: Bounds | None
    p95: Bounds | None
    total: int
    errors: int


class ErrorFigures(NamedTuple):
    """An error class: its number since the start, the series and the words of the newest one."""

    error: str
    total: int
    series: str
    words: str


@lazy_dataclass(slots=True)
class _Known:
    """A series, under one key or several that differ in phase or tags."""

    name: Name
    is_request: bool
    keys: list[Key] = field(default_factory=list)
    total: int = 0
    errors: int = 0


class RecentSeries:
    """Adds closed seconds up, as a listener of the run. Requests are shown; without any, the other timed series."""

    def __init__(self) -> None:
        self._by_name: dict[Name, _Known] = {}
        self._by_key: dict[Key, _Known] = {}
        self._seconds: deque[tuple[int, Mapping[Key, Sequence[Series]]]] = deque(maxlen=RECENT)
        self._classes: dict[str, tuple[int, float, str, str]] = {}
        self._events: list[tuple[str, RunEvent]] = []

    def __repr__(self) -> str:
        return f"<RecentSeries of {len(self._by_name)}>"

    @property
    def known(self) -> int:
        """How many series there are."""
        return len(self._candidates())

    def add(self, second: int, by_key: Mapping[Key, Sequence[Series]], windows: Sequence[Window]) -> None:
        """Add a second, or what came late for one."""
        for key, parts in by_key.items():
            known = self._by_key.get(key)
            if known is None:
                known = self._new(key)
            for series in parts:
                bad = series.bad.count + series.censored.count
                known.total += series.good.count + bad
                known.errors += bad
        if not self._seconds or second > self._seconds[-1][0]:
            self._seconds.append((second, by_key))
        for window in windows:
            self._add_events(window)
            for (_, name_of_series, error), found in window.errors.items():
                count, last, series_of, words = self._classes.get(error, (0, -1.0, "", ""))
                if found.last >= last:
                    last, series_of, words = found.last, name_of_series, found.sample
                self._classes[error] = (count + found.count, last, series_of, words)

    def busiest(self, most: int) -> list[SeriesFigures]:
        """Return the *most* series with the most samples since the start, the busiest first."""
        return [self._figures(known) for known in nlargest(most, self._candidates(), key=lambda known: known.total)]

    def errors(self) -> list[ErrorFigures]:
        """Return the error classes: first those that occurred in the last seconds, of these the most frequent one."""
        now = self._seconds[-1][0] + 1 if self._seconds else 0

        def order(item: tuple[str, tuple[int, float, str, str]]) -> tuple[bool, int]:
            _, (count, last, _, _) = item
            return last < now - RECENT, -count

        found = sorted(self._classes.items(), key=order)
        return [ErrorFigures(error, count, series, words) for error, (count, _, series, words) in found]

    def events(self) -> list[EventGroup]:
        """Return the events of the run, equal ones as one group, the group with the newest event first."""
        return sorted(event_groups(self._events), key=lambda group: -group.last)

    def _add_events(self, window: Window) -> None:
        for event in window.happenings:
            every = event.kind == CHANGE and any(event == known for _, known in self._events)
            if not every and len(self._events) < EVENTS:  # every worker reports a change of the load
                self._events.append((window.worker, event))

    def _new(self, key: Key) -> _Known:
        name = (key.scenario, key.name)
        known = self._by_name.setdefault(name, _Known(name, key.is_request))
        known.keys.append(key)
        self._by_key[key] = known
        return known

    def _candidates(self) -> list[_Known]:
        every = [known for known in self._by_name.values() if known.keys[0].kind not in UNTIMED]
        return [known for known in every if known.is_request] or every

    def _figures(self, known: _Known) -> SeriesFigures:
        parts = [series for _, by_key in self._seconds for key in known.keys for series in by_key.get(key, ())]
        # the sketches of service times alone: merging whole series takes five times as long
        times = Population.merge_all(map(Population.service, parts))
        rate = sum(series.count for series in parts) / max(len(self._seconds), 1)
        return SeriesFigures(*known.name, rate, times.quantile(0.5), times.quantile(0.95), known.total, known.errors)
