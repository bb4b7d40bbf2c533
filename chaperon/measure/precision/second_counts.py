"""The samples of a series in one second, and how many of each second exceed some values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from chaperon.measure.precision.centroids import NONE, Centroids

Times = Literal["service", "response", "all", "bad"]
"""A population of samples: good and censored ones by service or by response time, all of them, or bad ones alone."""


class SecondCounts:
    """By second: the number of samples, and how many of them are greater than each of *bounds*.

    *step* is the number of seconds that stand together, at most.
    """

    __slots__ = ("_place", "above", "bounds", "counts", "seconds", "step")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = list(bounds)
        self.step = 1
        self.seconds: list[int] = []
        self.counts: list[float] = []
        self.above: list[list[float]] = []
        self._place: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<SecondCounts of {len(self.seconds)} seconds>"

    def add(self, at: int, step: int, count: float, above: list[float]) -> None:
        """Add the samples of the *step* seconds from second *at* on: their number, and those above each bound."""
        if step > self.step:
            self.step = step
        place = self._place.get(at)
        if place is None:
            self._place[at] = len(self.seconds)
            self.seconds.append(at)
            self.counts.append(count)
            self.above.append(above)
            return
        self.counts[place] += count
        known = self.above[place]
        for number, more in enumerate(above):
            known[number] += more


class SeriesSecond(NamedTuple):
    """The samples of one series in the *step* seconds from second *at* of the run.

    *good* and *response*: the samples without an error, by service and by response time.
    *censored*, *response_censored*: the number of samples cut before they ended. *bad*: the
    number of samples that ended in an error, *bad_times* their service times.
    """

    at: int
    good: Centroids
    censored: int
    response: Centroids
    response_censored: int
    bad: int = 0
    step: int = 1
    bad_times: Centroids = NONE

    def counted(self, of: Times) -> tuple[tuple[Centroids, ...], int]:
        """Return the times of a population of samples, and how many more were cut before they ended."""
        match of:
            case "response":
                return (self.response,), self.response_censored
            case "bad":
                return (self.bad_times,), 0
            case "all":
                return (self.good, self.bad_times), self.censored
            case "service":
                return (self.good,), self.censored

    def count_in(self, into: SecondCounts, of: Times) -> None:
        """Add the samples of a population *of* this second to *into*.

        A censored sample counts as above every value: it is only known that it took longer than
        until it was cut.
        """
        parts, cut = self.counted(of)
        count = cut + sum([part.count for part in parts])
        if count:
            # 0.0: a sum of floats alone, for the compiler
            above = [cut + sum([part.above(bound) for part in parts], 0.0) for bound in into.bounds]
            into.add(self.at, self.step, count, above)
