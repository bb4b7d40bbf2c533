"""Percentiles of good and censored samples, as a lower and an upper bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from chaperon.measure.confidence import Interval, ranks, samples_needed
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.format import AT_LEAST, ROUGH, UNKNOWN, time_text

_HALVINGS = 60


class Bounds(NamedTuple):
    """The lower and upper bound of a percentile; equal if no censored sample affects it.

    *lower* counts each censored sample as if it had ended when it was cut, *upper* as if it
    had never ended: it is infinite if the percentile lies among the censored samples.
    """

    lower: float
    upper: float

    @property
    def value(self) -> float | None:
        """The percentile, if both bounds are equal when printed; else None."""
        return self.upper if self.upper < math.inf and time_text(self.lower) == time_text(self.upper) else None

    @property
    def at_least(self) -> float | None:
        """The lower bound, if the bounds differ when printed; else None."""
        return self.lower if self.value is None else None


class Population:
    """The good and the censored samples of a series; times in seconds.

    No distribution is assumed: a percentile has a lower and an upper bound, which are equal
    if every censored sample was cut later than the percentile. *low*, *high*, *mean* and
    *total* are of the good samples.
    """

    __slots__ = ("censored", "good")

    def __init__(self, good: Sketch, censored: Sketch) -> None:
        self.good = good
        self.censored = censored

    def __repr__(self) -> str:
        return f"<Population of {self.good.count} good and {self.censored.count} censored>"

    def __bool__(self) -> bool:
        return self.count > 0

    @classmethod
    def service(cls, series: Series) -> Population:
        """Return the service times of a series, or the values it recorded."""
        return cls(series.good, series.censored)

    @classmethod
    def response(cls, series: Series) -> Population:
        """Return the response times of a series, measured from when its samples were due."""
        return cls(series.response, series.response_censored)

    @classmethod
    def merge_all(cls, many: Iterable[Population]) -> Population:
        """Return the sum of *many*, merged in the order given."""
        parts = list(many)
        return cls(Sketch.merge_all([p.good for p in parts]), Sketch.merge_all([p.censored for p in parts]))

    @property
    def count(self) -> int:
        """The number of samples, good and censored."""
        return self.good.count + self.censored.count

    @property
    def low(self) -> float:
        """The smallest good value, infinity without any."""
        return self.good.low

    @property
    def high(self) -> float:
        """The greatest good value, minus infinity without any."""
        return self.good.high

    @property
    def mean(self) -> float | None:
        """The exact mean of the good values, or None without any."""
        return self.good.mean

    @property
    def total(self) -> float:
        """The exact sum of the good values."""
        return self.good.total

    def quantile(self, q: float) -> Bounds | None:
        """Return the bounds of quantile *q* (0 to 1), or None without samples."""
        if not self.count:
            return None
        if not self.censored.count:
            value = self.good.quantile(q) or 0.0
            return Bounds(value, value)
        upper = self._upper(q)
        if self.censored.low >= upper:  # every censored sample was cut later: both bounds count the same good samples
            return Bounds(upper, upper)
        return Bounds(min(self._lower(q), upper), upper)

    def bounds(self, q: float) -> Bounds | None:
        """Return the bounds of quantile *q*, or None if there are too few samples for it (see `samples_needed`)."""
        return None if self.count < samples_needed(q) else self.quantile(q)

    def known(self, q: float) -> float | None:
        """Return quantile *q*, or None if its bounds differ or there are too few samples for it."""
        bounds = self.bounds(q)
        return None if bounds is None else bounds.value

    def at_least(self, q: float) -> float | None:
        """Return the lower bound of quantile *q* if its bounds differ, else None."""
        bounds = self.bounds(q)
        return None if bounds is None else bounds.at_least

    def interval(self, q: float) -> Interval | None:
        """Return the 95 % confidence interval of quantile *q*, or None if it has no upper end.

        The ranks are those of `confidence.ranks` among all samples. The lower end counts each
        censored sample as if it had ended when it was cut, the upper end as if it never ended.
        """
        if not self.censored.count:
            return self.good.interval(q)
        found = ranks(self.count, q) if 0.0 < q < 1.0 else None
        bounds = self.quantile(q)
        if found is None or bounds is None:
            return None
        ends = [self.quantile(_share(rank, self.count)) or bounds for rank in found]
        low, high = min(ends[0].lower, bounds.lower), max(ends[1].upper, bounds.upper)
        return Interval(low, high) if high < math.inf else None

    def _upper(self, q: float) -> float:
        """Return quantile *q* with all censored samples ranked above the good ones."""
        good = self.good.count
        place = q * (self.count - 1)  # ranks from 0, as in the t-digest
        if place > good - 1:
            return math.inf
        return self.good.quantile(place / (good - 1) if good > 1 else 0.0) or 0.0

    def _lower(self, q: float) -> float:
        """Return quantile *q* with each censored sample at the time of its cut, found by bisection."""
        good, censored = self.good, self.censored
        low, high = min(good.low, censored.low), max(good.high, censored.high)
        wanted = q * self.count
        if q <= 0.0:
            return low
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if good.count * good.share_below(middle) + censored.count * censored.share_below(middle) < wanted:
                low = middle
            else:
                high = middle
        return high


def _share(rank: int, count: int) -> float:
    """Return the quantile at a rank, from 1, of *count* samples."""
    return 0.0 if rank <= 1 else 1.0 if rank >= count else (rank - 0.5) / count


def percentile_text(population: Population, q: float) -> str:
    """Return quantile *q* of times as text, with the marks that `format.MARKS` explains.

    "?" if there are too few samples, "≥" before a lower bound, "~" before a value whose confidence
    interval is wide.
    """
    if not population:
        return time_text(None)
    bounds = population.bounds(q)
    if bounds is None:
        return UNKNOWN
    if bounds.value is None:
        return f"{AT_LEAST}{time_text(bounds.lower)}"
    interval = population.interval(q)
    rough = interval is None or interval.rough(bounds.value)
    return f"{ROUGH if rough else ''}{time_text(bounds.value)}"
