"""What is left of a load when a run is over: visits that were planned, but made by nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from chaperon.cluster.master.leases import LeasedShare
from chaperon.cluster.master.windows import Changes
from chaperon.load.kinds.load import Shaped
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
        if load.is_open:
            for task, due in _arrivals(load, theirs):
                if due > until and not whole:
                    break
                for _ in range(load.visits_each):
                    count(task, due)
        else:
            for task in theirs:
                for _ in range(load.unmade(task.share.index, task.share.of, task.start, whole=whole)):
                    count(task, until)
    return changes


def _arrivals(load: Shaped, tasks: list[LeasedShare]) -> Iterator[tuple[LeasedShare, float]]:
    """Yield every arrival of one leg that none of these shares has seen, when it was due: in one walk for all."""
    share = tasks[0].share
    mine = {task.share.index: task for task in tasks}
    for number, offset in load.schedule(min(_next(task) for task in tasks), seed=share.source):
        task = mine.get(number % share.of)
        if task is not None and number >= _next(task):
            yield task, share.at + offset


def _next(task: LeasedShare) -> int:
    return task.share.index + task.start // task.share.load.visits_each * task.share.of
