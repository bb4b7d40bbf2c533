"""Estimates of one run that can be compared with those of another: percentiles, shares of errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from chaperon.measure.precision.confidence import LEVEL
from chaperon.measure.precision.distributions import beta_quantile, t_quantile
from chaperon.measure.precision.history import History
from chaperon.measure.precision.long_run import rate_of
from chaperon.report.percentiles import Population

_TAIL = (1 - LEVEL) / 2


class Estimate(NamedTuple):
    """A figure of one run with its 95 % interval, from *low* to *high*.

    *freedom* are the degrees of freedom of the estimate of its variance, *seconds* the length of the
    run. A percentile is in seconds, a share of errors between 0 and 1.
    """

    value: float
    low: float
    high: float
    freedom: int
    seconds: int


def quantile_estimate(times: Population, q: float) -> Estimate | None:
    """Return the quantile *q* of a run, or None if it is unknown, or not above 0.

    It is unknown with samples in fewer than 20 seconds, with too few samples, and among
    censored samples. May block to read a file.
    """
    value, interval, found = times.known(q), times.interval(q), times.dependence(q)
    if value is None or interval is None or found is None or interval.low <= 0.0:
        return None
    return Estimate(value, interval.low, interval.high, found.freedom, found.seconds)


def error_estimate(errors: int, count: int, history: History | None) -> Estimate | None:
    """Return the share of *errors* among *count* samples, or None if it is unknown.

    Its interval is that of Clopper and Pearson (Biometrika 26, 1934) for the effective number of
    samples (Korn & Graubard 1998). It is unknown with samples in fewer than 20 seconds. May
    block to read a file.
    """
    found = None if history is None or not count else history.error_dependence()
    if found is None:
        return None
    share, n = errors / count, max(min(found.effective(count), count), 1.0)
    failures = share * n
    low = beta_quantile(_TAIL, failures, n - failures + 1) if failures > 0 else 0.0
    high = beta_quantile(1 - _TAIL, failures + 1, n - failures) if failures < n else 1.0
    return Estimate(share, low, high, found.freedom, found.seconds)


def rate_estimate(history: History | None) -> Estimate | None:
    """Return the samples a second of a series, errors included, or None if it is unknown.

    The rate of an open load is given; that of a closed load depends on the target. It is unknown
    with samples in fewer than 20 seconds. May block to read a file.
    """
    found = None if history is None else rate_of(*history.counts())
    if found is None:
        return None
    half = t_quantile(1 - _TAIL, found.freedom) * found.error
    return Estimate(found.rate, found.rate - half, found.rate + half, found.freedom, found.seconds)


def logarithm(estimate: Estimate) -> Estimate:
    """Return the natural logarithm of an estimate above 0 and of its interval."""
    value, low, high = (math.log(each) for each in estimate[:3])
    return estimate._replace(value=value, low=low, high=high)


def mean_estimate(many: Sequence[Estimate]) -> Estimate:
    """Return the mean of estimates of independent runs, with the interval that follows from theirs by MOVER."""
    value = fmean(each.value for each in many)
    low = value - math.hypot(*(each.value - each.low for each in many)) / len(many)
    high = value + math.hypot(*(each.high - each.value for each in many)) / len(many)
    return Estimate(value, low, high, min(each.freedom for each in many), min(each.seconds for each in many))
