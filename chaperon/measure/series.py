"""All that is known of one key; merging is addition."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from operator import sub

from chaperon.measure.sample import Row
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

    @classmethod
    def of(
        cls,
        sketches: Sequence[Sketch],
        size: int,
        last: tuple[float, float] | None,
        slowest: list[tuple[float, float]],
    ) -> Series:
        """Return a series of its parts, the three *sketches* being good, bad, response."""
        series = cls.__new__(cls)
        series.good, series.bad, series.response = sketches
        series.bytes, series.last, series.slowest = size, last, slowest
        return series

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

    def add(self, samples: Sequence[Row]) -> None:
        """Take in a batch, in the order in which it was recorded."""
        if not samples:
            return
        n = len(samples)
        _, starts, ends, failures, sizes, dues, values = zip(*samples, strict=True)  # columns are cheaper than rows
        if values.count(None) == n:
            took = list(map(sub, ends, starts))
        else:
            spans = zip(starts, ends, values, strict=True)
            took = [end - start if value is None else value for start, end, value in spans]
        good = took
        if failures.count(None) != n:
            good = [t for t, failure in zip(took, failures, strict=True) if failure is None]
            self.bad.add([t for t, failure in zip(took, failures, strict=True) if failure is not None])
        self.good.add(good)
        if dues.count(None) != n:
            late = zip(ends, dues, failures, strict=True)
            self.response.add([max(end - due, 0.0) for end, due, f in late if due is not None and f is None])
        self.bytes += sum(sizes)
        self.last = (ends[-1], took[-1])
        if len(self.slowest) < EXEMPLARS or max(took) > self.slowest[-1][0]:
            self.slowest = heapq.nlargest(EXEMPLARS, [*self.slowest, *zip(took, ends, strict=True)])

    @classmethod
    def sum_of(cls, many: Sequence[Series]) -> Series:
        """Return the sum of *many*, one of them itself if it is the only one."""
        return many[0] if len(many) == 1 else cls.merge_all(many)

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
