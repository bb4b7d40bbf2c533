"""The visits of a load that are left at the end of a run: planned, and made by no worker."""

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
    """Return the visit counts that the ledger lacks for shares without a worker, in a run that ended at offset *until*.

    Visits due by then are lost if the share's worker was lost, and dropped if it returned the share.
    With *whole*, visits due later are dropped too: the run ended because no worker was left, not
    by request. Closed loads without a number of visits have no planned visits that were not started.
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
    """Yield (share, offset when due) of every arrival of one leg that these shares have not started, in one pass."""
    share = shares[0].share
    mine = {leased.share.index: leased for leased in shares}
    for number, offset in load.schedule(min(_next(leased) for leased in shares), seed=share.source):
        leased = mine.get(number % share.of)
        if leased is not None and number >= _next(leased):
            yield leased, share.at + offset


def _next(leased: LeasedShare) -> int:
    return leased.share.index + leased.start // leased.share.load.visits_each * leased.share.of
