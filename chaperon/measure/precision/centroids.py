"""The samples of one second as centroids, for counting those above a value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


class Centroids:
    """Centroids sorted by mean, with their weights; *weights* is empty if each mean is one sample.

    Unlike the interpolated distribution function of a sketch, counts are exact as far as each
    centroid is one sample: interpolation would smooth away the variance of a few samples in a tail.
    """

    __slots__ = ("_sums", "count", "high", "low", "means", "weights")

    def __init__(
        self, means: Sequence[float], weights: Sequence[int] = (), low: float | None = None, high: float | None = None
    ) -> None:
        self.means = means
        self.weights = weights
        self._sums = list(accumulate(weights)) if weights else []
        self.count = self._sums[-1] if weights else len(means)
        self.low = low if low is not None else means[0] if means else 0.0
        self.high = high if high is not None else means[-1] if means else 0.0

    def __repr__(self) -> str:
        return f"<Centroids of {self.count}: {self.low:g} … {self.high:g}>"

    def above(self, value: float) -> float:
        """Return how many samples are greater than *value*; whole if no centroid near it has several samples.

        Half of the samples of a centroid are taken to lie evenly between its mean and the next
        mean, or the greatest value, and half on the other side.
        """
        if not self.count or value >= self.high:
            return 0.0
        if value < self.low:
            return float(self.count)
        place = bisect_right(self.means, value)  # the number of means that are at most the value
        if not self.weights:
            return float(len(self.means) - place)
        after = self.count - (self._sums[place - 1] if place else 0)
        left_mean, left = (self.means[place - 1], self._half(place - 1)) if place else (self.low, 0.0)
        right_mean, right = (self.means[place], self._half(place)) if place < len(self.means) else (self.high, 0.0)
        share = (value - left_mean) / (right_mean - left_mean) if right_mean > left_mean else 1.0
        return after + left - share * (left + right)

    def _half(self, place: int) -> float:
        """Return half the weight of a centroid, 0 for a single sample, which lies at its mean."""
        weight = self.weights[place]
        return weight / 2 if weight > 1 else 0.0


NONE = Centroids(())
"""No samples."""
