"""Weighted choice without sampling error: exact in every round, shuffled by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gcd, lcm

from chaperon.errors import PlanError
from chaperon.load.arrivals import seeded_random

MOST = 1_000
"""Most turns of a round."""


def whole(weights: Sequence[float]) -> list[int]:
    """Return weights as the smallest integers in the same proportion. Raises PlanError if invalid or too far apart."""
    for weight in weights:
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
            raise PlanError(f"a weight must be a number above 0, got {weight!r}")
    from fractions import Fraction  # late: few runs have weights, and it imports decimals

    parts = [Fraction(weight).limit_denominator(MOST) for weight in weights]
    common = lcm(*(part.denominator for part in parts))
    scaled = [int(part * common) for part in parts]
    shared = gcd(*scaled)
    found = [n // shared for n in scaled] if shared else [0]
    if not all(found) or sum(found) > MOST:
        raise PlanError(f"weights {tuple(weights)!r} are too far apart: keep them within 1 to {MOST:,}")
    return found


def choose_in_turn(counts: Sequence[int], number: int, *luck: object) -> int:
    """Return the index in *counts* that turn *number* belongs to; in each round of sum(counts) turns, i gets counts[i].

    Each round is shuffled anew, seeded by *luck*. A fixed order could coincide with the strides of the shares.
    """
    among, place = divmod(number, sum(counts))
    return _round(tuple(counts), among, *luck)[place]


@lru_cache(maxsize=256)
def _round(counts: tuple[int, ...], among: int, *luck: object) -> tuple[int, ...]:
    turns = [place for place, count in enumerate(counts) for _ in range(count)]
    seeded_random(*luck, among, "round").shuffle(turns)
    return tuple(turns)
