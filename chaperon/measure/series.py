"""Series: the aggregated samples of one key."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

from chaperon.measure.precision.history import History
from chaperon.measure.sample import Row
from chaperon.measure.sketch import TOTAL, WINDOW, Sketch

EXEMPLARS: Final = 10
"""Slowest samples kept of each series."""


class Series:
    """Counts and sketches of the samples of one key, split by outcome. Times are in seconds.

    - *good*: samples without an error.
    - *bad*: samples that ended in an error.
    - *censored*: samples cut before they ended (timeout, interrupt); the value is the time until
      the cut.
    - *response*, *response_censored*: the good and the censored samples with a due time, measured
      from the due time. The latter also contains visits that were due and never started, which
      no other figure includes.
    - *bytes*: bytes received. *last*: (moment, value) of the newest sample.
    - *top*: the ten greatest values, greatest first, each followed by its moment: one array of
      numbers, since a master receives thousands of series a second. *slowest* are the same as pairs.
    - *history*: the same samples second by second, where they are kept.
    """

    __slots__ = ("bad", "bytes", "censored", "good", "history", "last", "response", "response_censored", "top")

    def __init__(self, centroids: int = WINDOW, parts: Sequence[Sketch] | None = None) -> None:
        if parts is None:
            parts = [Sketch(centroids) for _ in range(5)]
        self.good, self.bad, self.censored, self.response, self.response_censored = parts
        self.bytes = 0
        self.last: tuple[float, float] | None = None
        self.top = array("d")
        self.history: History | None = None

    @classmethod
    def of(
        cls,
        sketches: Sequence[Sketch],
        size: int,
        last: tuple[float, float] | None,
        top: array[float],
    ) -> Series:
        """Return a series made of its parts. The *sketches* are in the order of the property `sketches`."""
        series = Series(parts=sketches)
        series.bytes, series.last, series.top = size, last, top
        return series

    def __repr__(self) -> str:
        return f"<Series of {self.count}, {self.errors} in error>"

    @property
    def sketches(self) -> tuple[Sketch, Sketch, Sketch, Sketch, Sketch]:
        """The sketches: good, bad, censored, response, response_censored."""
        return self.good, self.bad, self.censored, self.response, self.response_censored

    @property
    def slowest(self) -> list[tuple[float, float]]:
        """The (value, moment) pairs of the ten greatest values, greatest first."""
        return list(zip(self.top[::2], self.top[1::2], strict=True))

    @property
    def count(self) -> int:
        """The number of samples, including errors but not visits that never started."""
        return self.good.count + self.bad.count + self.censored.count

    @property
    def errors(self) -> int:
        """The number of bad and censored samples."""
        return self.bad.count + self.censored.count

    @property
    def total(self) -> float:
        """The sum of the values, including errors."""
        return self.good.total + self.bad.total + self.censored.total

    def with_history(self, history: History | None) -> Series:
        """Return the same samples with another history. The sketches are shared, not copied."""
        series = Series.of(self.sketches, self.bytes, self.last, self.top)
        series.history = history
        return series

    def add(self, samples: Sequence[Row]) -> None:
        """Add a batch of samples, oldest first."""
        # mypyc: one pass over unboxed fields; the usual sample has no failure and no value
        good: list[float] = []
        bad: list[float] = []
        censored: list[float] = []
        response: list[float] = []
        response_censored: list[float] = []
        never_begun: list[float] = []
        highest: list[tuple[float, float]] = []
        floor = self.top[-2] if len(self.top) >= 2 * EXEMPLARS else -inf
        most = newest = newest_took = -inf
        size = 0
        for _, start, end, failure, received, due, value in samples:
            if failure is not None and not failure.begun:
                if due is not None:
                    never_begun.append(max(end - due, 0.0))
                continue
            took = end - start if value is None else value
            size += received
            newest, newest_took = end, took
            if took >= floor:
                highest.append((took, end))
                if took > most:
                    most = took
            if failure is None:
                good.append(took)
                if due is not None:
                    response.append(max(end - due, 0.0))
            elif failure.censored:
                censored.append(took)
                if due is not None:
                    response_censored.append(max(end - due, 0.0))
            else:
                bad.append(took)
        self.response_censored.add(never_begun)
        self.good.add(good)
        self.censored.add(censored)
        self.bad.add(bad)
        self.response.add(response)
        self.response_censored.add(response_censored)
        self.bytes += size
        if newest > -inf:
            self.last = (newest, newest_took)
        if most > floor:
            slowest = heapq.nlargest(EXEMPLARS, [*self.slowest, *highest])
            self.top = array("d", [number for pair in slowest for number in pair])

    @classmethod
    def sum_of(cls, many: Sequence[Series]) -> Series:
        """Return the sum of *many*; a single series is returned itself, not copied."""
        return many[0] if len(many) == 1 else cls.merge_all(many)

    @classmethod
    def merge_all(cls, many: Iterable[Series], centroids: int = TOTAL) -> Series:
        """Return a new series, the sum of *many*, merged in the order given."""
        parts = list(many)
        merged = Series(centroids)
        merged.good = Sketch.merge_all([p.good for p in parts], centroids)
        merged.bad = Sketch.merge_all([p.bad for p in parts], centroids)
        merged.censored = Sketch.merge_all([p.censored for p in parts], centroids)
        merged.response = Sketch.merge_all([p.response for p in parts], centroids)
        merged.response_censored = Sketch.merge_all([p.response_censored for p in parts], centroids)
        merged.bytes = sum(p.bytes for p in parts)
        merged.last = max((p.last for p in parts if p.last is not None), default=None)
        merged.top = _slowest([p.top for p in parts])
        merged.history = History.merge_all([p.history for p in parts])
        return merged


def _slowest(many: list[array[float]]) -> array[float]:
    """Return the ten greatest of all values with their moments, greatest first. So is each array of them in order."""
    filled = [each for each in many if each]
    bound = -inf  # at least ten values are as great
    if len(filled) > EXEMPLARS:
        bound = sorted([each[0] for each in filled])[-EXEMPLARS]
    for each in filled:
        if len(each) >= 2 * EXEMPLARS and each[2 * EXEMPLARS - 2] > bound:
            bound = each[2 * EXEMPLARS - 2]
    kept: list[tuple[float, float]] = []
    for each in filled:
        for place in range(0, len(each), 2):
            if each[place] < bound:
                break
            kept.append((each[place], each[place + 1]))
    return array("d", [number for pair in sorted(kept, reverse=True)[:EXEMPLARS] for number in pair])
