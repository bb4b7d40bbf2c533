"""What is left of a load when a run is over: visits that were planned, but made by nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from chaperon.cluster.master.leases import LeasedShare
from chaperon.cluster.master.windows import LedgerChanges
from chaperon.load.kinds.load import Shaped
from chaperon.load.live_changes import LiveChanges
from chaperon.measure.window import VisitCounts


def unmade_visits(
    shares: Iterable[LeasedShare], live_changes: LiveChanges, *, until: float, whole: bool
) -> LedgerChanges:
    """Return what the ledger lacks of shares that nobody has, the run being over at the offset *until*.

    What was due by then is lost if whoever had the share is gone, and dropped if it was given back.
    With the *whole* plan, what would have been due later is dropped too: the run was cut short by
    no will of anybody's. Users who begin visit after visit have planned none that are not begun.
    """
    changes: LedgerChanges = {}

    def count(leased: LeasedShare, due: float) -> None:
        counts = changes.setdefault((leased.share.label, max(int(due), 0)), VisitCounts())
        counts.planned += 1
        if leased.count_missed_as_lost and due <= until:
            counts.lost += 1
        else:
            counts.dropped += 1

    legs: defaultdict[tuple[int, int], list[LeasedShare]] = defaultdict(list)
    for leased in shares:
        legs[leased.share.entry, leased.share.leg].append(leased)
    for theirs in legs.values():
        share = theirs[0].share
        load = live_changes.load(share) or share.load
        if load.is_open:
            for leased, due in _arrivals(load, theirs):
                if due > until and not whole:
                    break
                for _ in range(load.visits_each):
                    count(leased, due)
        else:
            for leased in theirs:
                for _ in range(load.unmade(leased.share.index, leased.share.of, leased.start, whole=whole)):
                    count(leased, until)
    return changes


def _arrivals(load: Shaped, shares: list[LeasedShare]) -> Iterator[tuple[LeasedShare, float]]:
    """Yield every arrival of one leg that none of these shares has seen, when it was due: in one walk for all."""
    share = shares[0].share
    mine = {leased.share.index: leased for leased in shares}
    for number, offset in load.schedule(min(_next(leased) for leased in shares), seed=share.source):
        leased = mine.get(number % share.of)
        if leased is not None and number >= _next(leased):
            yield leased, share.at + offset


def _next(leased: LeasedShare) -> int:
    return leased.share.index + leased.start // leased.share.load.visits_each * leased.share.of
