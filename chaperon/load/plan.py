"""How many visits loads make due, by what they are: pure arithmetic, apart from what was made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from chaperon.load.arrivals import offsets
from chaperon.load.kinds import Iterations, Rate, Shaped, Users
from chaperon.load.live_changes import LiveChanges
from chaperon.load.share import Share

WALKED = 20_000_000
"""Arrivals of a Poisson process beyond which they are not walked through once more."""

CLOSE_TO_STOP = 1e-6
"""Seconds before a stop from which on it is left open whether an arrival was due: clocks round."""


class Due(NamedTuple):
    """How many visits of a scenario were due: at *least* so many, or, where it is *exact*, neither more nor fewer.

    What a closed load with an end makes due is for its target to say, so that only its other
    legs are counted here.
    """

    least: int
    exact: bool


def due_visits(
    shares: Iterable[Share], steering: LiveChanges, *, stopped: float | None, began: float = 0.0
) -> dict[str, Due]:
    """Return how many visits were due by scenario label, from the loads that *shares* are of.

    *steering* is how they were scaled and paused. The run was *stopped* at that reading of the
    clock on which it *began*, in seconds, or ended by itself (None). Arrivals of an open load
    are due until a microsecond before that. Iterations are due in any case: those that are not begun are dropped.
    Users without an end make one visit each, unless the run was stopped or they were scaled.
    """
    found: dict[str, Due] = {}
    for share in {(share.entry, share.leg): share for share in shares}.values():
        steered = steering.load(share)
        least, exact = _due(share, steered, None if stopped is None else stopped - began - share.at)
        known = found.get(share.label, Due(0, True))
        found[share.label] = Due(known.least + least, known.exact and exact)
    return found


def _due(share: Share, steered: Shaped | None, stopped: float | None) -> tuple[int, bool]:
    load = steered or share.load
    if isinstance(load, Rate):
        moment = math.inf if stopped is None else stopped - CLOSE_TO_STOP
        exact = steered is None and stopped is None and not (load.poisson and load.curve.area >= WALKED)
        return arrivals_until(load, moment, seed=share.source), exact
    if isinstance(load, Iterations):
        return (load if load.each else share.load).total, steered is None  # type: ignore[attr-defined]
    if isinstance(load, Users) and load.until is None and load.visits == 1 and stopped is None and steered is None:
        return sum(1 for _ in load.curve.spells()), True
    return 0, False


def arrivals_until(load: Rate, moment: float, *, seed: object = 0) -> int:
    """Return how many arrivals of an open load are due up to *moment*, in seconds from its start."""
    most = load.curve.area
    if load.poisson:
        if not most < WALKED:
            return 0
        count = 0
        for _, at in offsets(load, seed=seed):
            if at > moment:
                break
            count += 1
        return count
    low, high = 0, math.ceil(most) + 2  # arrivals are numbered in the order in which they are due
    while low < high:
        middle = (low + high) // 2
        found = next(offsets(load, middle, seed=seed), None)
        if found is None or found[1] > moment:
            high = middle
        else:
            low = middle + 1
    return low
