"""Which worker has which share of the load: leases (Gray and Cheriton, 1989). No I/O; time is a parameter."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from chaperon.cluster.master.quotas import Quotas, WorkerId
from chaperon.cluster.protocol.messages import Lease
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.share import Share

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

    An offer that no worker has claimed is repeated after *offer_interval* seconds. A share that no worker has is
    pending or offered, or was refused to the worker that claimed it. The queues begin with the oldest, so that an offer
    and a claim cost the same for any number of shares.
    """

    def __init__(self, shares: Iterable[Share], *, offer_interval: float = OFFER_INTERVAL) -> None:
        self._shares = {share.name: LeasedShare(share) for share in shares}
        self._offer_interval = offer_interval
        self._quotas = Quotas(leased.share.entry for leased in self._shares.values())
        self._pending: OrderedDict[str, LeasedShare] = OrderedDict(self._shares)
        self._offered: OrderedDict[str, LeasedShare] = OrderedDict()
        self._refused: dict[str, LeasedShare] = {}
        self._held_by: defaultdict[WorkerId, dict[str, LeasedShare]] = defaultdict(dict)
        self._recalled: set[str] = set()
        self._unconfirmed: defaultdict[WorkerId, set[str]] = defaultdict(set)
        self._leases: dict[WorkerId, tuple[Lease, ...]] = {}
        self._balanced = False

    def __repr__(self) -> str:
        states = Counter(leased.state for leased in self._shares.values())
        return f"<LeaseTable of {', '.join(f'{n} {state}' for state, n in states.items()) or 'nothing'}>"

    @property
    def all_dealt(self) -> bool:
        """Whether every share is leased or done."""
        return not (self._pending or self._offered or self._refused)

    @property
    def all_done(self) -> bool:
        """Whether every share is done."""
        return self._quotas.all_done

    @property
    def unowned(self) -> list[LeasedShare]:
        """The shares that no worker has and that are not done."""
        return [*self._pending.values(), *self._offered.values(), *self._refused.values()]

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
        if self._quotas.set_capacities(capacities):
            self._balanced = False
        if self._balanced or not self.all_dealt:
            return  # shares that are still free go to workers with fewer
        self._balanced = True
        wanting: dict[int, bool] = {}
        for peer in self._quotas.workers:
            for entry in sorted({leased.share.entry for leased in self._held_by[peer].values()}):
                surplus = self._quotas.surplus(peer, entry)
                if surplus <= 0:
                    continue
                if entry not in wanting:
                    wanting[entry] = self._quotas.wanting(entry)
                if wanting[entry]:
                    self._recall(peer, entry, surplus)

    def offers(self, now: float, *, refused: bool = True) -> Iterator[Lease]:
        """Yield the leases to offer now, each as offered: a caller that cannot send one stops, and withdraws it.

        With *refused* also those that a worker has claimed in vain. A caller that answers a claim leaves them out,
        since the same worker could claim them again at once, without end.
        """
        if refused:
            self._pending.update(self._refused)
            self._refused.clear()
        while self._offered:
            oldest = next(iter(self._offered.values()))
            if now - oldest.offered < self._offer_interval:
                break
            self._withdraw(oldest)
        for _ in range(len(self._pending)):
            if not self._pending:
                return
            name, leased = self._pending.popitem(last=False)
            leased.state, leased.offered, leased.attempt = "offered", now, leased.attempt + 1
            self._offered[name] = leased
            yield leased.lease

    def withdraw_offer(self, lease: Lease) -> None:
        """Record that an offer could not be sent: it is the first of the next offers."""
        leased = self._shares[lease.share]
        if leased.state == "offered" and leased.attempt == lease.attempt:
            self._withdraw(leased)
            self._pending.move_to_end(lease.share, last=False)

    def claim(self, peer: WorkerId, lease: Lease) -> bool:
        """Lease *peer* the share it claims, if the offer is open and within its fair part; return whether it did."""
        leased = self._shares.get(lease.share)
        if leased is None:
            return False
        if leased.owner == peer and leased.attempt == lease.attempt:
            return True
        if leased.state != "offered" or leased.attempt != lease.attempt or not self._quotas.has(peer):
            return False
        if not self._quotas.entitled(peer, leased.share.entry):
            leased.state = "pending"
            self._refused[lease.share] = self._offered.pop(lease.share)
            return False
        leased.state, leased.owner, self._balanced = "leased", peer, False
        self._held_by[peer][lease.share] = self._offered.pop(lease.share)
        self._quotas.count(peer, leased.share.entry, 1)
        self._leases.pop(peer, None)
        self._unconfirmed[peer].add(lease.share)
        return True

    def confirm(self, peer: WorkerId, leases: Iterable[Lease]) -> None:
        """Record that *peer* knows of these leases: from then on it can return them."""
        waiting = self._unconfirmed.get(peer)
        if not waiting:
            return
        for lease in leases:
            if lease.share in waiting and self._shares[lease.share].attempt == lease.attempt:
                waiting.discard(lease.share)
                self._balanced = False

    def complete(self, peer: WorkerId, lease: Lease) -> None:
        """Record that *peer* has completed a share."""
        leased = self._owned(peer, lease)
        if leased is not None:
            self._remove(peer, leased)
            leased.state = "done"
            self._quotas.finish(leased.share.entry)

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
        self._quotas.remove_worker(peer)
        return [leased.share.name for leased in freed]

    def extend_deadlines(self, gap: float) -> None:
        """Extend all offers by *gap* seconds, in which no claim could arrive."""
        for leased in self._offered.values():
            leased.offered += gap

    def _withdraw(self, leased: LeasedShare) -> None:
        leased.state = "pending"
        self._pending[leased.share.name] = self._offered.pop(leased.share.name)

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
        self._pending[leased.share.name] = leased

    def _remove(self, peer: WorkerId, leased: LeasedShare) -> None:
        name = leased.share.name
        del self._held_by[peer][name]
        self._unconfirmed[peer].discard(name)
        self._leases.pop(peer, None)
        leased.owner, self._balanced = None, False
        if name in self._recalled:
            self._recalled.discard(name)
        else:
            self._quotas.count(peer, leased.share.entry, -1)

    def _owned(self, peer: WorkerId, lease: Lease) -> LeasedShare | None:
        leased = self._shares.get(lease.share)
        return leased if leased is not None and leased.owner == peer and leased.attempt == lease.attempt else None

    def _recall(self, peer: WorkerId, entry: int, surplus: int) -> None:
        """Ask a worker to return its newest *surplus* shares of an entry, of those that it knows it has.

        One that it does not know of, since the answer to its claim was lost, is recalled once it has confirmed it.
        """
        held, spared = self._held_by[peer].items(), self._recalled | self._unconfirmed[peer]
        mine = [name for name, t in held if t.share.entry == entry and name not in spared][-surplus:]
        self._recalled.update(mine)
        self._quotas.count(peer, entry, -len(mine))
        self._leases.pop(peer, None)
