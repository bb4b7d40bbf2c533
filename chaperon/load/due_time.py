"""The time in which visits are due, as intervals of offsets of the run in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from chaperon.load.kinds.load import Shaped
from chaperon.load.share import Share
from chaperon.measure.sample import WARM_UP

Interval = tuple[float, float]


def due_intervals(share: Share, load: Shaped) -> list[Interval]:
    """Return the intervals in which visits of *share* are due, without warm-up. *load* includes live changes."""
    warm = max((stage.end for stage in share.phases.stages if stage.phase == WARM_UP), default=-math.inf)
    spans = [(share.at + s.at, share.at + s.end) for s in load.curve.segments if s.kind != "pause"]
    return [(max(at, warm), end) for at, end in spans if end > warm]


def length_within(intervals: Iterable[Interval], since: float, until: float, without: Sequence[Interval] = ()) -> float:
    """Return for how many seconds between two offsets the union of *intervals* holds, minus those of *without*."""
    clipped = sorted((max(at, since), min(end, until)) for at, end in intervals)
    edge, pieces = since, []
    for at, end in clipped:
        if end > max(at, edge):
            pieces.append((max(at, edge), end))
            edge = end
    covered = sum(end - at for at, end in pieces)
    for at, end in without:
        covered -= sum(max(min(end, until_) - max(at, since_), 0.0) for since_, until_ in pieces)
    return max(covered, 0.0)
