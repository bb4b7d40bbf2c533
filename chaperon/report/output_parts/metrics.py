"""Counters and histograms that only grow, from the closed seconds of a run: what metric systems scrape or are sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import VisitCounts
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.redaction.one_line import one_line
from chaperon.report.rows import UNTIMED


class MetricKey(NamedTuple):
    """The labels of the metrics of one series."""

    scenario: str
    name: str
    kind: str
    phase: str


@lazy_dataclass(slots=True)
class SeriesMetrics:
    """The totals of one series up to now; *buckets* are of samples without an error."""

    good: int = 0
    bad: int = 0
    censored: int = 0
    bytes: int = 0
    sum: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)


class RunMetrics:
    """Adds closed seconds up. No total ever falls, as a counter of a metric system must not.

    *buckets_of* returns the whole numbers of samples of a sketch by bucket: rounded for each
    second and then added, since merging sketches would move counts between buckets.
    """

    def __init__(self, buckets_of: Callable[[Sketch], Mapping[int, int]]) -> None:
        self._buckets_of = buckets_of
        self.series: dict[MetricKey, SeriesMetrics] = {}
        self.errors: Counter[tuple[str, str, str]] = Counter()
        self.visits: dict[str, VisitCounts] = {}
        self.users = self.in_flight = 0
        self.health: Mapping[str, float] = {}
        self.newest = -1
        self.time = 0.0

    def __repr__(self) -> str:
        return f"<RunMetrics of {len(self.series)} series up to second {self.newest}>"

    def add(self, second: ClosedSecond) -> None:
        """Add one second, or what came late for it."""
        for key, series in second.series.items():
            named = MetricKey(*map(one_line, (key.scenario, key.name, key.kind, key.phase)))
            self._add_series(self.series.setdefault(named, SeriesMetrics()), series, timed=key.kind not in UNTIMED)
        for where, error in second.errors.items():
            scenario, name, kind = map(one_line, where)
            self.errors[scenario, name, kind] += error.count
        for label, counts in second.ledger.items():
            self.visits.setdefault(label, VisitCounts()).add(counts)
        if second.at > self.newest:
            self.newest, self.time = second.at, second.time + 1.0
            self.users, self.in_flight, self.health = second.users, second.in_flight, second.health

    def _add_series(self, known: SeriesMetrics, series: Series, *, timed: bool) -> None:
        known.good += series.good.count
        known.bad += series.bad.count
        known.censored += series.censored.count
        known.bytes += series.bytes
        if timed:
            known.sum += series.good.total
            known.buckets.update(self._buckets_of(series.good))
