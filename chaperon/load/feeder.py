"""Which row of a feed is whose: pure arithmetic, whoever performs the visits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from chaperon.load.arrivals import seeded_random
from chaperon.load.kinds.load import Load
from chaperon.load.share import ShareProgress

Order = Literal["sequential", "shuffle", "random", "circular", "unique"]
ORDERS = ("sequential", "shuffle", "random", "circular", "unique")


class UserNumbering(NamedTuple):
    """How the visits of a load are told apart.

    *users* is how many there are where it is closed throughout, else None; visits are
    *numbered* where none of it is; *legs* is of how many loads it consists, which share the
    numbers in turns.
    """

    users: int | None = None
    numbered: bool = True
    legs: int = 1


def user_numbering(load: Load) -> UserNumbering:
    """Return how the visits of a load are told apart."""
    legs = load.legs
    counts = [n for leg in legs if (n := leg.load.row_users) is not None]
    closed = len(counts) == len(legs) > 0
    return UserNumbering(max(counts) * len(legs) if closed else None, not counts, max(len(legs), 1))


def position(user: int, number: int, taken: int, users: int | None) -> int:
    """Return the place in the common queue of a row to be taken.

    With so many *users*, each takes every so-many-th; *taken* were taken before. Without
    (arrivals, iterations) visit *number* i takes from the i-th on.
    """
    return number + taken if users is None else user + taken * users


def ordered(order: Order, place: int, size: int, *luck: object) -> int | None:
    """Return the row at a *place* of the queue, or None where a sequence is over; *luck* seeds a shuffle."""
    if order == "sequential":
        return place if place < size else None
    turn, at = divmod(place, size)
    return _shuffled(size, turn, *luck)[at] if order == "shuffle" else at


@lru_cache(maxsize=8)
def _shuffled(size: int, turn: int, *luck: object) -> tuple[int, ...]:
    """Return the order of all rows in the *turn*-th time through."""
    rows = list(range(size))
    seeded_random(*luck, turn, "shuffle").shuffle(rows)
    return tuple(rows)


class UniqueRows:
    """Deals rows that must go out once in a run: each share owns those of its own stride.

    Whoever performs shares deals the rows of all of them, the first ones first, to whichever
    session asks. A share that is taken over goes on after the *rows* it had dealt. Somebody
    is *told* of a share's name and how many of its rows are dealt before one goes out.
    """

    def __init__(self, told: Callable[[str, int], None] = lambda share, rows: None) -> None:
        self._told = told
        self.holdings: Mapping[str, ShareProgress] = {}
        self._dealt: dict[Hashable, dict[str, int]] = defaultdict(dict)

    def next(self, feed: Hashable, size: int) -> int | None:
        """Return the next row of a feed of *size* rows, or None when the shares held here own no more."""
        dealt = self._dealt[feed]
        best: tuple[int, ShareProgress] | None = None
        for name, holding in self.holdings.items():
            if holding.standing == "returned":
                continue
            share = holding.share
            row = share.place + max(dealt.get(name, 0), share.rows) * share.total
            if row < size and (best is None or row < best[0]):
                best = row, holding
        if best is None:
            return None
        row, holding = best
        dealt[holding.name] = max(dealt.get(holding.name, 0), holding.share.rows) + 1
        holding.rows = max(holding.rows, dealt[holding.name])
        self._told(holding.name, holding.rows)
        return row
