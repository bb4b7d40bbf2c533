"""Assignment of feed rows to visits: pure arithmetic, independent of how shares are spread over engines."""

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
    """How the visits of a load are numbered for taking rows.

    *users* is the number of users if all legs take rows per user (`Shaped.row_users`), else None.
    *numbered* is true if none does, so that every visit has a number. *legs* is the number of
    legs, which use the numbers in turn.
    """

    users: int | None = None
    numbered: bool = True
    legs: int = 1


def user_numbering(load: Load) -> UserNumbering:
    """Return how the visits of a load are numbered."""
    legs = load.legs
    counts = [n for leg in legs if (n := leg.load.row_users) is not None]
    closed = len(counts) == len(legs) > 0
    return UserNumbering(max(counts) * len(legs) if closed else None, not counts, max(len(legs), 1))


def position(user: int, number: int, taken: int, users: int | None) -> int:
    """Return the position, in the feed's order, of the next row for a visit that has *taken* rows before.

    With *users*, user u takes positions u, u + users, u + 2 * users …. Without (arrivals,
    iterations), visit *number* n takes positions n, n + 1, ….
    """
    return number + taken if users is None else user + taken * users


def ordered(order: Order, place: int, size: int, *luck: object) -> int | None:
    """Return the row at position *place*, None past the end of a sequential feed. *luck* seeds the shuffle."""
    if order == "sequential":
        return place if place < size else None
    turn, at = divmod(place, size)
    return _shuffled(size, turn, *luck)[at] if order == "shuffle" else at


@lru_cache(maxsize=8)
def _shuffled(size: int, turn: int, *luck: object) -> tuple[int, ...]:
    """Return the shuffled order of all rows in pass *turn* through the feed."""
    rows = list(range(size))
    seeded_random(*luck, turn, "shuffle").shuffle(rows)
    return tuple(rows)


class UniqueRows:
    """Hands out rows that may be used once in a run. Each share owns the rows of its stride.

    An engine hands out the rows of all shares it holds, lowest row first, to any session that
    asks. A share taken over from another engine continues after the *rows* handed out there.
    *shares* is the progress of those shares by name, to which the engine may add. *record_rows* is
    called with the name of a share and the number of its rows handed out, before `next` returns
    the row.
    """

    def __init__(
        self,
        shares: Mapping[str, ShareProgress],
        record_rows: Callable[[str, int], None] = lambda share, rows: None,
    ) -> None:
        self._shares = shares
        self._record_rows = record_rows
        self._dealt: dict[Hashable, dict[str, int]] = defaultdict(dict)

    def next(self, feed: Hashable, size: int) -> int | None:
        """Return the index of the next row of a feed of *size* rows, None if the shares held here own no more."""
        dealt = self._dealt[feed]
        best: tuple[int, ShareProgress] | None = None
        for progress in self._shares.values():
            if progress.state == "returned":
                continue
            row = self._row(progress, dealt)
            if row < size and (best is None or row < best[0]):
                best = row, progress
        if best is None:
            return None
        row, progress = best
        dealt[progress.name] = max(dealt.get(progress.name, 0), progress.share.rows) + 1
        progress.rows = max(progress.rows, dealt[progress.name])
        self._record_rows(progress.name, progress.rows)
        return row

    def returned(self, feed: Hashable, size: int) -> bool:
        """Return whether shares that this engine has returned own further rows of a feed of *size* rows."""
        dealt = self._dealt[feed]
        return any(
            progress.state == "returned" and self._row(progress, dealt) < size for progress in self._shares.values()
        )

    @staticmethod
    def _row(progress: ShareProgress, dealt: Mapping[str, int]) -> int:
        """Return the index of the next row of a share."""
        share = progress.share
        return share.place + max(dealt.get(progress.name, 0), share.rows) * share.total
