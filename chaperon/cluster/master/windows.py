"""Windows by worker: put in order, counted once; corrections of the ledger for lost workers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from chaperon.measure.window import VisitCounts, Window

LedgerKey = tuple[str, int]
"""(scenario label, second in which the visits were due)"""

LedgerChanges = dict[LedgerKey, VisitCounts]


MAX_AHEAD = 64
"""How many numbers beyond the first missing window are accepted: a worker has eight windows under way."""
MAX_AHEAD_BYTES = 64 << 20
"""Packed size of the windows of one worker that wait for a missing one, in bytes."""
TOO_FAR_AHEAD = (
    f"windows more than {MAX_AHEAD} numbers or {MAX_AHEAD_BYTES:,} bytes beyond a missing one: refused until then"
)

_NONE = VisitCounts()


class WindowSequencer:
    """Puts the windows of one incarnation of a worker in order and removes duplicates.

    *acked* is the number up to which all windows are there. *planned* is how many visits of each scenario label they
    have, *progress* is that of the shares in these windows, *missing* how many are missing before the newest. Once
    *closed*, windows are passed on as they arrive; *late_rows* are the unique rows of each share in those.
    """

    def __init__(self) -> None:
        self._unreported: Counter[LedgerKey] = Counter()
        self.acked = 0
        self.newest_second = -1
        self.missing = 0
        self._newest = self._recorded = 0
        self.planned: Counter[str] = Counter()
        self.duplicates = 0
        self.closed = False
        self.progress: dict[str, tuple[int, int]] = {}
        self.late_rows: dict[str, int] = {}
        self.open: defaultdict[LedgerKey, int] = defaultdict(int)
        self._waiting: dict[int, Window] = {}
        self._sizes: dict[int, int] = {}
        self._seen_late: set[int] = set()

    def __repr__(self) -> str:
        return f"<WindowSequencer up to window {self.acked}, {len(self._waiting)} waiting>"

    def has_room(self, seq: int, size: int) -> bool:
        """Return whether window *seq*, of *size* bytes when packed, is accepted; its sender repeats one that is not."""
        ahead = seq - self.acked - 1
        return ahead <= 0 or (ahead <= MAX_AHEAD and sum(self._sizes.values()) + size <= MAX_AHEAD_BYTES)

    def accept(self, window: Window, size: int = 0) -> list[Window]:
        """Accept one window, of *size* bytes when packed; return those that can be added up now."""
        if window.seq <= self.acked or window.seq in self._waiting or window.seq in self._seen_late:
            self.duplicates += 1
            return []
        self._waiting[window.seq], self._sizes[window.seq] = window, size
        ready = []
        while self.acked + 1 in self._waiting or self.acked + 1 in self._seen_late:
            self.acked += 1
            self._seen_late.discard(self.acked)
            if self.acked in self._waiting:
                ready.append(self._waiting.pop(self.acked))
        if self.closed:
            ready += self._flush()
        self._sizes = {seq: size for seq, size in self._sizes.items() if seq in self._waiting}
        for each in ready:
            self._record(each)
        return ready

    def close(self) -> list[Window]:
        """Stop waiting for missing windows; return those that waited for one."""
        self.closed = True
        ready = self._flush()
        for each in ready:
            self._record(each, late=True)
        return ready

    @property
    def lost(self) -> int:
        """How many visits have an unknown outcome if no further window arrives."""
        return sum(max(count, 0) for count in self.open.values()) + self.unreported.total()

    @property
    def ahead(self) -> tuple[int, ...]:
        """The numbers of the windows beyond the first missing one."""
        return tuple(sorted({*self._waiting, *self._seen_late})) if self._waiting or self._seen_late else ()

    @property
    def first_second(self) -> int:
        """The second of the run of its first window, which may be missing; 0 if none has come."""
        return self.newest_second - self._newest + 1 if self._newest else 0

    def write_off(self, unreported: Mapping[LedgerKey, int]) -> LedgerChanges:
        """Record visits that were begun but are in no window; return them as lost."""
        self._unreported.update(unreported)
        return {place: VisitCounts(planned=count, lost=count) for place, count in unreported.items() if count}

    def recover(self, window: Window) -> LedgerChanges:
        """Return the corrections for visits written off that a late window contains, those of the same second first."""
        changes: LedgerChanges = {}
        for (label, second), counts in window.ledger.items():
            left = counts.planned
            theirs = (place for place in self._unreported if place[0] == label)
            for place in sorted(theirs, key=lambda place: (place[1] != second, place[1])):
                found = min(self._unreported[place], left)
                if found > 0:
                    left -= found
                    self._unreported[place] -= found
                    changes.setdefault(place, VisitCounts()).add(VisitCounts(planned=-found, lost=-found))
        return changes

    def _flush(self) -> list[Window]:
        ready = [self._waiting.pop(seq) for seq in sorted(self._waiting)]
        self._seen_late.update(window.seq for window in ready)
        self._sizes.clear()
        return ready

    @property
    def unreported(self) -> Counter[LedgerKey]:
        """Visits that were begun but are in no window, by the second in which they were reported."""
        return self._unreported - self.ended_unreported

    @property
    def ended_unreported(self) -> Counter[LedgerKey]:
        """Visits written off of which a window has the end, while that of their beginning never came."""
        ended: Counter[str] = Counter()
        for (label, _), count in self.open.items():
            ended[label] += max(-count, 0)
        found: Counter[LedgerKey] = Counter()
        if any(ended.values()):
            for place in sorted(self._unreported, key=lambda place: place[1]):
                found[place] = min(self._unreported[place], ended[place[0]])
                ended[place[0]] -= found[place]
        return found

    def _record(self, window: Window, *, late: bool = False) -> None:
        self.newest_second = max(self.newest_second, window.at)
        self._newest = max(self._newest, window.seq)
        self._recorded += 1
        self.missing = self._newest - self._recorded
        for place, counts in window.ledger.items():
            self.planned[place[0]] += counts.planned
            self.open[place] += counts.planned - counts.ended
            if not self.open[place]:
                del self.open[place]
        for share, (taken, _, rows) in window.progress.items():
            if not (late or self.closed):
                self.progress[share] = (taken, rows)
            elif rows:
                self.late_rows[share] = max(self.late_rows.get(share, 0), rows)


class LossCorrections:
    """Corrections of the ledger for lost workers; each is returned once.

    A visit that a lost worker had begun is lost, unless a late window has its outcome. An arrival
    that became due while its share had no worker is counted as lost by the share's next worker; if a late
    window shows that the lost worker made it, that is corrected.
    """

    def __init__(self) -> None:
        self._in_flight: dict[LedgerKey, VisitCounts] = {}
        self._again = 0
        self._declared: defaultdict[LedgerKey, int] = defaultdict(int)
        self._declared_until: dict[LedgerKey, int] = {}
        self._late: defaultdict[LedgerKey, int] = defaultdict(int)
        self._corrected: defaultdict[LedgerKey, int] = defaultdict(int)

    @property
    def duplicated(self) -> int:
        """How many visits were made twice: by a worker that was given up and by its successor."""
        return sum(self._late.values()) - sum(self._corrected.values()) + self._again

    @property
    def missed(self) -> Mapping[LedgerKey, tuple[int, int]]:
        """Arrivals that no worker made while their share had none: how many, the second in which that was known."""
        return {
            place: (count - self._corrected[place], self._declared_until[place])
            for place, count in self._declared.items()
        }

    def record_window(
        self, window: Window, *, given_up: bool, scheduled: frozenset[str], found: LedgerChanges
    ) -> LedgerChanges:
        """Record a window and return the corrections that follow; *given_up*: its worker was given up before.

        *found* are visits in it that had been written off. *scheduled* are the labels whose visits
        are fixed by the plan, so that a visit can be made twice.
        """
        changed = []
        spare: dict[str, int] = {}  # no Counter: making one takes longer than all else here
        for (label, _), counts in found.items():
            spare[label] = spare.get(label, 0) - counts.planned
        for place, counts in window.ledger.items():
            if counts.lost:
                self._declared[place] += counts.lost
                self._declared_until[place] = max(self._declared_until.get(place, 0), window.at)
                changed.append(place)
            if given_up and counts.planned and place[0] in scheduled:
                left = spare.get(place[0], 0)
                known = min(left, counts.planned)
                spare[place[0]] = left - known
                self._late[place] += counts.planned - known
                changed.append(place)
        changes: LedgerChanges = {}
        for place in changed:
            known = min(self._declared.get(place, 0), self._late.get(place, 0))
            more = known - self._corrected[place]
            if more:
                self._corrected[place] = known
                changes[place] = VisitCounts(planned=-more, lost=-more)
        return changes

    def update_in_flight(
        self,
        sequencers: Mapping[object, WindowSequencer],
        *,
        arriving: Collection[str] = (),
        scheduled: Collection[str] = (),
    ) -> LedgerChanges:
        """Return the changed counts of visits that the windows of given-up workers have by half.

        Those without an outcome are lost. Those of which no window has the beginning, as it never came, were planned,
        unless they were written off, and made again where the plan fixes the visits of their label, as in *scheduled*.
        Of labels *arriving* they were counted as lost meanwhile.
        """
        now: defaultdict[LedgerKey, VisitCounts] = defaultdict(VisitCounts)
        self._again = 0
        for sequencer in sequencers.values():
            for place, count in sequencer.open.items():
                if count > 0 or place[0] in arriving:
                    now[place].lost += count
                else:
                    now[place].planned -= count
                    self._again -= count if place[0] in scheduled else 0
            for place, count in sequencer.ended_unreported.items():
                if count and place[0] not in arriving:
                    now[place].add(VisitCounts(planned=-count, lost=-count))
                    self._again -= count if place[0] in scheduled else 0
        changes = {}
        for place in {*now, *self._in_flight}:
            new, old = now.get(place, _NONE), self._in_flight.get(place, _NONE)
            if new != old:
                changes[place] = VisitCounts(planned=new.planned - old.planned, lost=new.lost - old.lost)
        self._in_flight = dict(now)
        return changes
