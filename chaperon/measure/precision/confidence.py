"""Confidence intervals of percentiles, from binomial order statistics."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

LEVEL = 0.95
SPREAD = 0.1
"""Largest distance from the value to an end of its interval, as a share of the value, that does not count as rough."""
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
"""The percentiles of a report, as quantiles."""
_EXACT = 100.0


class Interval(NamedTuple):
    """The 95 % confidence interval of a percentile, in the unit of the samples."""

    low: float
    high: float

    def rough(self, value: float) -> bool:
        """Return whether an end of the interval is further than 10 % of *value* from it."""
        return max(value - self.low, self.high - value) > SPREAD * value


@lru_cache(maxsize=1024)
def samples_needed(q: float) -> int:
    """Return the number of samples needed for the interval of quantile *q* to have an upper end.

    From that number on the greatest sample exceeds the quantile with 97.5 % probability: 72
    samples for q = 0.95, 368 for 0.99, 3,688 for 0.999.
    """
    if not 0.0 < q < 1.0:
        return 1
    return math.ceil(math.log((1 - LEVEL) / 2) / math.log(q))


@lru_cache(maxsize=65_536)
def ranks(n: int, q: float) -> tuple[int, int] | None:
    """Return the ranks, from 1, of the ordered samples that bound quantile *q* of *n* samples with 95 % confidence.

    Distribution-free (David & Nagaraja, "Order Statistics", 7.1): the number of samples
    below the quantile is binomial. Computed exactly if few samples lie beyond the quantile,
    otherwise by the normal approximation. None if *n* is too small for an upper end.
    """
    if n < samples_needed(q):
        return None
    if n * min(q, 1 - q) > _EXACT:
        half = 1.959964 * math.sqrt(n * q * (1 - q))
        return max(math.floor(n * q - half), 1), min(math.ceil(n * q + half) + 1, n)
    return _lower(n, q), n + 1 - _lower(n, 1 - q)


def rank_share(rank: int, n: int, count: int) -> float:
    """Return the quantile of *count* samples that stands for a rank, from 1, among *n* independent ones."""
    if n >= count and (rank <= 1 or rank >= n):
        return 0.0 if rank <= 1 else 1.0
    return (rank - 0.5) / n


def _lower(n: int, q: float) -> int:
    """Return the greatest rank l, at least 1, with P(fewer than l samples lie below the quantile) ≤ 2.5 %."""
    tail = (1 - LEVEL) / 2
    if q > 0.5:  # count the samples above the quantile instead: they are few
        return max(n + 1 - _upper(n, 1 - q), 1)
    total, rank, chance = 0.0, 0, (1 - q) ** n
    while total + chance <= tail and rank < n:
        total += chance
        chance *= (n - rank) / (rank + 1) * q / (1 - q)
        rank += 1
    return max(rank, 1)


def _upper(n: int, q: float) -> int:
    """Return the least rank u with P(at least u samples lie below the quantile) ≤ 2.5 %."""
    total, rank, chance = 0.0, 0, (1 - q) ** n
    while total + chance < 1 - (1 - LEVEL) / 2 and rank < n:
        total += chance
        chance *= (n - rank) / (rank + 1) * q / (1 - q)
        rank += 1
    return rank + 1
