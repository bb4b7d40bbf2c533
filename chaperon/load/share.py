"""One n-th of a load, a stride: shares add up to the whole by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chaperon.load.profile import Iterations, Load, Users


@dataclass(frozen=True, slots=True)
class Share:
    """Stride *index* of *of* of the load of one entry.

    Whoever takes it over from another goes on where that one was: *start* arrivals of the
    stride were taken before, and *rows* unique rows. It is number *place* of all *total*
    shares of the run, whatever their entry.
    """

    entry: int
    label: str
    load: Load
    seed: int = 0
    index: int = 0
    of: int = 1
    start: int = 0
    rows: int = 0
    place: int = 0
    total: int = 1

    @property
    def name(self) -> str:
        """The share as it stands in a window's progress."""
        return f"{self.entry}:{self.index}/{self.of}"


def deal(loads: Sequence[tuple[str, Load]], n: int = 1, *, seed: int = 0) -> list[Share]:
    """Return *n* shares of each (label, load), fewer where a load has fewer users."""
    shares = []
    for entry, (label, load) in enumerate(loads):
        most = load.n if isinstance(load, Users) else load.users if isinstance(load, Iterations) else n
        of = min(n, most)
        shares += [Share(entry, label, load, seed, index, of) for index in range(of)]
    return [replace(share, place=place, total=len(shares)) for place, share in enumerate(shares)]


Standing = Literal["going", "done", "returned"]


class Holding:
    """A share as somebody performs it: how far it has come.

    *taken* counts the arrivals of its stride that are past, those before its *start* too;
    *rows* likewise the unique rows; *alive* greenlets are at it.
    """

    __slots__ = ("alive", "ended", "released", "rows", "share", "taken")

    def __init__(self, share: Share) -> None:
        self.share = share
        self.taken = share.start
        self.rows = share.rows
        self.ended = 0
        self.alive = 0
        self.released = False

    def __repr__(self) -> str:
        return f"<Holding {self.share.name}, {self.standing}>"

    @property
    def standing(self) -> Standing:
        """Whether it is going on, done to its end, or was given back when it was released."""
        if self.alive:
            return "going"
        return "returned" if self.released else "done"
