"""The samples of a stretch of a run, from the seconds that the spool keeps."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.second_counts import SeriesSecond
from chaperon.measure.sketch import Sketch


@lazy_dataclass(frozen=True, slots=True)
class SeriesStretch:
    """The samples of one key in a stretch: *good* ones as a sketch of their times, *bad* and *censored* ones counted.

    *coarse*: seconds were kept together, so that some samples may lie beside the stretch.
    """

    good: Sketch
    bad: int
    censored: int
    coarse: bool

    @property
    def count(self) -> int:
        """The number of samples."""
        return self.good.count + self.bad + self.censored

    def quantile(self, q: float) -> float | None:
        """Return quantile *q* (0 to 1) of good and censored samples; None without any, or if it is a censored one.

        How long a censored sample took is not kept: each counts as longer than all good ones.
        """
        good = self.good.count
        place = q * (good + self.censored - 1)  # ranks from 0, as in the t-digest
        if not good or place > good - 1:
            return None
        return self.good.quantile(place / (good - 1) if good > 1 else 0.0)


def stretch_of(seconds: Iterator[SeriesSecond]) -> SeriesStretch | None:
    """Return the sum of *seconds*, None without any. Blocks while they are read."""
    sketches: list[Sketch] = []
    found = bad = censored = 0
    coarse = False
    for second in seconds:
        found += 1
        bad, censored = bad + second.bad, censored + second.censored
        coarse |= second.step > 1
        if second.good.count:
            sketches.append(_sketch(second.good))
    return SeriesStretch(Sketch.merge_all(sketches), bad, censored, coarse) if found else None


def stretch_sum(many: Sequence[SeriesStretch]) -> SeriesStretch:
    """Return the sum of *many*, of which there is at least one."""
    if len(many) == 1:
        return many[0]
    good = Sketch.merge_all([each.good for each in many])
    coarse = any(each.coarse for each in many)
    return SeriesStretch(good, sum(each.bad for each in many), sum(each.censored for each in many), coarse)


def _sketch(kept: Centroids) -> Sketch:
    weights = list(kept.weights)
    pairs = zip(kept.means, weights or repeat(1), strict=False)
    total = sum(mean * weight for mean, weight in pairs)
    if not weights:
        return Sketch.of_packed_values(array("d", kept.means).tobytes(), total=total, low=kept.low, high=kept.high)
    return Sketch.of(list(kept.means), weights, kept.count, total=total, low=kept.low, high=kept.high)
