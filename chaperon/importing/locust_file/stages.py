"""A curve of one level a second as the stages of a load."""

from __future__ import annotations

import math

from chaperon.errors import NotEvaluated

MOST_STAGES = 200
"""Stages of a curve; a curve of more is not carried over."""


def simplified(levels: list[float]) -> list[tuple[float, int]]:
    """Return straight pieces through *levels*, one a second, that are at most half a user or 1 % of the peak off."""
    most = max(0.5, max(levels) / 100)
    found: list[tuple[float, int]] = []
    start = 0
    while start < len(levels) - 1:
        end, low, high = start + 1, -math.inf, math.inf
        for at in range(start + 1, len(levels)):
            span = at - start
            slope = (levels[at] - levels[start]) / span
            low = max(low, (levels[at] - most - levels[start]) / span)
            high = min(high, (levels[at] + most - levels[start]) / span)
            if low <= slope <= high:
                end = at
            if low > high:
                break
        found.append((float(end - start), round(levels[end])))
        start = end
        if len(found) > MOST_STAGES:
            raise NotEvaluated(f"it has more than {MOST_STAGES} stages")
    if not found or not any(level for _, level in found):
        raise NotEvaluated("it starts no user")
    return found
