"""Share: one n-th of a load, a stride of its arrivals or users. The shares of a load add up to the whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import Literal

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.load import Load, Shaped
from chaperon.load.phases import Phases, phases


@lazy_dataclass(frozen=True, slots=True)
class Share:
    """Stride *index* of *of* of one leg of an entry's load.

    An engine that takes a share over from another resumes after *start* arrivals of the stride
    and *rows* unique rows. *at* is the offset of the run, in seconds, at which the leg starts. The
    leg is number *leg* of *legs* of the entry, and the share number *place* of *total* of the run.
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
        """The key of the share in a window's progress."""
        return f"{self.entry}{f'.{self.leg}' if self.leg else ''}:{self.index}/{self.of}"

    @property
    def source(self) -> str:
        """The seed of its random numbers. It does not depend on the engine that performs the share."""
        return f"{self.seed}/{self.entry}{f'.{self.leg}' if self.leg else ''}"

    @property
    def until(self) -> float | None:
        """The offset of the run, in seconds, from which the share starts no visits, None without an end."""
        end = self.load.until
        return None if end is None else self.at + end

    def unique(self, number: int) -> int:
        """Return the number of a user or arrival of this leg as a number unique among all legs of the entry."""
        return number * self.legs + self.leg


def deal(loads: Sequence[tuple[str, Load]], n: int = 1, *, seed: int = 0, warmup: float = 0.0) -> list[Share]:
    """Return *n* shares of each leg of each (label, load), fewer if a leg has fewer users.

    The first *warmup* seconds of the run are warm-up.
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
    """The progress of a share in the engine that performs it.

    *load* is the share's load with live changes. *taken* counts the arrivals of the stride so
    far, including those before `share.start`; *rows* counts unique rows in the same way; *ended* counts
    ended visits. Arrivals due before *since*, a reading of the clock, are lost. *alive* is the number of
    greenlets working on the share. *handed* is true once none of them will start a visit.
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
        return f"<ShareProgress {self.share.name}, {self.state}>"

    @property
    def state(self) -> ShareState:
        """The state of the share: "going", "done", or "returned" after it was released."""
        if self.handed or (self.released and not self.alive):
            return "returned"
        return "going" if self.alive else "done"


def progress_of(shares: Iterable[Share]) -> dict[str, ShareProgress]:
    """Return, by name, the progress of shares that an engine is about to perform."""
    return {share.name: ShareProgress(share) for share in shares}
