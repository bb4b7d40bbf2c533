"""Sketch: a t-digest with exact count, sum, minimum and maximum."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import fastdigest

from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.confidence import Interval, rank_share, ranks, samples_needed

if TYPE_CHECKING:
    from tdigest import TDigest

TOTAL = 1000
WINDOW = 200


class Sketch:
    """The distribution of a stream of finite numbers in bounded memory.

    Quantiles come from a t-digest (Dunning & Ertl, "Computing Extremely Accurate Quantiles
    Using t-Digests") with at most *centroids* centroids. Values are added in batches, which
    is fastest and most accurate with `fastdigest`.
    """

    __slots__ = ("_digest", "_loose", "centroids", "count", "high", "low", "total")

    def __init__(self, centroids: int = WINDOW) -> None:
        self.centroids = centroids
        self.count = 0
        self.total = 0.0
        self.low = math.inf
        self.high = -math.inf
        self._digest: Any = None
        self._loose = b""  # doubles, kept as they are until a digest is needed: most are merged first

    def __repr__(self) -> str:
        if not self.count:
            return "<Sketch empty>"
        return f"<Sketch of {self.count}: {self.low:g} … {self.high:g}>"

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, values: Sequence[float]) -> None:
        """Add *values*. All must be finite; this is not checked here."""
        if not values:
            return
        self.count += len(values)
        self.total = _sum((self.total, *values))
        low, high = self.low, self.high
        for value in values:
            if value < low:
                low = value
            if value > high:
                high = value
        self.low, self.high = low, high
        if self._whole is None:
            self._digest = fastdigest.TDigest(max_centroids=self.centroids)
        self._digest.batch_update(values)

    @classmethod
    def merge_all(cls, sketches: Iterable[Sketch], centroids: int = TOTAL) -> Sketch:
        """Return the sum of *sketches*. The quantiles depend slightly on their order, as in any t-digest."""
        merged = cls(centroids)
        count = 0
        low, high = math.inf, -math.inf
        totals: list[float] = []
        loose: list[bytes] = []
        digests: list[Any] = []
        for each in sketches:  # a master does this for thousands a second: each is looked at once
            if not each.count:
                continue
            count += each.count
            totals.append(each.total)
            if each.low < low:
                low = each.low
            if each.high > high:
                high = each.high
            if each._loose:
                loose.append(each._loose)
            else:
                digests.append(each._digest)
        if count:
            merged.count, merged.low, merged.high, merged.total = count, low, high, _sum(totals)
            if loose:
                merged._loose = b"".join(loose)
            if digests:
                if merged._whole is not None:
                    digests.append(merged._digest)
                merged._digest = fastdigest.merge_all(digests, max_centroids=centroids)
            elif count > centroids:
                merged._digest_loose()  # now, or each of those it is merged into would do it again
        return merged

    @classmethod
    def of(
        cls, means: Sequence[float], weights: Sequence[int], count: int, *, total: float, low: float, high: float
    ) -> Sketch:
        """Return a sketch of *count* samples from the centroids of another sketch, sorted by mean.

        *total*, *low* and *high* are exact.
        """
        sketch = Sketch(max(len(means), WINDOW))
        sketch.count, sketch.total = count, total
        sketch.low, sketch.high = low, high
        sketch._digest = fastdigest.TDigest.from_values(means, weights, max_centroids=sketch.centroids)
        return sketch

    @classmethod
    def of_packed_values(cls, packed: bytes, *, total: float, low: float, high: float) -> Sketch:
        """Return a sketch of samples, *packed* as the bytes of doubles. *total*, *low* and *high* are exact."""
        count = len(packed) // 8
        sketch = Sketch(max(count, WINDOW))
        sketch.count, sketch.total = count, total
        sketch.low, sketch.high = low, high
        # no list: its numbers would be objects that a garbage collection looks at, far from each other in memory
        sketch._loose = packed
        return sketch

    @property
    def _whole(self) -> Any:
        """The t-digest of all samples, created when first needed; None without samples."""
        if self._loose:
            self._digest_loose()
        return self._digest

    def _digest_loose(self) -> None:
        values = array("d", self._loose)
        self._digest, self._loose = fastdigest.TDigest.from_values(values, max_centroids=self.centroids), b""

    @property
    def clusters(self) -> list[tuple[float, float]]:
        """The centroids of the t-digest as (mean, weight) pairs, sorted by mean."""
        return list(self._whole.centroids) if self.count else []

    def to_centroids(self, most: int = WINDOW) -> Centroids:
        """Return the samples as at most *most* centroids; the sketch stays as it is."""
        if not self.count:
            return Centroids(())
        if self._digest is None and self.count <= most:
            return Centroids(sorted(array("d", self._loose)), (), self.low, self.high)
        clusters = Sketch.merge_all([self], most).clusters
        # whole, but for rounding; `round` takes longer than the rest of this
        weights = [int(weight + 0.5) for _, weight in clusters] if len(clusters) < self.count else []
        return Centroids([mean for mean, _ in clusters], weights, self.low, self.high)

    @property
    def mean(self) -> float | None:
        """The exact mean, or None without samples."""
        return self.total / self.count if self.count else None

    def quantile(self, q: float) -> float | None:
        """Return quantile *q* (0 to 1) of the samples, or None without samples."""
        if not self.count:
            return None
        if q <= 0.0:
            return self.low
        if q >= 1.0:
            return self.high
        return float(min(max(self._whole.quantile(q), self.low), self.high))

    def share_below(self, value: float) -> float:
        """Return the share of samples, 0 to 1, that are at most *value*; 0 without samples."""
        if not self.count or value < self.low:
            return 0.0
        return 1.0 if value >= self.high else float(self._whole.cdf(value))

    def known(self, q: float) -> float | None:
        """Return quantile *q*, or None if the samples are too few for it (see `samples_needed`)."""
        return None if self.count < samples_needed(q) else self.quantile(q)

    def interval(self, q: float, effective: int | None = None) -> Interval | None:
        """Return the 95 % confidence interval of quantile *q*, or None if the samples are too few for an upper end.

        *effective* is how many independent samples say as much as these, all of them by default.
        """
        count = self.count if effective is None else effective
        found = ranks(count, q) if 0.0 < q < 1.0 else None
        if found is None:
            return None
        low, high = (self.quantile(rank_share(rank, count, self.count)) or 0.0 for rank in found)
        value = self.quantile(q) or 0.0
        return Interval(min(low, value), max(high, value))

    def tdigest(self) -> TDigest:
        """Return the distribution as a `tdigest.TDigest`, for use with other tools."""
        from tdigest import TDigest  # late: measuring does not need it

        digest = TDigest()
        digest.update_from_dict(self.as_dict())
        return digest

    def as_dict(self) -> dict[str, Any]:
        """Return the sketch in the dictionary form of the `tdigest` library."""
        return {
            "n": self.count,
            "delta": 0.01,
            "K": 25,
            "centroids": [{"c": weight, "m": mean} for mean, weight in self.clusters],
        }


def _sum(values: Sequence[float]) -> float:
    """Return the sum, at most the largest finite float."""
    try:
        return math.fsum(values)
    except OverflowError:
        return sys.float_info.max
