"""Percentiles of good and censored samples, as a lower and an upper bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from chaperon.measure.precision.confidence import PERCENTILES, Interval, rank_share, ranks, samples_needed
from chaperon.measure.precision.history import History
from chaperon.measure.precision.long_run import Dependence
from chaperon.measure.precision.second_counts import Times
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
    *total* are of the good samples. *history* has the same samples second by second, from which
    their dependence is estimated; without it they are treated as independent. *of* is which samples of it they are.
    """

    __slots__ = ("censored", "good", "history", "of")

    def __init__(
        self, good: Sketch, censored: Sketch, history: History | None = None, *, of: Times = "service"
    ) -> None:
        self.good = good
        self.censored = censored
        self.history = history
        self.of = of

    def __repr__(self) -> str:
        return f"<Population of {self.good.count} good and {self.censored.count} censored>"

    def __bool__(self) -> bool:
        return self.count > 0

    @classmethod
    def service(cls, series: Series) -> Population:
        """Return the service times of a series, or the values it recorded."""
        return cls(series.good, series.censored, series.history)

    @classmethod
    def response(cls, series: Series) -> Population:
        """Return the response times of a series, measured from when its samples were due."""
        return cls(series.response, series.response_censored, series.history, of="response")

    @classmethod
    def of_all(cls, series: Series) -> Population:
        """Return the service times of all samples of a series: good, bad and censored ones."""
        if not series.bad:
            return cls.service(series)
        return cls(Sketch.merge_all([series.good, series.bad]), series.censored, series.history, of="all")

    @classmethod
    def of_bad(cls, series: Series) -> Population:
        """Return the service times of the samples of a series that ended in an error."""
        return cls(series.bad, Sketch(), series.history, of="bad")

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

    def dependence(self, q: float) -> Dependence | None:
        """Return how much the samples depend on each other at quantile *q*.

        None if that is unknown: without a history, or with samples in fewer than 20 seconds.
        """
        if self.history is None or not self.count or not 0.0 < q < 1.0:
            return None
        q = round(q, 12)  # 99.9 / 100 is another float than 0.999: without rounding the seconds are read twice
        wanted = {q, *PERCENTILES.values()}
        return self.history.dependence(self._threshold, q, wanted, of=self.of)

    def read_ahead(self, quantiles: Iterable[float]) -> None:
        """Estimate the dependence at many *quantiles* at once, so that the seconds are read only once for them all."""
        wanted = [round(q, 12) for q in quantiles if self.count >= samples_needed(q)]
        if self.history is not None and wanted:
            self.history.dependence(self._threshold, wanted[0], wanted, of=self.of)

    def design_effect(self, q: float) -> float | None:
        """Return the design effect at quantile *q*: its variance divided by that for independent samples, at least 1.

        None if `dependence` is unknown, or if there are too few samples for the quantile even if independent.
        """
        found = None if self.count < samples_needed(q) else self.dependence(q)
        return None if found is None else found.design_effect

    def effective(self, q: float) -> int:
        """Return the effective number of samples at quantile *q*: independent ones that give the same precision."""
        if self.count < samples_needed(q):
            return self.count
        found = self.dependence(q)
        return self.count if found is None else min(max(math.floor(found.effective(self.count)), 1), self.count)

    def bounds(self, q: float) -> Bounds | None:
        """Return the bounds of quantile *q*, or None if there are too few samples for it (see `samples_needed`)."""
        return None if self.effective(q) < samples_needed(q) else self.quantile(q)

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

        The ranks are those of `confidence.ranks` among the effective number of samples (Woodruff,
        "Confidence intervals for medians and other position measures", J. Am. Stat. Assoc. 47,
        1952). The lower end counts each censored sample as if it had ended when it was cut, the
        upper end as if it never ended.
        """
        count = self.effective(q)
        if not self.censored.count:
            return self.good.interval(q, count)
        found = ranks(count, q) if 0.0 < q < 1.0 else None
        bounds = self.quantile(q)
        if found is None or bounds is None:
            return None
        ends = [self.quantile(rank_share(rank, count, self.count)) or bounds for rank in found]
        low, high = min(ends[0].lower, bounds.lower), max(ends[1].upper, bounds.upper)
        return Interval(low, high) if high < math.inf else None

    def rough(self, q: float) -> bool:
        """Return whether quantile *q* is marked as rough.

        It is if an end of its interval is more than 10 % away from it, or if the dependence of
        the samples is unknown.
        """
        value, interval = self.known(q), self.interval(q)
        return value is None or interval is None or interval.rough(value) or self.dependence(q) is None

    def _threshold(self, q: float) -> float:
        """Return the value above which samples are counted: the upper bound of quantile *q*, the lower if infinite."""
        bounds = self.quantile(q)
        assert bounds is not None
        return bounds.upper if bounds.upper < math.inf else bounds.lower

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
    return f"{ROUGH if population.rough(q) else ''}{time_text(bounds.value)}"
