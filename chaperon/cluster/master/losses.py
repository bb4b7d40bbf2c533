"""The ledger of a run whose workers may be lost: what is written off with them, what late windows take back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from chaperon.cluster.fleet_caps import FleetCaps
from chaperon.cluster.master.leases import LeaseTable
from chaperon.cluster.master.lost_samples import LostVisits, censored_series
from chaperon.cluster.master.unseen import RunCourse, unseen_visits, visits_made_again
from chaperon.cluster.master.windows import LedgerChanges, LossCorrections
from chaperon.cluster.master.workers import WorkerRecord, WorkerRegistry
from chaperon.cluster.protocol.messages import Change
from chaperon.load.share import Share
from chaperon.measure.window import VisitCounts, Window
from chaperon.report.monitor import RunMonitor

ROWS_NOTE = "lost workers on unique rows: those taken after the last word may have been taken again"


class LossAccounting:
    """Adds the windows of all workers to the monitor's collector, and corrects the ledger for the workers given up.

    *begun*, where it is a parameter: whether the load has begun, without which nothing can be lost.
    """

    def __init__(
        self, monitor: RunMonitor, workers: WorkerRegistry, leases: LeaseTable, shares: Sequence[Share]
    ) -> None:
        self._monitor = monitor
        self._workers = workers
        self._leases = leases
        self._corrections = LossCorrections()
        self._caps = FleetCaps(monitor.reserved)
        self._unplanned = frozenset(share.label for share in shares if not share.load.has_plan)
        self._arriving = frozenset(share.label for share in shares if share.load.is_open)
        self._shares = {share.name: share for share in shares}
        self._scheduled = frozenset({share.label for share in shares} - self._unplanned)

    def __repr__(self) -> str:
        return f"<LossAccounting of {self._workers}>"

    @property
    def duplicated(self) -> int:
        """How many visits were made twice: by a worker that was given up and by its successor."""
        return self._corrections.duplicated

    @property
    def row_losers(self) -> int:
        """How many lost workers may have taken unique rows that others took again."""
        if not any(rows for worker in self._workers for _, rows in worker.windows.progress.values()):
            return 0
        return sum(
            worker.lost
            and any(
                not worker.all_windows_in or worker.windows.late_rows.get(name, 0) > rows
                for name, (_, rows) in worker.lost_shares.items()
            )
            for worker in self._workers
        )

    def give_up(self, worker: WorkerRecord, *, begun: bool, for_good: bool = False) -> None:
        """Give up a worker: its shares continue from their last known progress.

        Arrivals of an open load that are in no window are counted by the share's next worker, in the
        seconds in which they were due. They are written off here for other loads, and *for_good* at
        the end of a run, when there is no next worker.
        """
        worker.lost = True
        progress = worker.windows.progress
        reported_by_successor, known = set(), {}
        for lease in self._leases.all_leases(worker.peer):
            taken, rows = progress.get(lease.share, (lease.start, lease.rows))
            reported = worker.progress_log[lease]
            if reported is not None:
                rows = max(rows, reported.rows)
                if for_good or not self._shares[lease.share].load.is_open:
                    taken = max(taken, reported.reached)
                else:
                    reported_by_successor.add((lease.share, lease.attempt))
            known[lease.share] = taken, rows
            worker.loss_notes.add(self._shares[lease.share].load.lost_note)
        worker.lost_shares = {name: known[name] for name in self._leases.revoke(worker.peer, known)}
        if not begun:
            return
        unreported: Counter[tuple[str, int]] = Counter()
        for reported in worker.progress_log:
            if (reported.share, reported.attempt) not in reported_by_successor:
                for second, count in reported.unreported(progress.get(reported.share, (0, 0))[0]):
                    unreported[self._shares[reported.share].label, second] += count
        self.correct(worker.windows.write_off(unreported))
        for window in worker.windows.close():
            self.add(worker, window)
        self._monitor.collector.leave(
            worker.title, lost=not (worker.all_windows_known and worker.windows.acked >= worker.cut)
        )

    def add(self, worker: WorkerRecord, window: Window) -> bool:
        """Add a window, also of a worker that was given up; return whether the run must stop because of it."""
        late = worker.windows.closed
        found = worker.windows.recover(window) if late else {}
        self.correct(found)
        self.correct(self._corrections.record_window(window, given_up=late, scheduled=self._scheduled, found=found))
        return self._monitor.add(self._caps.apply(window))

    def add_lost_samples(self, unmade: LedgerChanges, until: float) -> None:
        """Add each lost visit as a censored sample, with the age it had at the last window of its worker."""
        shares = list(self._shares.values())
        for worker in self._workers:
            if not worker.lost:
                continue
            newest = worker.windows.newest_second
            # a dead engine's last window was cut at some moment within its second, others at its end
            seen = newest if worker.windows_until is not None else newest + 1
            lost = [LostVisits(label, due, count, seen) for (label, due), count in worker.windows.open.items()]
            lost += [
                LostVisits(label, second, count, second) for (label, second), count in worker.windows.unreported.items()
            ]
            series = censored_series(lost, shares)
            if series:
                self._monitor.collector.add_series(worker.title, max(newest, 0), series)
        never = [
            LostVisits(label, due, counts.lost + counts.dropped, until, begun=False)
            for (label, due), counts in unmade.items()
            if due <= until
        ]
        never += [
            LostVisits(label, due, count, seen, begun=False)
            for (label, due), (count, seen) in self._corrections.missed.items()
        ]
        for visits in never:
            series = censored_series([visits], shares)
            if series:
                self._monitor.collector.add_series("", visits.due, series)

    def estimate(
        self,
        workers: Iterable[WorkerRecord],
        *,
        began: float,
        finished: float,
        stopped: float | None,
        worker_timeout: float,
        changes: Sequence[Change],
    ) -> tuple[dict[str, int], int]:
        """Return about how many visits lost workers began and did not report, by title, and how many others made again.

        See `unseen_visits` and `visits_made_again`; the moments are readings of the clock.
        """
        ledger = self._monitor.collector.totals(histories=False).ledger
        planned = {label: counts.planned for label, counts in ledger.items()}
        lost = list(workers)
        course = RunCourse(began, finished, stopped, worker_timeout, changes, planned, self._shares, lost)
        unseen, again = {}, 0
        for worker in lost:
            unseen[worker.title] = unseen_visits(worker, course)
            again += visits_made_again(worker, course)
        return {title: count for title, count in unseen.items() if count}, again

    def update_in_flight(self, *, begun: bool) -> None:
        """Count the visits without an outcome in the windows of given-up workers as lost."""
        lost = [worker for worker in self._workers if worker.lost]
        self.correct(
            self._corrections.update_in_flight(
                {worker.peer: worker.windows for worker in lost}, arriving=self._arriving, scheduled=self._scheduled
            )
        )
        if begun:
            for worker in lost:
                self._monitor.collector.set_lost_visits(worker.title, worker.windows.lost)

    def correct(self, changes: Mapping[tuple[str, int], VisitCounts]) -> None:
        """Add *changes* to the ledger, by scenario label and second in which the visits were due."""
        if changes:
            self._monitor.collector.correct(changes)
