"""Which of several gets a turn, by weight: exact over any stretch, in an order of its own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from chaperon.errors import PlanError

MOST = 10_000
"""Turns after which a pattern must repeat."""


def whole(weights: Sequence[float]) -> list[int]:
    """Return weights as whole numbers in the same proportion; raises PlanError."""
    for weight in weights:
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
            raise PlanError(f"a weight must be a number above 0, got {weight!r}")
    parts = [Fraction(weight).limit_denominator(MOST) for weight in weights]
    common = lcm(*(part.denominator for part in parts))
    scaled = [int(part * common) for part in parts]
    shared = gcd(*scaled)
    found = [n // shared for n in scaled] if shared else [0]
    if not all(found) or sum(found) > MOST:
        raise PlanError(f"weights {tuple(weights)!r} are too far apart: keep them within 1 to {MOST:,}")
    return found


def pattern(weights: Sequence[float]) -> tuple[int, ...]:
    """Return whose turn it is, by place in *weights*, until it repeats. Raises PlanError.

    Turns of one are as far apart as can be, so that any stretch is within one of its share:
    the smooth weighted round robin of nginx.
    """
    counts = whole(weights)
    total = sum(counts)
    owed = [0] * len(counts)
    turns = []
    for _ in range(total):
        owed = [debt + count for debt, count in zip(owed, counts, strict=True)]
        turn = max(range(len(owed)), key=owed.__getitem__)
        owed[turn] -= total
        turns.append(turn)
    return tuple(turns)
