"""A level over time, in straight pieces: pure arithmetic."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

CLOSE = 1e-9
"""What rounding may take from a level, an area or a moment."""


class Piece(NamedTuple):
    """A stretch of *span* seconds towards the level *to*; *since* None begins where the one before ended."""

    span: float
    to: float
    since: float | None = None


class Segment(NamedTuple):
    """A piece in its place: from the offset *at* the level goes from *low* to *high* in *span* seconds.

    *area* is what lies under the curve before it.
    """

    at: float
    span: float
    low: float
    high: float
    area: float

    @property
    def end(self) -> float:
        """The offset from which the next segment counts."""
        return self.at + self.span

    @property
    def size(self) -> float:
        """The area under this segment."""
        return 0.0 if self.low == self.high == 0.0 else (self.low + self.high) / 2 * self.span

    @property
    def kind(self) -> str:
        """What it is called: "ramp", "steady", "ramp-down", or "pause" where nothing is to be sent."""
        if self.low == self.high:
            return "steady" if self.high else "pause"
        return "ramp" if self.high > self.low else "ramp-down"

    def level(self, offset: float) -> float:
        """Return the level at an offset within the segment."""
        if self.low == self.high:
            return self.low
        return self.low + (self.high - self.low) * (offset - self.at) / self.span

    def when(self, area: float) -> float:
        """Return the offset at which the area under the whole curve comes to *area*."""
        left = max(area - self.area, 0.0)
        if self.low == self.high:
            return self.at + left / self.low if self.low else self.at
        slope = (self.high - self.low) / self.span
        root = self.low + math.sqrt(max(self.low * self.low + 2 * slope * left, 0.0))
        return self.at + (2 * left / root if root else 0.0)


class UserInterval(NamedTuple):
    """A user is there from the offset *on*, and begins no visit from *off* on; None: for as long as it likes."""

    user: int
    on: float
    off: float | None


@dataclass(frozen=True)
class Curve:
    """Segments end to end from offset 0; the level is users, or visits a second."""

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Curve:
        """Put pieces end to end; those of no length only set the level from which the next one begins."""
        segments: list[Segment] = []
        at = area = level = 0.0
        for span, to, since in pieces:
            low = level if since is None else since
            level = to
            if span > 0.0:
                segment = Segment(at, span, low, to, area)
                segments.append(segment)
                at, area = at + span, area + segment.size
        return cls(tuple(segments))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The segments as pieces again."""
        return tuple(Piece(s.span, s.high, s.low) for s in self.segments)

    @property
    def until(self) -> float:
        """The offset at which it ends, which may be infinite."""
        return self.segments[-1].end if self.segments else 0.0

    @property
    def area(self) -> float:
        """All that lies under it."""
        return self.segments[-1].area + self.segments[-1].size if self.segments else 0.0

    @property
    def peak(self) -> float:
        """The highest level."""
        return max((max(s.low, s.high) for s in self.segments), default=0.0)

    def level(self, offset: float) -> float:
        """Return the level at an offset; nothing outside the curve."""
        place = bisect_right([s.at for s in self.segments], offset) - 1
        if place < 0 or offset >= self.segments[place].end:
            return 0.0
        return self.segments[place].level(offset)

    def scaled(self, changes: Sequence[tuple[float, float]]) -> Curve:
        """Return the curve times a factor that changes: *changes* are (offset, factor from there on), in order."""
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
                yield Piece(end - at, high * factor, s.level(at) * factor)

    def cut(self, until: float) -> Curve:
        """Return the curve up to the offset *until*."""
        return Curve.of(self._between(0.0, until))

    def spells(self) -> Iterator[UserInterval]:
        """Yield when each user is there: whenever the level is above the user's number; in the order of their ends.

        Those that are there are always the first so many, so that each coming and each going
        is looked at once.
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
