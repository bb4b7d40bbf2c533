"""Which worker has which share of the load: leases (Gray and Cheriton, 1989). No I/O; time is a parameter."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from chaperon.cluster.protocol.messages import Lease
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.share import Share

WorkerId = tuple[str, int]
"""A worker's name with its incarnation, which differs for every engine process."""

OFFER_INTERVAL = 1.0


@lazy_dataclass(slots=True)
class LeasedShare:
    """A share with the state of its lease.

    *start* and *rows* are its progress: arrivals started and unique rows used. *count_missed_as_lost*
    says that its last worker was lost, so arrivals that became due since are lost.
    """

    share: Share
    state: Literal["pending", "offered", "leased", "done"] = "pending"
    attempt: int = 0
    owner: WorkerId | None = None
    offered: float = -math.inf
    start: int = 0
    rows: int = 0
    count_missed_as_lost: bool = False

    @property
    def lease(self) -> Lease:
        """The lease of the share with its current progress."""
        return Lease(self.share.name, self.attempt, self.start, self.rows, self.count_missed_as_lost)


class LeaseTable:
    """Leases shares to workers, reclaims them and leases them again; each share is completed once.

    An offer that no worker has claimed is repeated after *offer_interval* seconds.
    """

    def __init__(self, shares: Iterable[Share], *, offer_interval: float = OFFER_INTERVAL) -> None:
        self._shares = {share.name: LeasedShare(share) for share in shares}
        self._offer_interval = offer_interval
        self._capacities: dict[WorkerId, float] = {}
        self._capacity = 0.0
        self._free: dict[str, LeasedShare] = dict(self._shares)
        self._held_by: defaultdict[WorkerId, dict[str, LeasedShare]] = defaultdict(dict)
        self._unfinished = Counter(leased.share.entry for leased in self._shares.values())
        self._recalled: set[str] = set()
        self._leases: dict[WorkerId, tuple[Lease, ...]] = {}
        self._balanced = False

    def __repr__(self) -> str:
        states = Counter(leased.state for leased in self._shares.values())
        return f"<LeaseTable of {', '.join(f'{n} {state}' for state, n in states.items()) or 'nothing'}>"

    @property
    def all_dealt(self) -> bool:
        """Whether every share is leased or done."""
        return not self._free

    @property
    def all_done(self) -> bool:
        """Whether every share is done."""
        return not self._unfinished

    @property
    def unowned(self) -> list[LeasedShare]:
        """The shares that no worker has and that are not done."""
        return list(self._free.values())

    def leases(self, peer: WorkerId) -> tuple[Lease, ...]:
        """Return the leases of *peer* without those it should return."""
        known = self._leases.get(peer)
        if known is None:
            theirs = self._held_by[peer].items()
            known = self._leases[peer] = tuple(leased.lease for name, leased in theirs if name not in self._recalled)
        return known

    def all_leases(self, peer: WorkerId) -> list[Lease]:
        """Return all leases of *peer*, including those it should return."""
        return [leased.lease for leased in self._held_by[peer].values()]

    def set_capacities(self, capacities: Mapping[WorkerId, float]) -> None:
        """Divide the shares among these workers, by capacity; a worker with too many should return some."""
        if capacities != self._capacities:
            self._capacities, self._balanced = dict(capacities), False
            self._capacity = sum(capacities.values())
        if self._balanced or self._free:
            return  # shares that are still free go to workers with fewer
        self._balanced = True
        for peer in sorted(capacities):
            for entry in {leased.share.entry for leased in self._held_by[peer].values()}:
                self._recall_surplus(peer, entry)

    def offers(self, now: float) -> Iterator[Lease]:
        """Yield the leases to offer now, each as offered: a caller that cannot send one stops, and withdraws it."""
        for leased in list(self._free.values()):
            if leased.state == "pending" or now - leased.offered >= self._offer_interval:
                leased.state, leased.offered, leased.attempt = "offered", now, leased.attempt + 1
                yield leased.lease

    def withdraw_offer(self, lease: Lease) -> None:
        """Record that an offer could not be sent: it is repeated with the next offers."""
        leased = self._shares[lease.share]
        if leased.state == "offered" and leased.attempt == lease.attempt:
            leased.state = "pending"

    def claim(self, peer: WorkerId, lease: Lease) -> bool:
        """Lease *peer* the share it claims, if the offer is open and within its fair part; return whether it did."""
        leased = self._shares.get(lease.share)
        if leased is None:
            return False
        if leased.owner == peer and leased.attempt == lease.attempt:
            return True
        if leased.state != "offered" or leased.attempt != lease.attempt or peer not in self._capacities:
            return False
        if not self._entitled(peer, leased.share.entry):
            leased.state = "pending"
            return False
        leased.state, leased.owner, self._balanced = "leased", peer, False
        self._held_by[peer][lease.share] = self._free.pop(lease.share)
        self._leases.pop(peer, None)
        return True

    def complete(self, peer: WorkerId, lease: Lease) -> None:
        """Record that *peer* has completed a share."""
        leased = self._owned(peer, lease)
        if leased is not None:
            self._remove(peer, leased)
            leased.state = "done"
            self._unfinished[leased.share.entry] -= 1
            self._unfinished += Counter()  # removes entries with a count of zero

    def accept_return(self, peer: WorkerId, lease: Lease) -> bool:
        """Accept a share that *peer* returns, with its progress; return whether *peer* had the lease."""
        leased = self._owned(peer, lease)
        if leased is None:
            return False
        self._free_share(peer, leased, lease.start, lease.rows, count_missed_as_lost=False)
        return True

    def revoke(self, peer: WorkerId, known: Mapping[str, tuple[int, int]]) -> list[str]:
        """Revoke all leases of *peer* and return the names of the shares; *known* is their last known (start, rows)."""
        freed = list(self._held_by[peer].values())
        for leased in freed:
            start, rows = known.get(leased.share.name, (leased.start, leased.rows))
            self._free_share(peer, leased, max(start, leased.start), max(rows, leased.rows), count_missed_as_lost=True)
        self._capacities.pop(peer, None)
        self._capacity = sum(self._capacities.values())
        return [leased.share.name for leased in freed]

    def extend_deadlines(self, gap: float) -> None:
        """Extend all offers by *gap* seconds, in which no claim could arrive."""
        for leased in self._free.values():
            leased.offered += gap

    def _free_share(
        self, peer: WorkerId, leased: LeasedShare, start: int, rows: int, *, count_missed_as_lost: bool
    ) -> None:
        self._remove(peer, leased)
        leased.state = "pending"
        leased.start, leased.rows, leased.count_missed_as_lost = (
            start,
            rows,
            count_missed_as_lost or (leased.count_missed_as_lost and start == leased.start),
        )
        self._free[leased.share.name] = leased

    def _remove(self, peer: WorkerId, leased: LeasedShare) -> None:
        del self._held_by[peer][leased.share.name]
        self._leases.pop(peer, None)
        leased.owner, self._balanced = None, False
        self._recalled.discard(leased.share.name)

    def _owned(self, peer: WorkerId, lease: Lease) -> LeasedShare | None:
        leased = self._shares.get(lease.share)
        return leased if leased is not None and leased.owner == peer and leased.attempt == lease.attempt else None

    def _recall_surplus(self, peer: WorkerId, entry: int) -> None:
        """Ask a worker to return its surplus shares of an entry, if another worker has too few."""
        mine = [
            name for name, t in self._held_by[peer].items() if t.share.entry == entry and name not in self._recalled
        ]
        surplus = len(mine) - self._quota(peer, self._unfinished[entry])
        if surplus > 0 and self._wanting(entry):
            self._recalled.update(mine[-surplus:])
            self._leases.pop(peer, None)

    def _count_held(self, peer: WorkerId, entry: int | None = None) -> int:
        theirs = self._held_by[peer].items()
        return sum(entry in (None, leased.share.entry) and name not in self._recalled for name, leased in theirs)

    def _quota(self, peer: WorkerId, shares: int) -> int:
        return math.ceil(shares * self._capacities[peer] / self._capacity - 1e-9)

    def _wanting(self, entry: int) -> bool:
        """Return whether some worker has fewer shares of an entry than its quota, rounded down."""
        shares = self._unfinished[entry]
        return any(
            self._count_held(p, entry) < math.floor(shares * c / self._capacity + 1e-9)
            for p, c in self._capacities.items()
        )

    def _entitled(self, peer: WorkerId, entry: int) -> bool:
        """Return whether *peer* may have one more share of an entry: it is below its quota, or has the fewest."""
        if self._below(peer, entry):
            return True
        if any(self._below(other, entry) for other in self._capacities):
            return False
        least = min(self._count_held(other) / capacity for other, capacity in self._capacities.items())
        return self._count_held(peer) / self._capacities[peer] == least

    def _below(self, peer: WorkerId, entry: int) -> bool:
        return self._count_held(peer, entry) < self._quota(peer, self._unfinished[entry]) and self._count_held(
            peer
        ) < self._quota(peer, self._unfinished.total())
