"""What limits speak of, for the caps on names, tags and error classes."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.measure.sample import Key, Reserved
from chaperon.report.limits.limits import Limit


def reserved_by(limits: Sequence[Limit]) -> Reserved:
    """Return what must be counted by itself for the *limits* to be evaluated, by any reading of their texts."""
    readings = [each for limit in limits for each in (limit.selection, *limit.readings)]
    named = [each._replace(tags=()) for each in readings if each.series is not None]

    def covers(key: Key) -> bool:
        return any(each.covers(key) for each in named)

    return Reserved(
        covers,
        frozenset(pair for each in readings for pair in each.tags),
        frozenset(each.error for each in readings if each.error is not None),
    )
