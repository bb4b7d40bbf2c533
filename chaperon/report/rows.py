"""The rows of a report: one series of one scenario each, with its percentiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaperon.measure.confidence import Interval
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.percentiles import Bounds, Population
from chaperon.report.validity.generator_part import GeneratorPart, percentile_shift

if TYPE_CHECKING:
    from tdigest import TDigest

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True)
class Row:
    """All that is known of one series of one scenario, or of one name over all of them.

    Times are in seconds. *count*, *rate* (a second) and *bytes* include errors; *min*,
    *mean*, *max* are of good samples, and None without any. Percentiles are of good and
    censored samples: None where they fall among the censored ones (`at_least` says more), or
    where there are too few samples.
    """

    scenario: str
    name: str
    kind: str
    series: Series
    duration: float
    """For how many seconds visits were due, without warm-up: what *rate* counts over."""

    def __repr__(self) -> str:
        return f"<Row {self.scenario} «{self.name}»: {self.count}, {self.errors} in error>"

    @property
    def count(self) -> int:
        return self.series.count

    @property
    def errors(self) -> int:
        """How many samples were in error: bad or censored."""
        return self.series.errors

    @property
    def censored(self) -> int:
        """How many samples were cut before they ended: timed out or interrupted."""
        return self.series.censored.count

    @property
    def never_begun(self) -> int:
        """How many visits were due and never began; they are not in *count*."""
        return max(self.series.response_censored.count - self.series.censored.count, 0)

    @property
    def rate(self) -> float:
        return self.count / self.duration if self.duration > 0 else 0.0

    @property
    def bytes(self) -> int:
        return self.series.bytes

    @property
    def total(self) -> float:
        """The sum of all values: what a count counted."""
        return self.series.total

    @property
    def last(self) -> float | None:
        """The newest value: what a gauge says now."""
        return self.series.last[1] if self.series.last else None

    @property
    def slowest(self) -> list[tuple[float, float]]:
        """The few greatest values, each with the moment it was recorded."""
        return self.series.slowest

    @property
    def min(self) -> float | None:
        return self.good.low if self.good else None

    @property
    def mean(self) -> float | None:
        return self.good.mean

    @property
    def max(self) -> float | None:
        return self.good.high if self.good else None

    @property
    def good(self) -> Sketch:
        """The service times of good samples, or the values."""
        return self.series.good

    @property
    def bad(self) -> Sketch:
        """The service times of bad samples: those that ended in error."""
        return self.series.bad

    @property
    def service(self) -> Population:
        """The service times of good and censored samples, or the values."""
        return Population.service(self.series)

    @property
    def response(self) -> Population | None:
        """The times from when the good and censored samples were due; None where nothing was due."""
        return Population.response(self.series) or None

    def percentile(self, p: float) -> float | None:
        """Return the time in seconds that *p* percent of the good and censored samples did not exceed.

        None where there are too few samples to know (72 are needed for p95, 368 for p99), and
        where the bounds of the percentile differ because it falls among censored samples.
        """
        return self.service.known(p / 100)

    def at_least(self, p: float) -> float | None:
        """Return the lower bound, in seconds, of a percentile that falls among censored samples; else None."""
        return self.service.at_least(p / 100)

    def bounds(self, p: float) -> Bounds | None:
        """Return the bounds of a percentile, in seconds, or None where there are too few samples to know it."""
        return self.service.bounds(p / 100)

    def interval(self, p: float) -> Interval | None:
        """Return where a percentile lies with 95 % confidence, or None where there are too few samples to know."""
        return self.service.interval(p / 100)

    @property
    def p50(self) -> float | None:
        return self.percentile(50)

    @property
    def p90(self) -> float | None:
        return self.percentile(90)

    @property
    def p95(self) -> float | None:
        return self.percentile(95)

    @property
    def p99(self) -> float | None:
        return self.percentile(99)

    @property
    def p999(self) -> float | None:
        return self.percentile(99.9)

    def tdigest(self) -> TDigest:
        """Return the good samples as a `tdigest.TDigest`."""
        return self.good.tdigest()


def shown_value(times: Population, q: float) -> float | None:
    """Return the quantile *q* as it is shown: itself, or its lower bound; None where there are too few samples."""
    bounds = times.bounds(q)
    return None if bounds is None else bounds.value if bounds.value is not None else bounds.lower


def generator_part_of(row: Row, q: float, own: GeneratorPart, *, response: bool = False) -> float | None:
    """Return how many seconds of the quantile *q* of a row may be the generator's own, None where unknown."""
    times = row.response if response else row.service
    if row.kind in UNTIMED or not times:
        return None
    of = own.response if response else own.service

    def value(share: float) -> float:
        found = times.quantile(share)
        return found.lower if found is not None else 0.0

    return percentile_shift(value, lambda share: of(share, row.scenario, row.kind), q)


UNTIMED = ("check", "value", "count", "gauge")
"""Kinds whose values are no times."""

_ORDER = ("step", "call", "task", "visit", "check", "value", "count", "gauge")


def rows_of(
    series: Mapping[Key, Series],
    duration: float,
    phases: Mapping[tuple[str, str], float] | None = None,
    due: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """Return one row per (scenario, name): requests first, then the other kinds.

    Warm-up is left out, its time as well: *phases* says how long it was. *due* says for how
    long visits were due, which is what rates count over.
    """
    parts: dict[tuple[str, str, str], list[Series]] = {}
    for key in sorted(series):
        if key.phase != WARM_UP:
            parts.setdefault((key.scenario, key.name, key.kind), []).append(series[key])
    rows = [
        Row(scenario, name, kind, Series.sum_of(many), due_length(scenario, duration, phases or {}, due or {}))
        for (scenario, name, kind), many in parts.items()
    ]
    return tuple(sorted(rows, key=lambda r: (r.scenario, _place(r.kind), r.kind, r.name)))


def due_length(label: str, duration: float, phases: Mapping[tuple[str, str], float], due: Mapping[str, float]) -> float:
    """Return for how many seconds visits of a scenario label were due, without its warm-up.

    A label within another, "outer/inner", has the length of the outer one. Where *due* says
    nothing of a label it is the *duration* of the run but for its warm-up, as in *phases*.
    """
    outer = label
    while "/" in outer and outer not in due:
        outer = outer.rpartition("/")[0]
    if outer in due:
        return due[outer]
    return max(duration - phases.get((outer, WARM_UP), 0.0), 0.0)


def _place(kind: str) -> int:
    return _ORDER.index(kind) + 1 if kind in _ORDER else 0


def sum_rows(scenario: str, name: str, kind: str, rows: Sequence[Row], duration: float = 0.0) -> Row:
    merged = Series.merge_all([r.series for r in rows])
    return Row(scenario, name, kind, merged, max((r.duration for r in rows), default=duration))
