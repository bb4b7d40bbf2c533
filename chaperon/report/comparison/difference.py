"""The difference between two runs, or two groups of runs, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance
from typing import NamedTuple

from chaperon.measure.precision.confidence import LEVEL
from chaperon.measure.precision.distributions import t_cdf, t_quantile
from chaperon.report.comparison.estimate import Estimate, logarithm

_UPPER = 1 - (1 - LEVEL) / 2
_POWER = 0.8


class Difference(NamedTuple):
    """By how much the second run, or group, is greater than the first: *value*, with its 95 % interval.

    In natural logarithms for times, in shares for errors. *freedom* are the degrees of freedom
    of the interval, *seconds* the length of the shortest run.
    """

    value: float
    low: float
    high: float
    freedom: float
    seconds: int

    @property
    def detectable(self) -> float:
        """The difference that is found with 80 % probability: half the interval, increased by the t quantile of 0.8."""
        return (self.high - self.low) / 2 * (1 + t_quantile(_POWER, self.freedom) / t_quantile(_UPPER, self.freedom))

    def p_above(self, bound: float) -> float:
        """Return the one-sided p-value of the hypothesis that the true difference is at most *bound*.

        It is below 2.5 % exactly where the interval lies above *bound*.
        """
        return self._tail(self.value - bound, self.value - self.low)

    def p_below(self, bound: float) -> float:
        """Return the one-sided p-value of the hypothesis that the true difference is at least *bound*."""
        return self._tail(bound - self.value, self.high - self.value)

    def _tail(self, distance: float, half: float) -> float:
        if half <= 0.0:
            return 0.0 if distance > 0.0 else 1.0
        return t_cdf(-distance / half * t_quantile(_UPPER, self.freedom), self.freedom)


def log_ratio(first: Estimate, second: Estimate) -> Difference:
    """Return the logarithm of *second* / *first*; both must be above 0."""
    return difference(logarithm(first), logarithm(second))


def difference(first: Estimate, second: Estimate) -> Difference:
    """Return *second* − *first*, with the interval that follows from their own.

    By MOVER: Zou & Donner, "Construction of confidence limits about effect measures", Statistics
    in Medicine 27 (2008). The interval of each may be asymmetric.
    """
    value = second.value - first.value
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Difference(value, low, high, min(first.freedom, second.freedom), min(first.seconds, second.seconds))


LEAST_RUNS = 3
"""Runs a side from which the variation between runs of one build is estimated."""


def log_ratio_of_groups(first: Sequence[float], second: Sequence[float], seconds: int) -> Difference:
    """Return the logarithm of the ratio of the geometric means of two groups of runs, *second* to *first*.

    Each run is one observation, so that differences between runs of the same build are allowed for. By
    Welch, "The generalization of 'Student's' problem", Biometrika 34 (1947). *seconds* is the
    length of the shortest run. Raises ValueError with fewer than three runs in a group, or a
    value that is not above 0.
    """
    return difference_of_groups([math.log(value) for value in first], [math.log(value) for value in second], seconds)


def difference_of_groups(first: Sequence[float], second: Sequence[float], seconds: int) -> Difference:
    """Return the mean of the *second* group of runs minus that of the *first*, with the interval of Welch.

    *seconds* is the length of the shortest run. Raises ValueError with fewer than three runs in a group.
    """
    if min(len(first), len(second)) < LEAST_RUNS:
        raise ValueError(f"at least {LEAST_RUNS} runs in each group are needed")
    parts = [variance(group) / len(group) for group in (first, second)]
    total = math.fsum(parts)
    squares = math.fsum(part**2 / (len(group) - 1) for part, group in zip(parts, (first, second), strict=True))
    freedom = total**2 / squares if squares > 0.0 else float(len(first) + len(second) - 2)
    value = fmean(second) - fmean(first)
    half = t_quantile(_UPPER, freedom) * math.sqrt(total)
    return Difference(value, value - half, value + half, freedom, seconds)


def between_runs(*groups: Sequence[float]) -> float:
    """Return the standard deviation of the logarithm between runs of one build, pooled over groups of runs.

    0.02 is 2 %. Raises ValueError if no group has two runs.
    """
    return deviation(*([math.log(value) for value in group] for group in groups))


def deviation(*groups: Sequence[float]) -> float:
    """Return the standard deviation of values pooled over groups. Raises ValueError if no group has two values."""
    many = [group for group in groups if len(group) > 1]
    if not many:
        raise ValueError("a group of at least two runs is needed")
    squares = math.fsum(variance(group) * (len(group) - 1) for group in many)
    return math.sqrt(squares / sum(len(group) - 1 for group in many))
