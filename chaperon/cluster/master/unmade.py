"""What is left of a load when a run is over: visits that were planned, but made by nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from chaperon.cluster.master.leases import LeasedShare
from chaperon.cluster.master.windows import Changes
from chaperon.load.arrivals import offsets, quota, spells
from chaperon.load.kinds import Iterations, Rate, Shaped, Users
from chaperon.load.live_changes import LiveChanges
from chaperon.measure.window import VisitCounts


def unmade_visits(tasks: Iterable[LeasedShare], steering: LiveChanges, *, until: float, whole: bool) -> Changes:
    """Return what the ledger lacks of shares that nobody has, the run being over at the offset *until*.

    What was due by then is lost if whoever had the share is gone, and dropped if it was given back.
    With the *whole* plan, what would have been due later is dropped too: the run was cut short by
    no will of anybody's. Users who begin visit after visit have planned none that are not begun.
    """
    changes: Changes = {}

    def count(task: LeasedShare, due: float) -> None:
        counts = changes.setdefault((task.share.label, max(int(due), 0)), VisitCounts())
        counts.planned += 1
        if task.orphaned and due <= until:
            counts.lost += 1
        else:
            counts.dropped += 1

    legs: defaultdict[tuple[int, int], list[LeasedShare]] = defaultdict(list)
    for task in tasks:
        legs[task.share.entry, task.share.leg].append(task)
    for theirs in legs.values():
        share = theirs[0].share
        load = steering.load(share) or share.load
        if isinstance(load, Rate):
            for task, due in _arrivals(load, theirs):
                if due > until and not whole:
                    break
                count(task, due)
        else:
            for task in theirs:
                for _ in range(_left(load, task, whole=whole)):
                    count(task, until)
    return changes


def _arrivals(load: Rate, tasks: list[LeasedShare]) -> Iterator[tuple[LeasedShare, float]]:
    """Yield every arrival of one leg that none of these shares has seen, when it was due: in one walk for all."""
    share = tasks[0].share
    mine = {task.share.index: task for task in tasks}
    for number, offset in offsets(load, seed=share.source, skip=min(_next(task) for task in tasks)):
        task = mine.get(number % share.of)
        if task is not None and number >= _next(task):
            yield task, share.at + offset


def _next(task: LeasedShare) -> int:
    return task.share.index + task.start * task.share.of


def _left(load: Shaped, task: LeasedShare, *, whole: bool) -> int:
    """Return how many visits of a closed load are planned, but not begun."""
    share = task.share
    if isinstance(load, Iterations):
        return quota(load, share.index, share.of) - task.start
    if whole and isinstance(load, Users) and load.until is None:  # each of its users makes one visit
        return max(len(spells(load.curve, share.index, share.of)) - task.start, 0)
    return 0
