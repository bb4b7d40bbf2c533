"""Curve: a piecewise linear level over time. Pure arithmetic; offsets and spans are in seconds."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass

CLOSE = 1e-9
"""Tolerance for rounding errors of a level, an area or a moment."""


class Piece(NamedTuple):
    """A linear change to the level *to* within *span* seconds, from *since* or, if None, from the previous level.

    *phase* is the phase of the report it belongs to; without one its form and level name it.
    """

    span: float
    to: float
    since: float | None = None
    phase: str = ""


class Segment(NamedTuple):
    """A piece with its position: from the offset *at* the level changes from *low* to *high* in *span* seconds.

    *area* is the area under the curve before the segment, *phase* as in `Piece`.
    """

    at: float
    span: float
    low: float
    high: float
    area: float
    phase: str = ""

    @property
    def end(self) -> float:
        """The offset at which the segment ends (exclusive)."""
        return self.at + self.span

    @property
    def size(self) -> float:
        """The area under this segment."""
        return 0.0 if self.low == self.high == 0.0 else (self.low + self.high) / 2 * self.span

    @property
    def kind(self) -> str:
        """The name of the segment's form: "ramp", "steady", "ramp-down", or "pause" at level 0."""
        if self.low == self.high:
            return "steady" if self.high else "pause"
        return "ramp" if self.high > self.low else "ramp-down"

    def level(self, offset: float) -> float:
        """Return the level at an offset within the segment."""
        if self.low == self.high:
            return self.low
        return self.low + (self.high - self.low) * (offset - self.at) / self.span

    def when(self, area: float) -> float:
        """Return the offset at which the area under the whole curve reaches *area*, assumed to lie in this segment."""
        left = max(area - self.area, 0.0)
        if self.low == self.high:
            return self.at + left / self.low if self.low else self.at
        slope = (self.high - self.low) / self.span
        root = self.low + math.sqrt(max(self.low * self.low + 2 * slope * left, 0.0))
        return self.at + (2 * left / root if root else 0.0)


class UserInterval(NamedTuple):
    """The interval in which a user is active: it starts visits from offset *on* until *off*, without end if None."""

    user: int
    on: float
    off: float | None


@lazy_dataclass(frozen=True)
class Curve:
    """Consecutive segments from offset 0. The level is a number of users, or of arrivals per second."""

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Curve:
        """Return the curve of consecutive pieces. A piece with span 0 only sets the level at which the next starts."""
        segments: list[Segment] = []
        at = area = level = 0.0
        for span, to, since, phase in pieces:
            low = level if since is None else since
            level = to
            if span > 0.0:
                segment = Segment(at, span, low, to, area, phase)
                segments.append(segment)
                at, area = at + span, area + segment.size
        return cls(tuple(segments))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The segments as pieces, the inverse of `of`."""
        return tuple(Piece(s.span, s.high, s.low, s.phase) for s in self.segments)

    @property
    def until(self) -> float:
        """The offset at which the curve ends, possibly infinite."""
        return self.segments[-1].end if self.segments else 0.0

    @property
    def area(self) -> float:
        """The area under the whole curve."""
        return self.segments[-1].area + self.segments[-1].size if self.segments else 0.0

    @property
    def peak(self) -> float:
        """The highest level."""
        return max((max(s.low, s.high) for s in self.segments), default=0.0)

    def level(self, offset: float) -> float:
        """Return the level at an offset, 0 outside the curve."""
        place = bisect_right([s.at for s in self.segments], offset) - 1
        if place < 0 or offset >= self.segments[place].end:
            return 0.0
        return self.segments[place].level(offset)

    def area_between(self, since: float, until: float) -> float:
        """Return the area under the curve between two offsets, 0 where *until* is not after *since*."""
        return sum((p.since + p.to) / 2 * p.span for p in self._between(since, until) if p.since is not None)

    def scaled(self, changes: Sequence[tuple[float, float]]) -> Curve:
        """Return the curve multiplied by a factor over time. *changes* are (offset, factor from then on), sorted."""
        bounds = [(0.0, 1.0), *((max(at, 0.0), factor) for at, factor in changes), (math.inf, 1.0)]
        pieces: list[Piece] = []
        for (since, factor), (until, _) in pairwise(bounds):
            pieces += self._between(since, until, factor)
        return Curve.of(pieces)

    def _between(self, since: float, until: float, factor: float = 1.0) -> Iterator[Piece]:
        for s in self.segments:
            at, end = max(s.at, since), min(s.end, until)
            if at < end:
                high = s.high if end == s.end else s.level(end)
                yield Piece(end - at, high * factor, s.level(at) * factor, s.phase)

    def cut(self, until: float) -> Curve:
        """Return the curve up to the offset *until*."""
        return Curve.of(self._between(0.0, until))

    def user_intervals(self) -> Iterator[UserInterval]:
        """Yield the intervals in which each user is active, in order of their ends.

        User n is active while the level is above n. The active users are therefore always those
        with the lowest numbers, and each start and end is visited once.
        """
        on: list[float] = []
        for s in self.segments:
            while on and len(on) - 1 >= s.low - CLOSE:
                yield UserInterval(len(on) - 1, on.pop(), s.at)
            on += [s.at] * (math.ceil(s.low - CLOSE) - len(on))
            slope = (s.high - s.low) / s.span
            while slope > 0 and len(on) < s.high - CLOSE:
                on.append(max(s.at + (len(on) - s.low) / slope, s.at))
            while slope < 0 and on and len(on) - 1 >= s.high - CLOSE:
                yield UserInterval(len(on) - 1, on.pop(), s.at + (len(on) - s.low) / slope)
        end = None if math.isinf(self.until) else self.until
        while on:
            yield UserInterval(len(on) - 1, on.pop(), end)
