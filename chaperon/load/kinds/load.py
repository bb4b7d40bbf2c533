"""Base classes of loads, and their combination one after another (`>>`) or in parallel (`|`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import ClassVar, NamedTuple, TypeVar

from chaperon.errors import PlanError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.curve import Curve, Piece
from chaperon.load.kinds.think import Between
from chaperon.measure.quantity import count_text

S = TypeVar("S", bound="Shaped")


class LoadPart(NamedTuple):
    """A leg of a combined load: a load with one curve, and the offset at which it starts, in seconds."""

    at: float
    load: Shaped


class Load:
    """The base class of all loads. `a >> b` runs b after a has ended, `a | b` runs both in parallel."""

    __slots__ = ()

    def __rshift__(self, other: Load) -> Load:
        return in_turn(self, other)

    def __or__(self, other: Load) -> Load:
        if not isinstance(other, Load):
            return NotImplemented
        return Beside((*_parts(self, Beside), *_parts(other, Beside)))

    @property
    def until(self) -> float | None:
        """The offset in seconds from which no visit is due, None if the load ends when its visits are made."""
        raise NotImplementedError

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        """Return the parallel tracks of the load, starting at offset *at*; a track is a list of consecutive legs."""
        raise NotImplementedError

    @property
    def legs(self) -> list[LoadPart]:
        """The legs of all tracks."""
        return [leg for track in self.tracks() for leg in track]

    def with_spans(self, hold: float | None = None, ramp: float | None = None) -> Load:
        """Return the load with another hold or ramp, in seconds. A load of several stages is cut off at *hold*.

        Raises PlanError if *ramp* is given and the load has several stages.
        """
        if ramp is not None:
            raise PlanError(f"a ramp of its own does not go with {self}: it has stages already")
        return self if hold is None else self.cut(hold)

    def cut(self, until: float) -> Load:
        """Return the load up to the offset *until*."""
        raise NotImplementedError

    def with_think(self, think: Between) -> Load:
        """Return the load with *think* as the pause between two visits of a user, unless it has one or needs none."""
        return self

    @property
    def silence(self) -> float | None:
        """The length of the load in seconds if it sends nothing (a pause), otherwise None."""
        return None

    def joined(self, other: Load) -> Load | None:
        """Return this load followed by *other* as one load with one curve, None if that is impossible."""
        return None

    def at_level_of(self, trial: Shaped) -> Shaped:
        """Return what a capacity search runs in place of this load: *trial*, a `rate`."""
        return trial


@lazy_dataclass(frozen=True)
class Shaped(Load):
    """A load with one curve. Its first *warmup* seconds are left out of the headline figures and of limits."""

    is_open: ClassVar[bool] = False
    """Whether visits are due on a schedule: a pause removes arrivals, and a new owner of a share counts missed ones."""
    unit: ClassVar[str] = "users"
    """What the level counts, as `chaperon plan` prints it."""
    short_unit: ClassVar[str] = " users"
    """What follows a level in the name of a phase."""
    lost_note: ClassVar[str]
    """The report's note on visits of a lost worker that no window has counted."""

    curve: Curve
    warmup: float = 0.0

    @property
    def has_plan(self) -> bool:
        """Whether the number of visits follows from the load, not from the speed of the target."""
        return True

    @property
    def row_users(self) -> int | None:
        """The number of users that take rows of a feed in turn, None where each visit has a number instead."""
        return None

    def share_limit(self, n: int) -> int:
        """Return the largest number of shares the load can be divided into, at least *n* if there is no limit."""
        return n

    def planned(self, *, seed: object = 0) -> int | None:
        """Return the number of planned visits, None where it depends on the target or is too long to count."""
        raise NotImplementedError

    def expected(self) -> int | None:
        """Return the approximate number of visits where `planned` is too long to count, None where it is unknown."""
        return None

    def due_by(self, stopped: float | None, original: Shaped, *, seed: object = 0) -> tuple[int, bool]:
        """Return the least number of visits due in a run, and whether it is exact.

        *stopped* is the offset, in seconds, at which the run was stopped, None if it ended by
        itself. *original* is this load before live changes, the same object without any.
        """
        raise NotImplementedError

    def schedule(self, skip: int = 0, *, seed: object = 0) -> Iterator[tuple[int, float]]:
        """Yield (number, offset in seconds) of each arrival from number *skip* on; nothing for a closed load."""
        return iter(())

    @property
    def visits_each(self) -> int:
        """The number of visits that one arrival of the schedule makes."""
        return 1

    def unmade(self, index: int, of: int, start: int, *, whole: bool) -> int:
        """Return how many visits without a schedule are left of share *index* of *of* after *start* visits.

        Without *whole*, visits that are only due once a user begins them do not count.
        """
        return 0

    @property
    def rests(self) -> dict[str, Between]:
        """The spans between two visits of a user that `chaperon plan` prints, by name."""
        return {}

    def describe(self, *, seed: object = 0) -> str:
        """Return in words what is sent, for `chaperon plan`."""
        raise NotImplementedError

    @property
    def until(self) -> float | None:
        return None if math.isinf(self.curve.until) else self.curve.until

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        return [[LoadPart(at, self)]]

    def with_spans(self, hold: float | None = None, ramp: float | None = None) -> Load:
        simple = _simple(self.curve)
        if simple is None:
            return super().with_spans(hold, ramp)
        rise, top, rest = simple
        return replace(self, curve=plain(top, rise if ramp is None else ramp, rest if hold is None else hold))

    def cut(self, until: float) -> Shaped:
        return self.following(self.curve.cut(until))

    def following(self: S, curve: Curve) -> S:
        """Return the same kind of load along another curve."""
        return replace(self, curve=curve)

    def joined(self, other: Load) -> Load | None:
        if other.silence is not None:
            return replace(self, curve=Curve.of((*self.curve.pieces, Piece(other.silence, 0.0, 0.0))))
        if not isinstance(other, Shaped) or other.warmup:
            return None
        if other != replace(self, curve=other.curve, warmup=0.0):
            return None  # another kind, or other options
        pieces = other.curve.pieces
        if pieces and pieces[0].since == 0.0 and pieces[0].to:  # a ramp continues from the level reached
            pieces = (pieces[0]._replace(since=None), *pieces[1:])
        return replace(self, curve=Curve.of((*self.curve.pieces, *pieces)))


