"""Variance of a percentile where neighbouring seconds of a run resemble each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import mul
from typing import NamedTuple

from chaperon.measure.precision.confidence import LEVEL
from chaperon.measure.precision.distributions import t_quantile
from chaperon.measure.precision.second_counts import SecondCounts

SHORTEST = 20
"""Seconds with samples below which nothing is known of how seconds vary."""
MOST_BLOCKS = 600
"""Blocks of equal length into which a longer run is summed: low frequencies do not need seconds."""
_Z = 1.959964


class Dependence(NamedTuple):
    """How much less a sample of a dependent stream says than an independent one.

    *design_effect* is the variance of a share of the samples, divided by that of as many
    independent ones; at least 1. *freedom* are the degrees of freedom of its estimate, *seconds*
    the length of the run it is estimated from.
    """

    design_effect: float
    freedom: int
    seconds: int

    def effective(self, count: int) -> float:
        """Return how many independent samples say as much as *count* of these.

        Korn & Graubard, "Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data", Survey Methodology 24 (1998): the design
        effect is an estimate, for which the ratio of normal to t quantile allows.
        """
        return count / self.design_effect * (_Z / t_quantile(1 - (1 - LEVEL) / 2, self.freedom)) ** 2


def freedom_of(seconds: int) -> int:
    """Return how many cosines, and so degrees of freedom, the long-run variance over *seconds* is estimated by."""
    return max(4, round(math.sqrt(seconds) / 2))


def long_run_variance(values: Sequence[float], freedom: int) -> float:
    """Return the long-run variance of a series with mean 0, by *freedom* equally weighted cosines.

    That is the variance of its sum, divided by its length: Müller, "A theory of robust long-run
    variance estimation", J. Econometrics 141 (2007); Lazarus, Lewis, Stock & Watson, "HAR
    inference", J. Bus. Econ. Stat. 36 (2018).
    """
    length = len(values)
    amplitudes = [math.fsum(map(mul, values, cosine)) for cosine in _cosines(length, freedom)]
    return 2 / length * math.fsum([each * each for each in amplitudes]) / freedom


@lru_cache(maxsize=16)
def _cosines(length: int, freedom: int) -> list[list[float]]:
    return [[math.cos(math.pi * j * (t + 0.5) / length) for t in range(length)] for j in range(1, freedom + 1)]


def deviations(parts: Sequence[float], counts: Sequence[float]) -> list[float]:
    """Return by how much each of *parts* differs from its count times the overall ratio of parts to counts.

    The residuals of a ratio estimator: a change of the counts alone leaves them 0. They sum to 0.
    """
    ratio = math.fsum(parts) / (math.fsum(counts) or 1.0)
    return [part - ratio * count for part, count in zip(parts, counts, strict=True)]


def dependence(seconds: Mapping[int, tuple[float, float]], q: float, step: int = 1) -> Dependence | None:
    """Return the dependence of the samples of a run, as the estimate of their quantile *q* has it.

    *seconds* has, by second, how many samples exceeded the quantile, and how many there were;
    those of *step* seconds may stand together. None where fewer than 20 have samples. A share
    of 0 or 1 does not vary: its design effect is 1.
    """
    counts = SecondCounts([0.0])
    for at, (above, count) in seconds.items():
        counts.add(at, step, count, [above])
    return dependences(counts, [q])[0]


def dependences(found: SecondCounts, quantiles: Sequence[float]) -> list[Dependence | None]:
    """Return the dependence for each of *quantiles*, whose values are the bounds of *found*; see `dependence`."""
    filled = [place for place, count in enumerate(found.counts) if count > 0]
    if len(filled) < SHORTEST:
        return [None] * len(quantiles)
    filled.sort(key=found.seconds.__getitem__)
    first = found.seconds[filled[0]]
    length = found.seconds[filled[-1]] - first + found.step
    block = _block(length, found.step)
    blocks = [(found.seconds[place] - first) // block for place in filled]
    number = math.ceil(length / block)
    counts = _sums([found.counts[place] for place in filled], blocks, number)
    freedom = min(freedom_of(length), number - 1)
    total = math.fsum(counts)
    made: list[Dependence | None] = []
    for column, q in enumerate(quantiles):
        above = _sums([found.above[place][column] for place in filled], blocks, number)
        variance = long_run_variance(deviations(above, counts), freedom)
        effect = number * variance / (total * q * (1 - q)) if 0.0 < q < 1.0 else 1.0
        made.append(Dependence(max(effect, 1.0), freedom, length))
    return made


class RateEstimate(NamedTuple):
    """Samples a second, with the *error* that the variation of the run from second to second gives this mean."""

    rate: float
    error: float
    freedom: int
    seconds: int


def rate_of(counts: Mapping[int, float], step: int = 1) -> RateEstimate | None:
    """Return the rate of a run whose *counts* are by second; those of *step* seconds may stand together.

    A last block that is not full is left out. None where fewer than 20 seconds have samples.
    """
    filled = [at for at, count in counts.items() if count > 0]
    if len(filled) < SHORTEST:
        return None
    length = max(filled) - min(filled) + step
    block = _block(length, step)
    blocks = _blocks({at: counts[at] for at in filled}, length, step)[: length // block]
    freedom = min(freedom_of(length), len(blocks) - 1)
    mean = math.fsum(blocks) / len(blocks)
    variance = long_run_variance([each - mean for each in blocks], freedom)
    return RateEstimate(mean / block, math.sqrt(variance / len(blocks)) / block, freedom, len(blocks) * block)


def _block(length: int, step: int) -> int:
    """Return the length, in seconds, of the blocks that a run of *length* seconds is summed into."""
    return step * math.ceil(length / step / MOST_BLOCKS)


def _blocks(values: Mapping[int, float], length: int, step: int) -> list[float]:
    """Return the sums of values by second, in equal blocks from the first second on."""
    first, block = min(values), _block(length, step)
    return _sums([*values.values()], [(at - first) // block for at in values], math.ceil(length / block))


def _sums(values: Sequence[float], blocks: Sequence[int], number: int) -> list[float]:
    """Return the sums of *values* in each of a *number* of blocks; *blocks* has the block of each value."""
    sums = [0.0] * number
    for block, value in zip(blocks, values, strict=True):
        sums[block] += value
    return sums
