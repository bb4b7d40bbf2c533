"""The number of visits due, computed from the loads alone to check the counts of a run: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from chaperon.load.kinds.iterations import Iterations
from chaperon.load.kinds.users import Users
from chaperon.load.live_changes import LiveChanges
from chaperon.load.share import Share


class Due(NamedTuple):
    """The number of visits of a scenario that were due: at least *least*, or exactly that if *exact*.

    The visits of a closed load with an end depend on the target's speed. They are not counted here.
    """

    least: int
    exact: bool


def levels_at(shares: Iterable[Share], live_changes: LiveChanges, offset: float) -> dict[str, float]:
    """Return what is asked for at *offset* of the run, in seconds, by unit: {"visits/s": 50.0, "users": 20.0}.

    *shares* are whole loads, undivided. A load that has not begun, or has ended, has no level.
    """
    found: dict[str, float] = {}
    for share in shares:
        load = live_changes.load(share) or share.load
        end = load.until
        if share.at <= offset and (end is None or offset < share.at + end):
            found[load.unit] = found.get(load.unit, 0.0) + load.curve.level(offset - share.at)
    return found


def most_users(shares: Iterable[Share]) -> int:
    """Return the highest number of users that closed loads keep at once; *shares* are whole loads, undivided."""
    closed = []
    for share in shares:
        load = share.load
        if isinstance(load, (Users, Iterations)):
            end = math.inf if share.until is None else share.until
            closed.append((share.at, end, load.n if isinstance(load, Users) else load.users))
    return max([sum(n for at, end, n in closed if at <= moment < end) for moment, _, _ in closed], default=0)


def due_visits(
    shares: Iterable[Share], live_changes: LiveChanges, *, stopped: float | None, began: float = 0.0
) -> dict[str, Due]:
    """Return the number of visits due, by scenario label, of the loads that *shares* belong to.

    *live_changes* holds the live changes. *began* and *stopped* are readings of one clock in seconds;
    *stopped* is None if the run ended by itself. Arrivals of an open load are due until one
    microsecond before *stopped*. Iterations are always due: those not started are dropped. Users
    without an end make one visit each, unless the run was stopped or they were scaled.
    """
    found: dict[str, Due] = {}
    for share in {(share.entry, share.leg): share for share in shares}.values():
        load = live_changes.load(share) or share.load
        offset = None if stopped is None else stopped - began - share.at
        least, exact = load.due_by(offset, share.load, seed=share.source)
        known = found.get(share.label, Due(0, True))
        found[share.label] = Due(known.least + least, known.exact and exact)
    return found
