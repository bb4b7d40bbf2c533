"""For how long visits are due: intervals of offsets of the run, in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from chaperon.load.kinds.load import Shaped
from chaperon.load.share import Share
from chaperon.measure.sample import WARM_UP

Interval = tuple[float, float]


def due_intervals(share: Share, load: Shaped) -> list[Interval]:
    """Return when visits of a *share* are due that are no warm-up; *load* is its load as it was changed since."""
    warm = max((stage.end for stage in share.phases.stages if stage.phase == WARM_UP), default=-math.inf)
    spans = [(share.at + s.at, share.at + s.end) for s in load.curve.segments if s.kind != "pause"]
    return [(max(at, warm), end) for at, end in spans if end > warm]


def length_within(intervals: Iterable[Interval], since: float, until: float, without: Sequence[Interval] = ()) -> float:
    """Return how much of the time between two offsets at least one of the *intervals* covers, none of *without*."""
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
