"""When each visit is due: pure arithmetic, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, takewhile
from math import ceil, log
from random import Random
from typing import NamedTuple, Protocol

from chaperon.load.curve import CLOSE, Curve, Segment, UserInterval

COUNTED = 2_000_000
"""Arrivals of a Poisson process beyond which they are not counted beforehand."""
WALKED = 20_000_000
"""Arrivals of a Poisson process beyond which they are not counted after a run either."""


class Scheduled(Protocol):
    """What the due times of an open load depend on: its curve, and whether distances are exponential."""

    @property
    def curve(self) -> Curve: ...

    @property
    def poisson(self) -> bool: ...


class Arrival(NamedTuple):
    """One visit that is to be made.

    *due* is a reading of the run's clock, None for closed loads. *number* counts the
    arrivals of the entry (open), its iterations, or the visits of the user (closed).
    """

    entry: int
    number: int
    user: int
    due: float | None = None
    phase: str = "steady"


def offsets(
    load: Scheduled, index: int = 0, of: int = 1, *, seed: object = 0, skip: int = 0
) -> Iterator[tuple[int, float]]:
    """Yield (number, seconds from the start) of every *of*-th arrival from number *index*, but for the first *skip*.

    Arrival i is due where the area under the curve comes to i; of a Poisson process, to
    the i-th sum of exponential distances drawn from *seed* alone (time-change theorem:
    Çinlar, "Introduction to Stochastic Processes", 4.7). So that a bent curve keeps every
    arrival that was due before the bend.
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
        at -= log(1.0 - draw())  # exponential; every share walks here, so it is written out
        yield at


def spells(curve: Curve, index: int = 0, of: int = 1) -> list[UserInterval]:
    """Return when each *of*-th user is there, from user *index*, in the order in which they come."""
    found = (spell for spell in curve.spells() if spell.user % of == index)
    return sorted(found, key=lambda spell: (spell.on, spell.user))


def planned_arrivals(load: Scheduled, *, seed: object = 0) -> int | None:
    """Return the number of arrivals in all, None for a Poisson process with more than `COUNTED`."""
    if not load.poisson:
        return max(ceil(_brink(load.curve.segments[-1])), 0) if load.curve.segments else 0
    return sum(1 for _ in offsets(load, seed=seed)) if load.curve.area < COUNTED else None


def arrivals_until(load: Scheduled, moment: float, *, seed: object = 0) -> int | None:
    """Return how many arrivals are due up to *moment*, in seconds from the start of the load.

    None for a Poisson process with more than `WALKED` arrivals, which takes too long to count.
    """
    most = load.curve.area
    if load.poisson:
        if not most < WALKED:
            return None
        return sum(1 for _ in takewhile(lambda arrival: arrival[1] <= moment, offsets(load, seed=seed)))
    low, high = 0, ceil(most) + 2  # arrivals are numbered in the order in which they are due
    while low < high:
        middle = (low + high) // 2
        found = next(offsets(load, middle, seed=seed), None)
        if found is None or found[1] > moment:
            high = middle
        else:
            low = middle + 1
    return low


def seeded_random(*parts: object) -> Random:
    """Return a random source that depends on *parts* alone, whoever asks and in what order."""
    return Random("/".join(map(str, parts)))
