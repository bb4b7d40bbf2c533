"""Who has which share of the load: pure state, time handed in."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from chaperon.cluster.protocol.messages import Lease
from chaperon.load.share import Share

Peer = tuple[str, int]
"""A worker's name with its incarnation: one life of one engine process."""

AGAIN = 1.0


@dataclass(slots=True)
class LeasedShare:
    """A share with its fate.

    *start* and *rows* are where it stands. *orphaned* says that whoever had it is gone, so
    that what became due since is lost.
    """

    share: Share
    state: Literal["pending", "offered", "leased", "done"] = "pending"
    attempt: int = 0
    owner: Peer | None = None
    offered: float = -math.inf
    start: int = 0
    rows: int = 0
    orphaned: bool = False

    @property
    def lease(self) -> Lease:
        """The share as it is handed out now."""
        return Lease(self.share.name, self.attempt, self.start, self.rows, self.orphaned)


class LeaseTable:
    """Deals shares to workers, takes them back, deals them again; each is done once.

    An offer nobody has claimed is made again after *again* seconds.
    """

    def __init__(self, shares: Iterable[Share], *, again: float = AGAIN) -> None:
        self._tasks = {share.name: LeasedShare(share) for share in shares}
        self._again = again
        self._capacities: dict[Peer, float] = {}
        self._capacity = 0.0
        self._free: dict[str, LeasedShare] = dict(self._tasks)
        self._theirs: defaultdict[Peer, dict[str, LeasedShare]] = defaultdict(dict)
        self._open = Counter(task.share.entry for task in self._tasks.values())
        self._back: set[str] = set()
        self._leases: dict[Peer, tuple[Lease, ...]] = {}
        self._even = False

    def __repr__(self) -> str:
        states = Counter(task.state for task in self._tasks.values())
        return f"<LeaseTable of {', '.join(f'{n} {state}' for state, n in states.items()) or 'nothing'}>"

    @property
    def all_dealt(self) -> bool:
        """Whether every share is in somebody's hands, or done."""
        return not self._free

    @property
    def all_done(self) -> bool:
        """Whether every share was made to its end."""
        return not self._open

    @property
    def unowned(self) -> list[LeasedShare]:
        """The shares that nobody has and that are not done."""
        return list(self._free.values())

    def leases(self, peer: Peer) -> tuple[Lease, ...]:
        """Return what *peer* is to have: not what it is to give back."""
        known = self._leases.get(peer)
        if known is None:
            theirs = self._theirs[peer].items()
            known = self._leases[peer] = tuple(task.lease for name, task in theirs if name not in self._back)
        return known

    def all_leases(self, peer: Peer) -> list[Lease]:
        """Return all that *peer* has, what it is to give back too."""
        return [task.lease for task in self._theirs[peer].values()]

    def among(self, capacities: Mapping[Peer, float]) -> None:
        """Deal among these workers from now on; who has too much is to give some back."""
        if capacities != self._capacities:
            self._capacities, self._even = dict(capacities), False
            self._capacity = sum(capacities.values())
        if self._even or self._free:
            return  # what is still to be dealt goes to those with less
        self._even = True
        for peer in sorted(capacities):
            for entry in {task.share.entry for task in self._theirs[peer].values()}:
                self._level(peer, entry)

    def offers(self, now: float) -> list[Lease]:
        """Return what is to be offered now to whoever claims it."""
        due = [task for task in self._free.values() if task.state == "pending" or now - task.offered >= self._again]
        for task in due:
            task.state, task.offered, task.attempt = "offered", now, task.attempt + 1
        return [task.lease for task in due]

    def unsent(self, lease: Lease) -> None:
        """Note that an offer could not be sent: it is to be made again with the next ones."""
        task = self._tasks[lease.share]
        if task.state == "offered" and task.attempt == lease.attempt:
            task.state = "pending"

    def claim(self, peer: Peer, lease: Lease) -> bool:
        """Give *peer* what it claims, if it is still to be had and no more than its fair part."""
        task = self._tasks.get(lease.share)
        if task is None:
            return False
        if task.owner == peer and task.attempt == lease.attempt:
            return True
        if task.state != "offered" or task.attempt != lease.attempt or peer not in self._capacities:
            return False
        if not self._entitled(peer, task.share.entry):
            task.state = "pending"
            return False
        task.state, task.owner, self._even = "leased", peer, False
        self._theirs[peer][lease.share] = self._free.pop(lease.share)
        self._leases.pop(peer, None)
        return True

    def done(self, peer: Peer, lease: Lease) -> None:
        """Note that *peer* has made a share to its end."""
        task = self._owned(peer, lease)
        if task is not None:
            self._taken_from(peer, task)
            task.state = "done"
            self._open[task.share.entry] -= 1
            self._open += Counter()  # without those that have come to nothing

    def returned(self, peer: Peer, lease: Lease) -> bool:
        """Take a share back from where *peer* has left it; return whether it was its to give."""
        task = self._owned(peer, lease)
        if task is None:
            return False
        self._freed(peer, task, lease.start, lease.rows, orphaned=False)
        return True

    def give_up(self, peer: Peer, known: Mapping[str, tuple[int, int]]) -> list[str]:
        """Take all shares of *peer* away, from where they stood when last heard of: (start, rows) by name."""
        freed = list(self._theirs[peer].values())
        for task in freed:
            start, rows = known.get(task.share.name, (task.start, task.rows))
            self._freed(peer, task, max(start, task.start), max(rows, task.rows), orphaned=True)
        self._capacities.pop(peer, None)
        self._capacity = sum(self._capacities.values())
        return [task.share.name for task in freed]

    def stood_still(self, gap: float) -> None:
        """Let every offer stand *gap* seconds longer: nobody could claim it meanwhile."""
        for task in self._free.values():
            task.offered += gap

    def _freed(self, peer: Peer, task: LeasedShare, start: int, rows: int, *, orphaned: bool) -> None:
        self._taken_from(peer, task)
        task.state = "pending"
        task.start, task.rows, task.orphaned = start, rows, orphaned or (task.orphaned and start == task.start)
        self._free[task.share.name] = task

    def _taken_from(self, peer: Peer, task: LeasedShare) -> None:
        del self._theirs[peer][task.share.name]
        self._leases.pop(peer, None)
        task.owner, self._even = None, False
        self._back.discard(task.share.name)

    def _owned(self, peer: Peer, lease: Lease) -> LeasedShare | None:
        task = self._tasks.get(lease.share)
        return task if task is not None and task.owner == peer and task.attempt == lease.attempt else None

    def _level(self, peer: Peer, entry: int) -> None:
        """Let a worker give back what it has too much of an entry, if another has too little."""
        mine = [name for name, t in self._theirs[peer].items() if t.share.entry == entry and name not in self._back]
        surplus = len(mine) - self._quota(peer, self._open[entry])
        if surplus > 0 and self._wanting(entry):
            self._back.update(mine[-surplus:])
            self._leases.pop(peer, None)

    def _has(self, peer: Peer, entry: int | None = None) -> int:
        theirs = self._theirs[peer].items()
        return sum(entry in (None, task.share.entry) and name not in self._back for name, task in theirs)

    def _quota(self, peer: Peer, shares: int) -> int:
        return math.ceil(shares * self._capacities[peer] / self._capacity - 1e-9)

    def _wanting(self, entry: int) -> bool:
        """Return whether some worker has less of an entry than it could take whole."""
        shares = self._open[entry]
        return any(
            self._has(p, entry) < math.floor(shares * c / self._capacity + 1e-9) for p, c in self._capacities.items()
        )

    def _entitled(self, peer: Peer, entry: int) -> bool:
        """Return whether *peer* may have one more share of an entry: it has less than a fair part, or least of all."""
        if self._below(peer, entry):
            return True
        if any(self._below(other, entry) for other in self._capacities):
            return False
        least = min(self._has(other) / capacity for other, capacity in self._capacities.items())
        return self._has(peer) / self._capacities[peer] == least

    def _below(self, peer: Peer, entry: int) -> bool:
        return self._has(peer, entry) < self._quota(peer, self._open[entry]) and self._has(peer) < self._quota(
            peer, self._open.total()
        )
