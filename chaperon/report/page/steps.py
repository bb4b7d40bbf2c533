"""The seconds of a run in steps of 1, 10, 100 … seconds, at most 600 points of each: what charts draw.

Coarser steps merge the sketches of finer ones; no percentile is ever averaged. Only the sketches
of unfinished steps are in memory, so that memory grows with the number of series alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import field
from typing import NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import ErrorKey, VisitCounts
from chaperon.measure.window_merge import merge_worst
from chaperon.report.outputs.closed_second import ClosedSecond, WorkerSecond
from chaperon.report.percentiles import Population
from chaperon.report.rows import UNTIMED

MOST_POINTS = 600
"""Points of a chart: beyond them the steps are ten times as long."""
FACTOR = 10
BUCKETS_PER_DECADE = 32
"""Buckets of the histograms that zoomed tables are made of: each is 7.5 % wide."""
SHORTEST = 1e-5
"""The least duration, in seconds, that has a bucket of its own."""


class SeriesName(NamedTuple):
    """The identity of a row of the report: its phases and tags are one series here."""

    scenario: str
    name: str
    kind: str


@lazy_dataclass(slots=True)
class Part:
    """What happened in one step: seconds that are merged into it are added up."""

    at: int
    series: dict[SeriesName, Series] = field(default_factory=dict)
    requests: Series = field(default_factory=Series)
    ledger: dict[str, VisitCounts] = field(default_factory=dict)
    errors: Counter[ErrorKey] = field(default_factory=Counter)
    phases: set[tuple[str, str]] = field(default_factory=set)
    health: dict[str, float] = field(default_factory=dict)
    workers: dict[str, WorkerSecond] = field(default_factory=dict)
    users: int = 0
    in_flight: int = 0


class Point(NamedTuple):
    """One series in one step. Times are in seconds, of good and censored samples; None without any.

    *histogram* is (bucket, samples) of the good ones, see `bucket_of`.
    """

    samples: int
    errors: int
    times: tuple[float | None, float | None, float | None]
    response: tuple[float | None, float | None, float | None] | None
    histogram: tuple[tuple[int, int], ...]


@lazy_dataclass(slots=True)
class Step:
    """A finished step: *at* is its first second, *ledger* has the visits by scenario, *errors* are by `ErrorKey`."""

    at: int
    requests: Point
    series: dict[SeriesName, Point]
    ledger: dict[str, VisitCounts]
    errors: Counter[ErrorKey]
    phases: set[tuple[str, str]]
    health: dict[str, float]
    users: int
    in_flight: int
    workers: dict[str, WorkerSecond]


class RunSteps:
    """Adds closed seconds up to steps. `steps` returns those of the finest length with at most 600 points.

    *breathe* is called between two series while a second is added, so that others can run.
    """

    def __init__(self, breathe: Callable[[], object] = lambda: None) -> None:
        self._breathe = breathe
        self._levels: list[dict[int, Step]] = []
        self._open: list[Part | None] = []
        self.duration = 0

    def __repr__(self) -> str:
        return f"<RunSteps of {self.duration} seconds>"

    def add(self, second: ClosedSecond) -> None:
        """Add the next second."""
        self.duration = max(self.duration, second.at + 1)
        self._add(_part_of(second), 0)

    def steps(self, duration: int = 0) -> tuple[int, list[Step]]:
        """Return the length of a step in seconds, and the steps in order, the unfinished one included.

        Steps are as long as those of a run of at least *duration* seconds.
        """
        level = _level(max(self.duration, duration))
        if not self._levels:
            return int(FACTOR**level), []
        found = dict(self._levels[level]) if level < len(self._levels) else {}
        found |= {part.at: self._finished(part) for part in self._unfinished(level)}
        return int(FACTOR**level), [found[at] for at in sorted(found)]

    @property
    def length(self) -> int:
        """The length, in seconds, of a step that `steps` returns now."""
        return int(FACTOR ** _level(self.duration))

    def newest(self) -> Step | None:
        """Return the last of the steps that `steps` returns, unfinished or not; None without any."""
        level = _level(self.duration)
        if level >= len(self._levels):
            return None
        unfinished = self._unfinished(level)
        if unfinished:
            return self._finished(max(unfinished, key=lambda part: part.at))
        return self._levels[level][max(self._levels[level])]

    def _add(self, part: Part, level: int) -> None:
        if level == len(self._levels):
            self._levels.append({})
            self._open.append(None)
        begun, start = self._open[level], _start(part.at, level)
        if begun is not None and begun.at != start:
            self._close(begun, level)
            begun = None
        if begun is None:
            begun = self._open[level] = Part(start)
        _merge(begun, part)
        if level == 0:
            self._close(begun, level)

    def _close(self, part: Part, level: int) -> None:
        self._open[level] = None
        finished = self._levels[level]
        if len(finished) < MOST_POINTS:  # beyond, a coarser level is drawn
            finished[part.at] = self._finished(part)
        self._add(part, level + 1)

    def _finished(self, part: Part) -> Step:
        points = {}
        for name, series in part.series.items():
            points[name] = _point(series, timed=name.kind not in UNTIMED)
            self._breathe()
        return Step(
            part.at, _point(part.requests), points, part.ledger, part.errors, part.phases, part.health, part.users,
            part.in_flight, part.workers,
        )  # fmt: skip

    def _unfinished(self, level: int) -> list[Part]:
        """Return what is open at *level*, with what finer levels have not passed on to it yet."""
        parts: dict[int, Part] = {}
        for finer in range(min(level, len(self._open) - 1), -1, -1):
            part = self._open[finer]
            if part is not None:
                start = _start(part.at, level)
                _merge(parts.setdefault(start, Part(start)), part)
        return list(parts.values())


def _level(duration: int) -> int:
    """Return the level with the shortest steps of which a run of *duration* seconds has at most `MOST_POINTS`."""
    level = 0
    while duration > MOST_POINTS * FACTOR**level:
        level += 1
    return level


def _start(second: int, level: int) -> int:
    """Return the first second of the step of *level* that has *second*."""
    length = int(FACTOR**level)
    return second // length * length


def bucket_of(duration: float) -> int:
    """Return the logarithmic bucket of a duration in seconds; bucket 0 has all up to `SHORTEST`."""
    return 0 if duration <= SHORTEST else math.ceil(math.log10(duration / SHORTEST) * BUCKETS_PER_DECADE)


def histogram_of(sketch: Sketch) -> tuple[tuple[int, int], ...]:
    """Return (bucket, samples) for every bucket that is not empty, in order."""
    found: Counter[int] = Counter()
    for mean, weight in sketch.clusters:
        found[bucket_of(mean)] += round(weight)
    return tuple(sorted(found.items()))


def _part_of(second: ClosedSecond) -> Part:
    part = Part(second.at, users=second.users, in_flight=second.in_flight, health=dict(second.health))
    by_name: dict[SeriesName, list[Series]] = {}
    for key, series in second.series.items():
        by_name.setdefault(SeriesName(key.scenario, key.name, key.kind), []).append(series)
    part.series = {name: Series.sum_of(many) for name, many in by_name.items()}
    part.requests = second.requests
    part.ledger = {label: copy(counts) for label, counts in second.ledger.items()}
    part.errors.update({where: found.count for where, found in second.errors.items()})
    part.phases = set(second.phases)
    part.workers = dict(second.workers)
    return part


def _merge(whole: Part, part: Part) -> None:
    for name, series in part.series.items():
        known = whole.series.get(name)
        whole.series[name] = series if known is None else Series.merge_all([known, series])
    whole.requests = Series.merge_all([whole.requests, part.requests]) if whole.requests.count else part.requests
    for label, counts in part.ledger.items():
        whole.ledger.setdefault(label, VisitCounts()).add(counts)
    whole.errors.update(part.errors)
    whole.phases |= part.phases
    merge_worst(whole.health, part.health)
    for worker, figures in part.workers.items():
        before = whole.workers.get(worker)
        whole.workers[worker] = figures if before is None else before + figures
    whole.users, whole.in_flight = part.users, part.in_flight


def _point(series: Series, *, timed: bool = True) -> Point:
    if not timed:
        return Point(series.count, series.errors, (None, None, None), None, ())
    response = Population.response(series)
    return Point(
        series.count,
        series.errors,
        _times(Population.service(series)),
        _times(response) if response else None,
        histogram_of(series.good),
    )


def _times(population: Population) -> tuple[float | None, float | None, float | None]:
    """Return p50, p95 and p99 as they are drawn: the lower bound where one falls among censored samples."""
    found = [population.quantile(share) for share in (0.5, 0.95, 0.99)]
    p50, p95, p99 = (None if each is None else each.lower for each in found)
    return p50, p95, p99
