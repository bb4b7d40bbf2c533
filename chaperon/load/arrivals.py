"""When each visit is due: pure arithmetic, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import sqrt
from random import Random
from typing import NamedTuple

from chaperon.load.profile import Iterations, Rate, Users


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


def offsets(load: Rate, index: int = 0, of: int = 1) -> Iterator[tuple[int, float]]:
    """Yield (number, seconds from the start) of every *of*-th arrival, from number *index*.

    On a ramp the rate grows linearly, so arrival i is due where the area under it is i.
    """
    ramping = load.n * load.ramp / (2 * load.per)
    for i in count(index, of):
        if i < ramping:
            at = sqrt(2 * i * load.ramp * load.per / load.n)
        else:
            at = load.ramp + (i - ramping) * load.per / load.n
        if at >= load.until - 1e-9:
            return
        yield i, at


def starts(load: Users | Iterations, index: int = 0, of: int = 1) -> Iterator[tuple[int, float]]:
    """Yield (user, seconds from the start) of every *of*-th user: evenly over the ramp."""
    crowd = load.n if isinstance(load, Users) else load.users
    for user in range(index, crowd, of):
        yield user, user * load.ramp / crowd


def numbers(load: Iterations, index: int = 0, of: int = 1) -> Iterator[int]:
    """Yield the iterations of one share: those of its users, i going to user i modulo the users."""
    return (i for i in range(load.n) if i % load.users % of == index)


def chance(*parts: object) -> Random:
    """Return a random source that depends on *parts* alone, whoever asks and in what order."""
    return Random("/".join(map(str, parts)))
