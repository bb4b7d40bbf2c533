"""Series: the aggregated samples of one key."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from math import inf
from struct import Struct
from typing import Final

from chaperon.measure.precision.history import History
from chaperon.measure.sample import Row
from chaperon.measure.sketch import TOTAL, WINDOW, Sketch

EXEMPLARS: Final = 10
"""Slowest samples kept of each series."""

_PAIR: Final = Struct("ff")
_GREATEST: Final = _PAIR.unpack_from


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
    - *slowest*: the ten greatest values, greatest first, as (value, moment) pairs.
    - *history*: the same samples second by second, where they are kept.
    """

    __slots__ = (
        "_began",
        "_packed_slowest",
        "_slowest",
        "bad",
        "bytes",
        "censored",
        "good",
        "history",
        "last",
        "response",
        "response_censored",
    )

    def __init__(self, centroids: int = WINDOW, parts: Sequence[Sketch] | None = None) -> None:
        if parts is None:
            parts = [Sketch(centroids) for _ in range(5)]
        self.good, self.bad, self.censored, self.response, self.response_censored = parts
        self.bytes = 0
        self.last: tuple[float, float] | None = None
        self.history: History | None = None
        self._slowest: list[tuple[float, float]] | None = None
        self._packed_slowest = b""  # kept as they came until they are needed: most are not, once they are merged
        self._began = 0.0

    @classmethod
    def of(
        cls,
        sketches: Sequence[Sketch],
        size: int,
        last: tuple[float, float] | None,
        slowest: bytes,
        began: float,
    ) -> Series:
        """Return a series made of its parts. The *sketches* are in the order of the property `sketches`.

        *slowest* are pairs of 32-bit floats: the greatest values, greatest first, each with its moment since *began*.
        """
        series = Series(parts=sketches)
        series.bytes, series.last, series._packed_slowest, series._began = size, last, slowest, began
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
        found = self._slowest
        if found is None:
            began = self._began
            pairs = _PAIR.iter_unpack(self._packed_slowest)
            found = self._slowest = [(value, moment + began) for value, moment in pairs]
        return found

    @property
    def _greatest(self) -> tuple[float, float]:
        """The first of the pairs `slowest`, of a series that has one."""
        if self._slowest is None:
            value, moment = _GREATEST(self._packed_slowest)
            return value, moment + self._began
        return self._slowest[0]

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
        series = Series.of(self.sketches, self.bytes, self.last, self._packed_slowest, self._began)
        series._slowest, series.history = self._slowest, history
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
        known = self.slowest
        floor = known[-1][0] if len(known) >= EXEMPLARS else -inf
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
            self._slowest = heapq.nlargest(EXEMPLARS, [*known, *highest])

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
        merged._slowest = _slowest(parts)
        merged.history = History.merge_all([p.history for p in parts])
        return merged


def _slowest(parts: list[Series]) -> list[tuple[float, float]]:
    """Return the ten greatest of all values with their moments, greatest first.

    They are in the ten parts that have the greatest first ones: pairs of the others are not made.
    """
    filled = [each for each in parts if each._slowest or each._packed_slowest]
    firsts = [each._greatest for each in filled]
    ranked = sorted(range(len(firsts)), key=firsts.__getitem__)[-EXEMPLARS:]
    if not ranked:
        return []
    bound = firsts[ranked[0]][0] if len(ranked) == EXEMPLARS else -inf  # ten values are as great
    kept: list[tuple[float, float]] = []
    for place in ranked:
        for pair in filled[place].slowest:
            if pair[0] < bound:
                break
            kept.append(pair)
    return sorted(kept, reverse=True)[:EXEMPLARS]
