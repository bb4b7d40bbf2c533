"""How many shares each worker should have, by its capacity, and how many it has. No I/O."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

WorkerId = tuple[str, int]
"""A worker's name with its incarnation, which differs for every engine process."""


class Quotas:
    """Divides the shares of all entries among workers, in proportion to their capacities.

    *entries* is the entry of each share. To count a share costs the same for any number of workers: who
    has fewer shares than its quota is kept, and computed anew only after capacities or the number of
    unfinished shares have changed.
    """

    def __init__(self, entries: Iterable[int]) -> None:
        self._unfinished = Counter(entries)
        self._capacities: dict[WorkerId, float] = {}
        self._capacity = 0.0
        self._held: defaultdict[WorkerId, Counter[int]] = defaultdict(Counter)
        self._held_in_all: Counter[WorkerId] = Counter()
        self._below: dict[int, set[WorkerId]] = {}

    def __repr__(self) -> str:
        return f"<Quotas of {len(self._capacities)} workers for {self._unfinished.total()} shares>"

    @property
    def workers(self) -> list[WorkerId]:
        """The workers among which the shares are divided, in a fixed order."""
        return sorted(self._capacities)

    @property
    def all_done(self) -> bool:
        """Whether every share is done."""
        return not self._unfinished

    def has(self, peer: WorkerId) -> bool:
        """Return whether *peer* is one of the workers."""
        return peer in self._capacities

    def set_capacities(self, capacities: Mapping[WorkerId, float]) -> bool:
        """Divide the shares among these workers from now on; return whether that is a change."""
        if capacities == self._capacities:
            return False
        self._capacities = dict(capacities)
        self._on_division_changed()
        return True

    def remove_worker(self, peer: WorkerId) -> None:
        """Divide the shares among the others from now on."""
        if self._capacities.pop(peer, None) is not None:
            self._on_division_changed()

    def finish(self, entry: int) -> None:
        """Record that one more share of an entry is done."""
        self._unfinished[entry] -= 1
        if not self._unfinished[entry]:
            del self._unfinished[entry]
        self._below.clear()

    def count(self, peer: WorkerId, entry: int, change: int) -> None:
        """Add *change* to the number of shares of an entry that *peer* has and need not return."""
        self._held[peer][entry] += change
        self._held_in_all[peer] += change
        if peer in self._capacities:
            for each, below in self._below.items():
                if self._is_below(peer, each):
                    below.add(peer)
                else:
                    below.discard(peer)

    def entitled(self, peer: WorkerId, entry: int) -> bool:
        """Return whether *peer* may have one more share of an entry: it is below its quota, or has the fewest."""
        below = self._below.get(entry)
        if below is None:
            below = self._below[entry] = {each for each in self._capacities if self._is_below(each, entry)}
        if below:
            return peer in below
        least = min(self._held_in_all[other] / capacity for other, capacity in self._capacities.items())
        return self._held_in_all[peer] / self._capacities[peer] == least

    def surplus(self, peer: WorkerId, entry: int) -> int:
        """Return how many more shares of an entry *peer* has than its quota."""
        return self._held[peer][entry] - self._quota(peer, self._unfinished[entry])

    def wanting(self, entry: int) -> bool:
        """Return whether some worker has fewer shares of an entry than its quota, rounded down."""
        shares = self._unfinished[entry]
        return any(
            self._held[peer][entry] < math.floor(shares * capacity / self._capacity + 1e-9)
            for peer, capacity in self._capacities.items()
        )

    def _on_division_changed(self) -> None:
        self._capacity = sum(self._capacities.values())
        self._below.clear()

    def _quota(self, peer: WorkerId, shares: int) -> int:
        return math.ceil(shares * self._capacities[peer] / self._capacity - 1e-9)

    def _is_below(self, peer: WorkerId, entry: int) -> bool:
        return self._held[peer][entry] < self._quota(peer, self._unfinished[entry]) and self._held_in_all[
            peer
        ] < self._quota(peer, self._unfinished.total())
