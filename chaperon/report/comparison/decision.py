"""What a difference between runs means: slower, faster, the same, unknown."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import NamedTuple

from chaperon.measure.precision.confidence import LEVEL
from chaperon.report.comparison.difference import Difference

SHORTEST = 60
"""Seconds below which runs are not compared: too little is known of how seconds vary."""
LEAST_TIME = 0.001
"""Seconds by which a percentile may differ in any case."""
MARGINS = {"p50": 0.05, "p95": 0.1, "p99": 0.1, "errors": 0.005}
"""By default: what a figure may change by, as a share of itself, errors as a share of all samples."""
_TAIL = (1 - LEVEL) / 2


class ChangeKind(enum.Enum):
    """How a figure of the second run differs from that of the first: SLOWER also stands for more errors."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    UNKNOWN = "unknown"

    @property
    def mirrored(self) -> ChangeKind:
        """The change with the runs exchanged."""
        return {ChangeKind.SLOWER: ChangeKind.FASTER, ChangeKind.FASTER: ChangeKind.SLOWER}.get(self, self)


class Decision(NamedTuple):
    """A change, with the smallest one that would have been found with 80 % probability.

    *margin* and *detectable* are shares of the figure (0.1: 10 %) for times, shares of all samples
    for errors. *needed* is the length in seconds of runs in which a change by *margin* would have
    been found.
    """

    change: ChangeKind
    margin: float
    detectable: float
    needed: float


def time_margin(margin: float, first: float, second: float, between: float = 0.0) -> float:
    """Return the margin for a percentile that is *first* seconds in one run and *second* in the other.

    It is at least 1 ms, and at least twice the deviation *between* runs of one build. It is the
    same with the runs exchanged.
    """
    return max(margin, LEAST_TIME / min(first, second), 2 * between)


def decide_ratio(found: Difference, margin: float) -> Decision:
    """Decide on the logarithm of a ratio of times; a *margin* of 0.1 allows a tenth of the time.

    SLOWER and FASTER: the interval of the ratio lies beyond the margin. SAME: it lies within it
    (two one-sided tests: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987).
    UNKNOWN: neither, or runs of under 60 s.
    """
    bound = math.log1p(margin)
    return Decision(
        _change(found, bound), margin, math.expm1(min(found.detectable, 700.0)), found.seconds * _factor(found, bound)
    )


def decide_share(found: Difference, margin: float) -> Decision:
    """Decide on a difference of shares of errors; a *margin* of 0.005 allows half a point."""
    return Decision(_change(found, margin), margin, found.detectable, found.seconds * _factor(found, margin))


def _change(found: Difference, bound: float) -> ChangeKind:
    if found.seconds < SHORTEST:
        return ChangeKind.UNKNOWN
    if found.low > bound:
        return ChangeKind.SLOWER
    if found.high < -bound:
        return ChangeKind.FASTER
    return ChangeKind.SAME if -bound <= found.low and found.high <= bound else ChangeKind.UNKNOWN


def _factor(found: Difference, bound: float) -> float:
    """Return how many times as long runs must be to find a change by *bound*: intervals shrink with its root."""
    return math.inf if bound <= 0.0 else (found.detectable / bound) ** 2


def holm(values: Sequence[float], level: float = _TAIL) -> list[bool]:
    """Return which hypotheses are rejected so that all of them hold with at least 1 − *level*, from their p-values.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6 (1979).
    """
    rejected = [False] * len(values)
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] >= level / (len(values) - rank):
            break
        rejected[place] = True
    return rejected
