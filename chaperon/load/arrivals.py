"""Due times of visits: pure arithmetic, without a clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, takewhile
from math import ceil, log
from random import Random
from typing import Protocol

from chaperon.load.curve import CLOSE, Curve, Segment, UserInterval

COUNTED = 2_000_000
"""Largest expected number of arrivals of a Poisson process that is counted exactly before a run."""
WALKED = 20_000_000
"""Largest expected number of arrivals of a Poisson process that is counted exactly after a run."""


class Scheduled(Protocol):
    """What the due times of an open load depend on: its curve, and whether it is a Poisson process."""

    @property
    def curve(self) -> Curve: ...

    @property
    def poisson(self) -> bool: ...


def offsets(
    load: Scheduled, index: int = 0, of: int = 1, *, seed: object = 0, skip: int = 0
) -> Iterator[tuple[int, float]]:
    """Yield (number, seconds from the start) of every *of*-th arrival from number *index*, after the first *skip*.

    Arrival i is due when the area under the curve reaches i; of a Poisson process, when it
    reaches the sum of i+1 exponential distances that depend on *seed* alone (time-change theorem:
    Çinlar, "Introduction to Stochastic Processes", 4.7). A live change of the curve therefore
    keeps every arrival that was due before it.
    """
    segments = load.curve.segments
    if not segments:
        return
    place, segment, brink = 0, segments[0], _brink(segments[0])
    last = len(segments) - 1
    end = load.curve.until - CLOSE
    for number, area in _areas(load, index + skip * of, of, seed):
        while area >= brink and place < last:
            place += 1
            segment = segments[place]
            brink = _brink(segment)
        if area >= brink:
            return
        at = segment.when(area)
        if at >= end:
            return
        yield number, at


def _brink(segment: Segment) -> float:
    whole = segment.area + segment.size
    return whole - CLOSE - 1e-14 * whole


def _areas(load: Scheduled, first: int, of: int, seed: object) -> Iterator[tuple[int, float]]:
    if not load.poisson:
        return ((i, float(i)) for i in count(first, of))
    return islice(enumerate(_distances(seed)), first, None, of)


def _distances(seed: object) -> Iterator[float]:
    draw, at = seeded_random(seed, "arrivals").random, 0.0
    while True:
        at -= log(1.0 - draw())  # Random.expovariate, inlined for speed
        yield at


def user_intervals(curve: Curve, index: int = 0, of: int = 1) -> list[UserInterval]:
    """Return the intervals in which every *of*-th user from user *index* is active, in order of their start."""
    found = (interval for interval in curve.user_intervals() if interval.user % of == index)
    return sorted(found, key=lambda interval: (interval.on, interval.user))


def planned_arrivals(load: Scheduled, *, seed: object = 0) -> int | None:
    """Return the total number of arrivals, None for a Poisson process with `COUNTED` or more."""
    if not load.poisson:
        return max(ceil(_brink(load.curve.segments[-1])), 0) if load.curve.segments else 0
    return sum(1 for _ in offsets(load, seed=seed)) if load.curve.area < COUNTED else None


def arrivals_until(load: Scheduled, moment: float, *, seed: object = 0) -> int | None:
    """Return how many arrivals are due up to *moment*, in seconds from the start of the load.

    None for a Poisson process with `WALKED` or more arrivals, which takes too long to count.
    """
    most = load.curve.area
    if load.poisson:
        if not most < WALKED:
            return None
        return sum(1 for _ in takewhile(lambda arrival: arrival[1] <= moment, offsets(load, seed=seed)))
    low, high = 0, ceil(most) + 2  # bisection: arrivals are numbered in the order of their due times
    while low < high:
        middle = (low + high) // 2
        found = next(offsets(load, middle, seed=seed), None)
        if found is None or found[1] > moment:
            high = middle
        else:
            low = middle + 1
    return low


def seeded_random(*parts: object) -> Random:
    """Return a random source seeded by *parts* alone, so that results do not depend on process or order of calls."""
    return Random("/".join(map(str, parts)))
