"""How much load, what shape, how long: plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypeVar

from chaperon.clock import seconds
from chaperon.errors import PlanError
from chaperon.load.curve import Curve, Piece


@dataclass(frozen=True, slots=True)
class Between:
    """A span drawn evenly from *low* to *high* seconds, each time anew."""

    low: float
    high: float

    def draw(self, chance: Random) -> float:
        """Return one span in seconds."""
        return self.low if self.low == self.high else chance.uniform(self.low, self.high)


def between(low: float | str, high: float | str) -> Between:
    """Return a random think time between two spans; raises PlanError if they are the wrong way round."""
    span = Between(seconds(low), seconds(high))
    if span.low > span.high:
        raise PlanError(f"between({low!r}, {high!r}) is the wrong way round: put the smaller span first")
    return span


Think = float | str | Between


def thinking(think: Think | None) -> Between | None:
    """Read a think time: a span, or what `between` returns."""
    if think is None or isinstance(think, Between):
        return think
    span = seconds(think)
    return Between(span, span)


S = TypeVar("S", bound="Shaped")


class LoadPart(NamedTuple):
    """One load without an inner order, from an offset of the whole."""

    at: float
    load: Shaped


class Load:
    """What every load can do: `a >> b` goes on with b when a is over, `a | b` makes both side by side."""

    __slots__ = ()

    def __rshift__(self, other: Load) -> Load:
        return in_turn(self, other)

    def __or__(self, other: Load) -> Load:
        if not isinstance(other, Load):
            return NotImplemented
        return Beside((*_parts(self, Beside), *_parts(other, Beside)))

    @property
    def until(self) -> float | None:
        """The offset from which no visit is due, or None where it ends when its visits are made."""
        raise NotImplementedError

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        """Return what goes on side by side from the offset *at*: of each track its legs in turn."""
        raise NotImplementedError

    @property
    def legs(self) -> list[LoadPart]:
        """All that it consists of."""
        return [leg for track in self.tracks() for leg in track]

    def held(self, hold: float | None = None, ramp: float | None = None) -> Load:
        """Return the load with another hold or ramp; one of several stages is cut off at *hold*.

        Raises PlanError where there is no one ramp to change.
        """
        if ramp is not None:
            raise PlanError(f"a ramp of its own does not go with {self}: it has stages already")
        return self if hold is None else self.cut(hold)

    def cut(self, until: float) -> Load:
        """Return the load up to the offset *until*."""
        raise NotImplementedError


@dataclass(frozen=True)
class Shaped(Load):
    """A load that follows one curve; *warmup* is how long of it counts to no headline, no limit."""

    curve: Curve
    warmup: float = 0.0

    @property
    def until(self) -> float | None:
        return None if math.isinf(self.curve.until) else self.curve.until

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        return [[LoadPart(at, self)]]

    def held(self, hold: float | None = None, ramp: float | None = None) -> Load:
        simple = _simple(self.curve)
        if simple is None:
            return super().held(hold, ramp)
        rise, top, rest = simple
        return replace(self, curve=plain(top, rise if ramp is None else ramp, rest if hold is None else hold))

    def cut(self, until: float) -> Shaped:
        return self.following(self.curve.cut(until))

    def following(self: S, curve: Curve) -> S:
        """Return the same kind of load along another curve."""
        return replace(self, curve=curve)

    def joined(self, other: Shaped) -> Shaped | None:
        """Return both as one curve, so that users stay from one to the other; None where they differ in kind."""
        if other.warmup or other != replace(self, curve=other.curve, warmup=0.0):
            return None
        pieces = other.curve.pieces
        if pieces and pieces[0].since == 0.0 and pieces[0].to:  # a ramp goes on from where the level is
            pieces = (pieces[0]._replace(since=None), *pieces[1:])
        return replace(self, curve=Curve.of((*self.curve.pieces, *pieces)))


@dataclass(frozen=True)
class Users(Shaped):
    """A closed load: the curve's level is how many users there are, each making visit after visit.

    *visits* is how many each of them makes before it leaves, None for as many as fit.
    *pacing* is from the beginning of one visit to that of the next, at least.
    """

    visits: int | None = None
    think: Between | None = None
    pacing: Between | None = None

    @property
    def n(self) -> int:
        """The most users there are at once."""
        return math.ceil(self.curve.peak - 1e-9)

    def held(self, hold: float | None = None, ramp: float | None = None) -> Load:
        return super(Users, self if hold is None else replace(self, visits=None)).held(hold, ramp)

    def __str__(self) -> str:
        crowd = f"{self.n:,} user{'s' if self.n != 1 else ''}"
        return _told(crowd, self.curve)


@dataclass(frozen=True)
class Rate(Shaped):
    """An open load: the curve's level is how many visits become due a second, whatever the target does.

    Evenly, or at random as a Poisson process. *fresh* arrivals bring a session of their
    own. Arrivals beyond *in_flight* visits at once are dropped.
    """

    fresh: bool = False
    poisson: bool = False
    in_flight: int | None = None

    def __str__(self) -> str:
        most = f"{self.curve.peak:g}/s"
        return _told(most, self.curve)


@dataclass(frozen=True)
class Iterations(Shaped):
    """A closed load of *n* visits in all, taken first come, first served by its users; or *n* of *each* user."""

    n: int = 1
    think: Between | None = None
    pacing: Between | None = None
    each: bool = False

    @property
    def users(self) -> int:
        """How many users share them."""
        return math.ceil(self.curve.peak - 1e-9)

    @property
    def total(self) -> int:
        """How many visits there are to be in all."""
        return self.n * self.users if self.each else self.n

    def joined(self, other: Shaped) -> None:
        return None  # each is a number of its own

    def __str__(self) -> str:
        return f"{self.total:,} iterations by {self.users:,} user{'s' if self.users != 1 else ''}"


@dataclass(frozen=True)
class Pause(Load):
    """Nothing for *span* seconds."""

    span: float

    @property
    def until(self) -> float:
        return self.span

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        return []

    def cut(self, until: float) -> Pause:
        return Pause(min(self.span, until))

    def __str__(self) -> str:
        return f"nothing for {self.span:g} s"


@dataclass(frozen=True)
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

    def __str__(self) -> str:
        return ", then ".join(map(str, self.parts))


@dataclass(frozen=True)
class Beside(Load):
    """Loads side by side, all from the same moment."""

    parts: tuple[Load, ...]

    @property
    def until(self) -> float | None:
        ends = [part.until for part in self.parts]
        return None if None in ends else max(end or 0.0 for end in ends)

    def tracks(self, at: float = 0.0) -> list[list[LoadPart]]:
        return [track for part in self.parts for track in part.tracks(at)]

    def cut(self, until: float) -> Beside:
        return Beside(tuple(part.cut(until) for part in self.parts))

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts))


def in_turn(first: Load, then: Load) -> Load:
    """Return *first* followed by *then*; raises PlanError where the first has no end that is known."""
    if not isinstance(then, Load):
        raise PlanError(f"what follows >> must be a load, such as rate(10, hold='1m'); got {then!r}")
    if first.until is None:
        raise PlanError(f"{first} before >> has no end that is known: give it hold=")
    *before, last = _parts(first, InTurn)
    following, *after = _parts(then, InTurn)
    return _sequence((*before, *_adjoined(last, following), *after))


def _adjoined(last: Load, following: Load) -> tuple[Load, ...]:
    """Make one curve of two neighbours where their kinds allow it."""
    if isinstance(last, Shaped) and isinstance(following, Shaped):
        joined = last.joined(following)
        return (last, following) if joined is None else (joined,)
    if isinstance(last, Pause) and isinstance(following, Pause):
        return (Pause(last.span + following.span),)
    if isinstance(last, Pause) and isinstance(following, Shaped) and not following.warmup:
        return (replace(following, curve=Curve.of((Piece(last.span, 0.0, 0.0), *following.curve.pieces))),)
    if isinstance(last, Shaped) and isinstance(following, Pause):
        return (replace(last, curve=Curve.of((*last.curve.pieces, Piece(following.span, 0.0, 0.0)))),)
    return (last, following)


def _sequence(parts: tuple[Load, ...]) -> Load:
    return parts[0] if len(parts) == 1 else InTurn(parts)


def _parts(load: Load, kind: type[InTurn] | type[Beside]) -> tuple[Load, ...]:
    return load.parts if isinstance(load, kind) else (load,)


def plain(top: float, ramp: float, hold: float | None) -> Curve:
    """Return a curve that rises to *top* in *ramp* seconds, then stays there for *hold*."""
    return Curve.of((Piece(ramp, top), Piece(math.inf if hold is None else hold, top, top)))


def _told(most: str, curve: Curve) -> str:
    if _simple(curve) is not None:
        return most
    return f"up to {most} in {len(curve.segments)} stages" if len(curve.segments) > 1 else f"up to {most}"


def _simple(curve: Curve) -> tuple[float, float, float | None] | None:
    """Return (ramp, top, hold) of a curve that only rises from nothing, then stays; else None."""
    segments = curve.segments
    if not segments or len(segments) > 2 or segments[-1].kind != "steady":
        return None
    last = segments[-1]
    if len(segments) == 2 and (segments[0].low != 0.0 or segments[0].high != last.low):
        return None
    return last.at, last.low, None if math.isinf(last.span) else last.span
