"""The busiest series of a run and its errors by class, from every closed second."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from heapq import nlargest
from typing import NamedTuple

from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import Window
from chaperon.report.collector import RECENT
from chaperon.report.percentiles import Bounds, Population
from chaperon.report.rows import UNTIMED

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


class RecentSeries:
    """Adds closed seconds up, as a listener of the run. Requests are shown; without any, the other timed series."""

    def __init__(self) -> None:
        self._counts: dict[Name, int] = {}
        self._errors: dict[Name, int] = {}
        self._others: set[Name] = set()
        self._seconds: deque[tuple[int, dict[Name, list[Series]]]] = deque(maxlen=RECENT)
        self._classes: dict[str, tuple[int, float, str, str]] = {}

    def __repr__(self) -> str:
        return f"<RecentSeries of {len(self._counts)}>"

    @property
    def known(self) -> int:
        """How many series there are."""
        return len(self._candidates())

    def add(self, second: int, by_key: Mapping[Key, Sequence[Series]], windows: Sequence[Window]) -> None:
        """Add a second, or what came late for one."""
        parts: dict[Name, list[Series]] = {}
        for key, series in by_key.items():
            if key.kind in UNTIMED:
                continue
            name = (key.scenario, key.name)
            if not key.is_request:
                self._others.add(name)
            self._counts[name] = self._counts.get(name, 0) + sum(each.count for each in series)
            self._errors[name] = self._errors.get(name, 0) + sum(each.errors for each in series)
            parts.setdefault(name, []).extend(series)
        if not self._seconds or second > self._seconds[-1][0]:
            self._seconds.append((second, parts))
        for window in windows:
            for (_, name_of_series, error), found in window.errors.items():
                count, last, series_of, words = self._classes.get(error, (0, -1.0, "", ""))
                if found.last >= last:
                    last, series_of, words = found.last, name_of_series, found.sample
                self._classes[error] = (count + found.count, last, series_of, words)

    def busiest(self, most: int) -> list[SeriesFigures]:
        """Return the *most* series with the most samples since the start, the busiest first."""
        names = nlargest(most, self._candidates(), key=lambda name: self._counts[name])
        return [self._figures(name) for name in names]

    def errors(self) -> list[ErrorFigures]:
        """Return the error classes, that of the newest error first."""
        newest = sorted(self._classes.items(), key=lambda item: -item[1][1])
        return [ErrorFigures(error, count, series, words) for error, (count, _, series, words) in newest]

    def _candidates(self) -> Sequence[Name]:
        requests = [name for name in self._counts if name not in self._others]
        return requests or list(self._counts)

    def _figures(self, name: Name) -> SeriesFigures:
        parts = [series for _, second in self._seconds for series in second.get(name, ())]
        # the sketches of service times alone: merging whole series takes five times as long
        times = Population.merge_all(map(Population.service, parts))
        rate = sum(series.count for series in parts) / max(len(self._seconds), 1)
        return SeriesFigures(
            *name, rate, times.quantile(0.5), times.quantile(0.95), self._counts[name], self._errors[name]
        )
