"""The named phases of a load over time: pure arithmetic. Offsets are in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from chaperon.load.curve import Segment
from chaperon.load.kinds.load import Load, LoadPart
from chaperon.measure.sample import STEADY, WARM_UP

STAGES = 40
"""If a track has more stages of one kind than this, they share one name."""


class Stage(NamedTuple):
    """A part of one leg, between the offsets *at* and *end* of the run, with the levels at both."""

    phase: str
    at: float
    end: float
    low: float
    high: float


class Phases:
    """The phases of one leg."""

    __slots__ = ("_bounds", "_names", "stages")

    def __init__(self, stages: Sequence[Stage] = ()) -> None:
        self.stages = tuple(stages)
        self._bounds = [stage.at for stage in stages]
        self._names = [stage.phase for stage in stages] or [STEADY]

    def name_at(self, offset: float) -> str:
        """Return the name of the phase at *offset* of the run; before the first stage, the name of the first."""
        names = self._names
        return names[0] if len(names) == 1 else names[max(bisect_right(self._bounds, offset) - 1, 0)]

    def within(self, since: float, until: float) -> dict[str, float]:
        """Return how many seconds each phase lasts between two offsets."""
        spans: dict[str, float] = {}
        for phase, at, end, _, _ in self.stages:
            span = min(end, until) - max(at, since)
            if span > 0.0:
                spans[phase] = spans.get(phase, 0.0) + span
        return spans


def phases(load: Load, warmup: float = 0.0) -> list[Phases]:
    """Return the phases of each leg of a load. The first *warmup* seconds of the run are warm-up.

    A piece of a curve with a phase of its own has that name. Otherwise a kind of stage that occurs
    once in a track names its phase: "steady". If it occurs more often the level is added, "steady
    at 200/s", and a number if that name occurs again.
    """
    return [found for track in load.tracks() for found in _track(track, warmup)]


def _track(legs: Sequence[LoadPart], warmup: float) -> list[Phases]:
    ends = [max(warmup, leg.at + leg.load.warmup if leg.load.warmup else 0.0) for leg in legs]
    kinds = Counter(
        [s.kind for leg, end in zip(legs, ends, strict=True) for s in leg.load.curve.segments if leg.at + s.end > end]
    )
    seen: Counter[str] = Counter()
    found = []
    for leg, end in zip(legs, ends, strict=True):
        stages = []
        for s in leg.load.curve.segments:
            at, until = leg.at + s.at, leg.at + s.end
            if at < end:
                middle = min(end, until)
                stages.append(Stage(WARM_UP, at, middle, s.low, s.level(middle - leg.at)))
                at = middle
            if at < until:
                stages.append(Stage(_name(s, leg, kinds, seen), at, until, s.level(at - leg.at), s.high))
        found.append(Phases(stages))
    return found


def _name(segment: Segment, leg: LoadPart, kinds: Counter[str], seen: Counter[str]) -> str:
    if segment.phase:
        return segment.phase
    name = segment.kind
    if name == "pause" or not 1 < kinds[name] <= STAGES:
        return name
    name = f"{name} {'at' if name == 'steady' else 'to'} {segment.high:g}{leg.load.short_unit}"
    seen[name] += 1
    return name if seen[name] == 1 else f"{name} ({seen[name]})"
