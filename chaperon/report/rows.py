"""Rows: one series of one scenario each, with counts, rates and percentiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.precision.confidence import Interval
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.percentiles import Bounds, Population
from chaperon.report.validity.generator_part import GeneratorPart, percentile_shift

if TYPE_CHECKING:
    from tdigest import TDigest


@lazy_dataclass(frozen=True)
class Row:
    """The figures of one series of one scenario, or of one name over all scenarios.

    Times are in seconds. *count*, *rate* and *bytes* include errors; *min*, *mean*, *max* are of
    good samples, None without any. Percentiles are of good and censored samples; they are None if
    they lie among the censored ones (see `at_least`), or if there are too few samples.
    """

    scenario: str
    name: str
    kind: str
    series: Series
    duration: float
    """Seconds in which visits were due, without warm-up. *rate* is per second of these."""

    def __repr__(self) -> str:
        return f"<Row {self.scenario} «{self.name}»: {self.count}, {self.errors} in error>"

    @property
    def count(self) -> int:
        """The number of samples, including errors."""
        return self.series.count

    @property
    def errors(self) -> int:
        """The number of samples in error: bad and censored."""
        return self.series.errors

    @property
    def censored(self) -> int:
        """The number of samples cut before they ended: timed out or interrupted."""
        return self.series.censored.count

    @property
    def never_begun(self) -> int:
        """The number of visits that were due and never started; they are not in *count*."""
        return max(self.series.response_censored.count - self.series.censored.count, 0)

    @property
    def rate(self) -> float:
        """Samples per second, including errors."""
        return self.count / self.duration if self.duration > 0 else 0.0

    @property
    def bytes(self) -> int:
        """The number of bytes received."""
        return self.series.bytes

    @property
    def total(self) -> float:
        """The sum of all values; of a count, the total counted."""
        return self.series.total

    @property
    def unit(self) -> str:
        """The unit of its values: "s" for times, that of recorded values, "" for those without one."""
        unit = value_unit(self.kind, self.name)
        return "s" if unit is None else unit

    @property
    def last(self) -> float | None:
        """The newest value, as of a gauge; None without samples."""
        return self.series.last[1] if self.series.last else None

    @property
    def slowest(self) -> list[tuple[float, float]]:
        """The ten greatest values as (value, moment) pairs; moments are readings of the run's clock."""
        return self.series.slowest

    @property
    def min(self) -> float | None:
        """The smallest good value, None without any."""
        return self.good.low if self.good else None

    @property
    def mean(self) -> float | None:
        """The exact mean of the good values, None without any."""
        return self.good.mean

    @property
    def max(self) -> float | None:
        """The greatest good value, None without any."""
        return self.good.high if self.good else None

    @property
    def good(self) -> Sketch:
        """The service times of good samples, or their values."""
        return self.series.good

    @property
    def bad(self) -> Sketch:
        """The service times of bad samples, which ended in an error."""
        return self.series.bad

    @property
    def service(self) -> Population:
        """The service times of good and censored samples, or their values."""
        return Population.service(self.series)

    @property
    def response(self) -> Population | None:
        """The response times of good and censored samples, from when they were due; None if nothing scheduled them."""
        return Population.response(self.series) or None

    @property
    def all(self) -> Population:
        """The service times of all samples: good, bad and censored ones."""
        return Population.of_all(self.series)

    @property
    def in_error(self) -> Population:
        """The service times of bad samples, with the precision of their percentiles."""
        return Population.of_bad(self.series)

    def percentile(self, p: float) -> float | None:
        """Return percentile *p* (0 to 100) of the service times, in seconds, of good and censored samples.

        None if there are too few samples for it (p95 needs 72, p99 needs 368), or if its bounds
        differ because it lies among censored samples.
        """
        return self.service.known(p / 100)

    def at_least(self, p: float) -> float | None:
        """Return the lower bound, in seconds, of a percentile that lies among censored samples; else None."""
        return self.service.at_least(p / 100)

    def bounds(self, p: float) -> Bounds | None:
        """Return the bounds of percentile *p*, in seconds, or None if there are too few samples for it."""
        return self.service.bounds(p / 100)

    def interval(self, p: float) -> Interval | None:
        """Return the 95 % confidence interval of percentile *p*, or None if there are too few samples for it.

        It allows for samples of neighbouring seconds that depend on each other (`design_effect`).
        With samples in fewer than 20 seconds they are treated as independent.
        """
        return self.service.interval(p / 100)

    def design_effect(self, p: float) -> float | None:
        """Return the variance of percentile *p* divided by that for independent samples, at least 1.

        None if it is unknown: samples in fewer than 20 seconds, or too few samples.
        """
        return self.service.design_effect(p / 100)

    @property
    def p50(self) -> float | None:
        """The median of the service times, in seconds; see `percentile`."""
        return self.percentile(50)

    @property
    def p90(self) -> float | None:
        """The 90th percentile of the service times, in seconds; see `percentile`."""
        return self.percentile(90)

    @property
    def p95(self) -> float | None:
        """The 95th percentile of the service times, in seconds; see `percentile`."""
        return self.percentile(95)

    @property
    def p99(self) -> float | None:
        """The 99th percentile of the service times, in seconds; see `percentile`."""
        return self.percentile(99)

    @property
    def p999(self) -> float | None:
        """The 99.9th percentile of the service times, in seconds; see `percentile`."""
        return self.percentile(99.9)

    def tdigest(self) -> TDigest:
        """Return the distribution of the good samples as a `tdigest.TDigest`. Needs that package."""
        return self.good.tdigest()