@lazy_dataclass(frozen=True)
class Pause(Load):
    """A load that sends nothing for *span* seconds."""

    span: float

    @property
    def until(self) -> float:
        return self.span

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        return []

    def cut(self, until: float) -> Pause:
        return Pause(min(self.span, until))

    @property
    def silence(self) -> float:
        return self.span

    def joined(self, other: Load) -> Load | None:
        if other.silence is not None:
            return Pause(self.span + other.silence)
        if not isinstance(other, Shaped) or other.warmup:
            return None
        return replace(other, curve=Curve.of((Piece(self.span, 0.0, 0.0), *other.curve.pieces)))

    def __str__(self) -> str:
        return f"nothing for {self.span:g} s"


@lazy_dataclass(frozen=True)
class InTurn(Load):
    """Loads of different kinds, one after another."""

    parts: tuple[Load, ...]

    @property
    def until(self) -> float | None:
        ends = [part.until for part in self.parts]
        return None if ends[-1] is None else sum(end or 0.0 for end in ends)

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        legs = []
        for part in self.parts:
            legs += [leg for track in part.tracks(at) for leg in track]
            at += part.until or 0.0
        return [legs]

    def cut(self, until: float) -> Load:
        kept, at = [], 0.0
        for part in self.parts:
            if at < until:
                kept.append(part.cut(until - at))
            at += part.until or 0.0
        return InTurn(tuple(kept)) if len(kept) > 1 else kept[0]

    def with_think(self, think: Between) -> InTurn:
        return InTurn(tuple(part.with_think(think) for part in self.parts))

    def __str__(self) -> str:
        return ", then ".join(map(str, self.parts))


@lazy_dataclass(frozen=True)
class Beside(Load):
    """Loads in parallel, all starting at the same moment."""

    parts: tuple[Load, ...]

    @property
    def until(self) -> float | None:
        ends = [part.until for part in self.parts]
        return None if None in ends else max(end or 0.0 for end in ends)

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        return [track for part in self.parts for track in part.tracks(at)]

    def cut(self, until: float) -> Beside:
        return Beside(tuple(part.cut(until) for part in self.parts))

    def with_think(self, think: Between) -> Beside:
        return Beside(tuple(part.with_think(think) for part in self.parts))

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts))


def in_turn(first: Load, then: Load) -> Load:
    """Return *first* followed by *then*. Raises PlanError if the end of *first* is not known."""
    if not isinstance(then, Load):
        raise PlanError(f"what follows >> must be a load, such as rate(10, hold='1m'); got {then!r}")
    if first.until is None:
        raise PlanError(f"{first} before >> has no end that is known: give it hold=")
    *before, last = _parts(first, InTurn)
    following, *after = _parts(then, InTurn)
    return _sequence((*before, *_adjoined(last, following), *after))


def _adjoined(last: Load, following: Load) -> tuple[Load, ...]:
    """Return two consecutive loads joined into one, or both if their kinds cannot be joined."""
    joined = last.joined(following)
    return (last, following) if joined is None else (joined,)


def _sequence(parts: tuple[Load, ...]) -> Load:
    return parts[0] if len(parts) == 1 else InTurn(parts)


def _parts(load: Load, kind: type[InTurn] | type[Beside]) -> tuple[Load, ...]:
    return load.parts if isinstance(load, kind) else (load,)


def plain(top: float, ramp: float, hold: float | None) -> Curve:
    """Return a curve that rises from 0 to *top* in *ramp* seconds and stays there for *hold* (None: forever)."""
    return Curve.of((Piece(ramp, top), Piece(math.inf if hold is None else hold, top, top)))


def level_text(most: str, curve: Curve) -> str:
    """Return the text *most* of the highest level, with the number of stages if the curve has several.

    Consecutive segments with the same phase of their own are one stage.
    """
    if _simple(curve) is not None:
        return most
    stages = len(list(groupby(enumerate(curve.segments), lambda numbered: numbered[1].phase or numbered[0])))
    return f"up to {most} in {count_text(stages, 'stage')}" if stages > 1 else f"up to {most}"


def _simple(curve: Curve) -> tuple[float, float, float | None] | None:
    """Return (ramp, top, hold) of a curve that rises from 0 and then stays constant, None for any other."""
    segments = curve.segments
    if not segments or len(segments) > 2 or segments[-1].kind != "steady":
        return None
    last = segments[-1]
    if len(segments) == 2 and (segments[0].low != 0.0 or segments[0].high != last.low):
        return None
    return last.at, last.low, None if math.isinf(last.span) else last.span
