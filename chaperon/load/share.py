"""One n-th of a load, a stride: shares add up to the whole by construction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from chaperon.load.kinds.load import Load, Shaped
from chaperon.load.phases import Phases, phases


@dataclass(frozen=True, slots=True)
class Share:
    """Stride *index* of *of* of one leg of the load of an entry.

    Whoever takes it over from another goes on where that one was: *start* arrivals of the
    stride were taken before, and *rows* unique rows. *at* is the offset from which its load
    counts; it is leg number *leg* of *legs* of the entry, and number *place* of all *total*
    shares of the run.
    """

    entry: int
    label: str
    load: Shaped
    seed: int = 0
    index: int = 0
    of: int = 1
    start: int = 0
    rows: int = 0
    place: int = 0
    total: int = 1
    at: float = 0.0
    leg: int = 0
    legs: int = 1
    phases: Phases = field(default_factory=Phases, compare=False)

    @property
    def name(self) -> str:
        """The share as it stands in a window's progress."""
        return f"{self.entry}{f'.{self.leg}' if self.leg else ''}:{self.index}/{self.of}"

    @property
    def source(self) -> str:
        """What its chance depends on, whoever performs it."""
        return f"{self.seed}/{self.entry}{f'.{self.leg}' if self.leg else ''}"

    @property
    def until(self) -> float | None:
        """The offset of the run from which no visit of it starts, or None."""
        end = self.load.until
        return None if end is None else self.at + end

    def unique(self, number: int) -> int:
        """Return a number of this leg, of a user or an arrival, as one that no other leg of the entry has."""
        return number * self.legs + self.leg


def deal(loads: Sequence[tuple[str, Load]], n: int = 1, *, seed: int = 0, warmup: float = 0.0) -> list[Share]:
    """Return *n* shares of each leg of each (label, load), fewer where one has fewer users.

    What is due in the first *warmup* seconds is warm-up.
    """
    shares = []
    for entry, (label, load) in enumerate(loads):
        legs = load.legs
        for leg, ((at, shaped), named) in enumerate(zip(legs, phases(load, warmup), strict=True)):
            of = min(n, shaped.share_limit(n))
            shares += [
                Share(entry, label, shaped, seed, index, of, at=at, leg=leg, legs=len(legs), phases=named)
                for index in range(of)
            ]
    return [replace(share, place=place, total=len(shares)) for place, share in enumerate(shares)]


ShareState = Literal["going", "done", "returned"]


class ShareProgress:
    """A share as somebody performs it: how far it has come.

    *load* is the share's, as it was bent since. *taken* counts the arrivals of its stride
    that are past, those before its *start* too, *rows* likewise the unique rows. What was due
    before the moment *since* is lost. It is *alive* as long as greenlets are at it, *handed*
    over once none of them will begin a visit.
    """

    __slots__ = ("alive", "ended", "handed", "load", "name", "released", "rows", "share", "since", "taken")

    def __init__(self, share: Share, *, since: float = -math.inf) -> None:
        self.share = share
        self.name = share.name
        self.since = since
        self.load = share.load
        self.taken = share.start
        self.rows = share.rows
        self.ended = 0
        self.alive = 0
        self.released = False
        self.handed = False

    def __repr__(self) -> str:
        return f"<ShareProgress {self.share.name}, {self.standing}>"

    @property
    def standing(self) -> ShareState:
        """Whether it is going on, done to its end, or was given back when it was released."""
        if self.handed or (self.released and not self.alive):
            return "returned"
        return "going" if self.alive else "done"
