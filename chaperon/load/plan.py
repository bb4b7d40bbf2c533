"""How many visits loads make due, by what they are: pure arithmetic, apart from what was made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from chaperon.load.live_changes import LiveChanges
from chaperon.load.share import Share


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
        load = steering.load(share) or share.load
        offset = None if stopped is None else stopped - began - share.at
        least, exact = load.due_by(offset, share.load, seed=share.source)
        known = found.get(share.label, Due(0, True))
        found[share.label] = Due(known.least + least, known.exact and exact)
    return found
