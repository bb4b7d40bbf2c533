"""Who has which share of the load: pure state, time handed in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from chaperon.cluster.messages import Lease
from chaperon.load.share import Share

Peer = tuple[str, int]
"""A worker's name with its incarnation: one life of one engine process."""

AGAIN = 1.0


@dataclass(slots=True)
class Task:
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


class Ledger:
    """Deals shares to workers, takes them back, deals them again; each is done once.

    An offer nobody has claimed is made again after *again* seconds.
    """

    def __init__(self, shares: Iterable[Share], *, again: float = AGAIN) -> None:
        self._tasks = {share.name: Task(share) for share in shares}
        self._again = again
        self._capacities: dict[Peer, float] = {}
        self._back: set[str] = set()

    def __repr__(self) -> str:
        states = Counter(task.state for task in self._tasks.values())
        return f"<Ledger of {', '.join(f'{n} {state}' for state, n in states.items()) or 'nothing'}>"

    @property
    def all_dealt(self) -> bool:
        """Whether every share is in somebody's hands, or done."""
        return all(task.state in ("leased", "done") for task in self._tasks.values())

    @property
    def all_done(self) -> bool:
        """Whether every share was made to its end."""
        return all(task.state == "done" for task in self._tasks.values())

    @property
    def unowned(self) -> list[Task]:
        """The shares that nobody has and that are not done."""
        return [task for task in self._tasks.values() if task.state in ("pending", "offered")]

    def leases(self, peer: Peer) -> tuple[Lease, ...]:
        """Return what *peer* is to have: not what it is to give back."""
        return tuple(
            task.lease for name, task in self._tasks.items() if task.owner == peer and name not in self._back
        )

    def all_leases(self, peer: Peer) -> list[Lease]:
        """Return all that *peer* has, what it is to give back too."""
        return [task.lease for task in self._tasks.values() if task.owner == peer]

    def held(self, peer: Peer) -> list[str]:
        """Return the names of all shares that are in the hands of *peer*, those it is to give back too."""
        return [name for name, task in self._tasks.items() if task.owner == peer]

    def among(self, capacities: Mapping[Peer, float]) -> None:
        """Deal among these workers from now on; who has too much is to give some back."""
        self._capacities = dict(capacities)
        if any(task.state != "leased" for task in self._tasks.values() if task.state != "done"):
            return  # what is still to be dealt goes to those with less
        for peer in sorted(capacities):
            theirs = [t for t in self._tasks.values() if t.owner == peer and t.state == "leased"]
            for entry in {task.share.entry for task in theirs}:
                mine = [t for t in theirs if t.share.entry == entry and t.share.name not in self._back]
                surplus = len(mine) - self._quota(peer, self._open(entry))
                if surplus > 0 and self._wanting(entry):
                    self._back.update(task.share.name for task in mine[-surplus:])

    def offers(self, now: float) -> list[Lease]:
        """Return what is to be offered now to whoever claims it."""
        due = [
            task
            for task in self._tasks.values()
            if task.state == "pending" or (task.state == "offered" and now - task.offered >= self._again)
        ]
        for task in due:
            task.state, task.offered, task.attempt = "offered", now, task.attempt + 1
        return [task.lease for task in due]

    def claim(self, peer: Peer, lease: Lease) -> bool:
        """Give *peer* what it claims, if it is still to be had and no more than its fair part."""
        task = self._tasks.get(lease.share)
        if task is None:
            return False
        if task.owner == peer and task.attempt == lease.attempt:
            return True
        if task.state != "offered" or task.attempt != lease.attempt or peer not in self._capacities:
            return False
        if peer not in self._entitled(task.share.entry):
            task.state = "pending"
            return False
        task.state, task.owner = "leased", peer
        return True

    def done(self, peer: Peer, lease: Lease) -> None:
        """Note that *peer* has made a share to its end."""
        task = self._owned(peer, lease)
        if task is not None:
            task.state, task.owner = "done", None
            self._back.discard(lease.share)

    def returned(self, peer: Peer, lease: Lease) -> bool:
        """Take a share back from where *peer* has left it; return whether it was its to give."""
        task = self._owned(peer, lease)
        if task is None:
            return False
        self._free(task, lease.start, lease.rows, orphaned=False)
        return True

    def give_up(self, peer: Peer, known: Mapping[str, tuple[int, int]]) -> list[str]:
        """Take all shares of *peer* away, from where they stood when last heard of: (start, rows) by name."""
        freed = [task for task in self._tasks.values() if task.owner == peer]
        for task in freed:
            start, rows = known.get(task.share.name, (task.start, task.rows))
            self._free(task, max(start, task.start), max(rows, task.rows), orphaned=True)
        self._capacities.pop(peer, None)
        return [task.share.name for task in freed]

    def _free(self, task: Task, start: int, rows: int, *, orphaned: bool) -> None:
        task.state, task.owner = "pending", None
        task.start, task.rows, task.orphaned = start, rows, orphaned or (task.orphaned and start == task.start)
        self._back.discard(task.share.name)

    def _owned(self, peer: Peer, lease: Lease) -> Task | None:
        task = self._tasks.get(lease.share)
        return task if task is not None and task.owner == peer and task.attempt == lease.attempt else None

    def _open(self, entry: int | None = None) -> int:
        return sum(t.state != "done" and entry in (None, t.share.entry) for t in self._tasks.values())

    def _has(self, peer: Peer, entry: int | None = None) -> int:
        return sum(
            t.owner == peer and entry in (None, t.share.entry) and t.share.name not in self._back
            for t in self._tasks.values()
        )

    def _quota(self, peer: Peer, shares: int) -> int:
        return math.ceil(shares * self._capacities[peer] / sum(self._capacities.values()) - 1e-9)

    def _wanting(self, entry: int) -> bool:
        """Return whether some worker has less of an entry than it could take whole."""
        shares, total = self._open(entry), sum(self._capacities.values())
        return any(self._has(p, entry) < math.floor(shares * c / total + 1e-9) for p, c in self._capacities.items())

    def _entitled(self, entry: int) -> list[Peer]:
        """Return who may have one more share of an entry: who has less than a fair part, else who has least."""
        allowed = [
            peer
            for peer in self._capacities
            if self._has(peer, entry) < self._quota(peer, self._open(entry))
            and self._has(peer) < self._quota(peer, self._open())
        ]
        if allowed:
            return allowed
        least = min(self._has(peer) / capacity for peer, capacity in self._capacities.items())
        return [peer for peer, capacity in self._capacities.items() if self._has(peer) / capacity == least]
