"""All that is known of one key; merging is addition."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from chaperon.measure.sample import Sample
from chaperon.measure.sketch import TOTAL, WINDOW, Sketch

EXEMPLARS = 5


class Series:
    """Counts and sketches of one key's samples.

    *good* and *bad* are apart, so that timeouts cannot bend the percentiles of successes.
    *response* is of good samples that had a due time, measured from it. *slowest* holds
    (value, moment) pairs, greatest first. *last* is (moment, value) of the newest sample.
    """

    __slots__ = ("bad", "bytes", "good", "last", "response", "slowest")

    def __init__(self, centroids: int = WINDOW) -> None:
        self.good = Sketch(centroids)
        self.bad = Sketch(centroids)
        self.response = Sketch(centroids)
        self.bytes = 0
        self.last: tuple[float, float] | None = None
        self.slowest: list[tuple[float, float]] = []

    def __repr__(self) -> str:
        return f"<Series of {self.count}, {self.errors} in error>"

    @property
    def count(self) -> int:
        """How many samples there were, errors included."""
        return self.good.count + self.bad.count

    @property
    def errors(self) -> int:
        """How many of the samples were bad."""
        return self.bad.count

    @property
    def total(self) -> float:
        """The sum of the values, errors included."""
        return self.good.total + self.bad.total

    def add(self, samples: Sequence[Sample]) -> None:
        """Take in a batch, in the order in which it was recorded."""
        if not samples:
            return
        good = [s[2] - s[1] if s[6] is None else s[6] for s in samples if s[3] is None]
        if len(good) != len(samples):
            self.bad.add([s[2] - s[1] if s[6] is None else s[6] for s in samples if s[3] is not None])
        self.good.add(good)
        self.response.add([max(s[2] - s[5], 0.0) for s in samples if s[5] is not None and s[3] is None])
        self.bytes += sum([s[4] for s in samples])
        self.last = (samples[-1].end, samples[-1].took)
        self.slowest = heapq.nlargest(EXEMPLARS, self.slowest + self._slowest_of(samples, good))

    def _slowest_of(self, samples: Sequence[Sample], good: list[float]) -> list[tuple[float, float]]:
        if len(self.slowest) == EXEMPLARS and good and len(good) == len(samples) and max(good) <= self.slowest[-1][0]:
            return []
        return [(s.took, s.end) for s in samples]

    @classmethod
    def merge_all(cls, many: Iterable[Series], centroids: int = TOTAL) -> Series:
        """Return the sum of *many*, always merged in the order given."""
        parts = list(many)
        merged = cls(centroids)
        merged.good = Sketch.merge_all([p.good for p in parts], centroids)
        merged.bad = Sketch.merge_all([p.bad for p in parts], centroids)
        merged.response = Sketch.merge_all([p.response for p in parts], centroids)
        merged.bytes = sum(p.bytes for p in parts)
        merged.last = max((p.last for p in parts if p.last is not None), default=None)
        merged.slowest = heapq.nlargest(EXEMPLARS, [pair for p in parts for pair in p.slowest])
        return merged