def shown_value(times: Population, q: float) -> float | None:
    """Return quantile *q*, or its lower bound if its bounds differ; None if there are too few samples for it."""
    bounds = times.bounds(q)
    return None if bounds is None else bounds.value if bounds.value is not None else bounds.lower


def generator_part_of(row: Row, q: float, own: GeneratorPart, *, response: bool = False) -> float | None:
    """Return the part of quantile *q* of a row, in seconds, that may be delay of the generator; None if unknown."""
    times = row.response if response else row.service
    if row.kind in UNTIMED or not times:
        return None
    of = own.response if response else own.service

    def value(share: float) -> float:
        found = times.quantile(share)
        return found.lower if found is not None else 0.0

    return percentile_shift(value, lambda share: of(share, row.scenario, row.kind), q)


VALUES = ("value", "count", "gauge")
"""Kinds of values that a scenario records: any number, a count, a level."""
UNTIMED = ("check", *VALUES)
"""Kinds whose values are not times."""
_UNIT = re.compile(r" \(([^()]+)\)$")


def value_unit(kind: str, name: str) -> str | None:
    """Return the unit of the values of a series, None for a series of times.

    It is what `session.record` was given as unit=, which stands behind the name; "" if it was given none.
    """
    if kind not in UNTIMED:
        return None
    found = _UNIT.search(name) if kind == "value" else None
    return found.group(1) if found else ""


_ORDER = ("step", "call", "task", "visit", "check", "value", "count", "gauge")


def rows_of(
    series: Mapping[Key, Series],
    duration: float,
    phases: Mapping[tuple[str, str], float] | None = None,
    due: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """Return one row per scenario, name and kind, without warm-up; requests come first in each scenario.

    *duration*, *phases* and *due* give the time over which rates are computed, see `due_length`.
    """
    parts: dict[tuple[str, str, str], list[Series]] = {}
    for key in sorted(series):
        if key.phase != WARM_UP:
            parts.setdefault((key.scenario, key.name, key.kind), []).append(series[key])
    rows = [
        Row(scenario, name, kind, Series.sum_of(many), due_length(scenario, duration, phases or {}, due or {}))
        for (scenario, name, kind), many in parts.items()
    ]
    return tuple(sorted(rows, key=lambda r: (r.scenario, _kind_order(r.kind), r.kind, r.name)))


def due_length(label: str, duration: float, phases: Mapping[tuple[str, str], float], due: Mapping[str, float]) -> float:
    """Return for how many seconds visits of a scenario label were due, without its warm-up.

    The label of a nested scenario, "outer/inner", has the length of the outer one. For a label
    that is not in *due* it is the *duration* of the run minus its warm-up in *phases*.
    """
    outer = label
    while "/" in outer and outer not in due:
        outer = outer.rpartition("/")[0]
    if outer in due:
        return due[outer]
    return max(duration - phases.get((outer, WARM_UP), 0.0), 0.0)


def _kind_order(kind: str) -> int:
    return _ORDER.index(kind) + 1 if kind in _ORDER else 0


ALL_SCENARIOS = "all scenarios"
"""The scenario of a row that is summed over several, as text."""
ALL_REQUESTS = "all requests"
"""The name of a row that is the sum of requests."""


IN_ERROR = "in error"
"""The name of the line with the times of the samples of a series that ended in an error."""


def requests_of(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that are requests."""
    return [row for row in rows if Key("", row.name, row.kind).is_request]


def total_of(rows: Sequence[Row], scenario: str, duration: float = 0.0) -> Row:
    """Return the sum of the requests among *rows*; its rate is per second of *duration* if there are none."""
    return sum_rows(scenario, ALL_REQUESTS, "http", requests_of(rows), duration)


def merge_scenarios(rows: Sequence[Row]) -> list[Row]:
    """Return *rows* with those of one name and kind in several scenarios added up, in the order of one scenario."""
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row.name, row.kind), []).append(row)
    merged = [sum_rows(ALL_SCENARIOS, name, kind, many) for (name, kind), many in parts.items()]
    return sorted(merged, key=lambda row: (_kind_order(row.kind), row.kind, row.name))


def sum_rows(scenario: str, name: str, kind: str, rows: Sequence[Row], duration: float = 0.0) -> Row:
    merged = Series.merge_all([r.series for r in rows])
    return Row(scenario, name, kind, merged, max((r.duration for r in rows), default=duration))
