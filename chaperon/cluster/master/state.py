"""The state of a master: workers, share leases, lost visits. No I/O; time is a parameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from chaperon.cluster.master.leases import LeaseTable
from chaperon.cluster.master.losses import ROWS_NOTE, LossAccounting
from chaperon.cluster.master.quotas import WorkerId
from chaperon.cluster.master.unmade import unmade_visits
from chaperon.cluster.master.windows import TOO_FAR_AHEAD, LedgerChanges
from chaperon.cluster.master.workers import LAST_WINDOWS_WITHIN, WorkerRecord, WorkerRegistry
from chaperon.cluster.protocol.messages import (
    Bye,
    Change,
    Hello,
    LogLines,
    Order,
    Ping,
    Pong,
    WindowFrame,
    WindowsReceived,
    WorkerDied,
)
from chaperon.load.live_changes import LiveChanges
from chaperon.load.plan import due_visits
from chaperon.load.share import Share
from chaperon.measure.encoding.window_codec import unpack_window
from chaperon.measure.plain_text import WORDS, encodable
from chaperon.measure.window import RunEvent
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor

DUPLICATED = "visits that a worker given up has made, and its successor again"
STOOD_STILL = "seconds in which the master stood still: no worker's silence meanwhile counts"
_BY_STRICTNESS: tuple[Order, ...] = ("wait", "run", "end", "stop", "kill", "over")


class MasterState:
    """The state of a master, changed by messages; *now* is the master's clock, in seconds.

    A worker that sends nothing for *worker_timeout* seconds is given up. *unseen* are, after the end, the estimated
    visits of lost workers that are in no count, by title, *made_again* those that others made again. *on_event* is
    called with the text of each event: a worker that was lost, left, or joined after the beginning.
    """

    def __init__(
        self,
        run: int,
        monitor: RunMonitor,
        shares: Sequence[Share],
        *,
        worker_timeout: float,
        on_event: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.run = run
        self.order: Order = "wait"
        self.began: float | None = None
        self.finished: float | None = None
        self.workers = WorkerRegistry(worker_timeout)
        self.leases = LeaseTable(shares, offer_interval=worker_timeout / 10)
        self._worker_timeout = worker_timeout
        self.changes: list[Change] = []
        self._monitor = monitor
        self._on_event = on_event
        self._shares = shares
        self._losses = LossAccounting(monitor, self.workers, self.leases, shares)
        self._stopped_at: float | None = None
        self.unseen: dict[str, int] = {}
        self.made_again = 0
        self._unable: set[WorkerId] = set()
        self._without_workers_since: float | None = None
        self._gave_up_on_workers = False

    def __repr__(self) -> str:
        return f"<MasterState at «{self.order}»: {self.workers}, {self.leases}>"

    @property
    def collector(self) -> Collector:
        """The collector of all windows."""
        return self._monitor.collector

    # Messages of workers

    def admit(self, hello: Hello, now: float) -> WorkerRecord | str | None:
        """Return the record of an admitted worker, the reason for a refusal, or None: it asks again."""
        if self.order not in ("wait", "run"):
            return None
        admitted = self.workers.admit(hello, now)
        if isinstance(admitted, WorkerRecord):
            admitted.last_heard_at = now
        return admitted

    def answer(self, ping: Ping, now: float, *, grace: float, connection: bytes = b"") -> Pong:
        """Record the state of a worker, whose ping came by a *connection*, and return the answer."""
        worker = self.workers[ping.worker, ping.incarnation]
        if worker is None or ping.run != self.run:
            # a worker of another run learns from the number that its run is over
            return Pong(self.run, "wait", ping.sent_at, now, now, None, 0.0, 0)
        worker.record_ping(ping, now, self._second(now), connection)
        self._record_inability(worker, now)
        if worker.present:
            self.leases.confirm(worker.peer, ping.leases)
            for lease in ping.done:
                self.leases.complete(worker.peer, lease)
            for lease in ping.returned:
                self.leases.accept_return(worker.peer, lease)
            for lease in ping.claims:
                if self.leases.claim(worker.peer, lease):
                    worker.progress_log.add(lease)
        return self.reply(worker, ping.sent_at, now, now, grace=grace)

    def reply(self, worker: WorkerRecord, sent_at: float, received_at: float, now: float, *, grace: float) -> Pong:
        """Return what a worker should do, as the answer to a ping *sent_at* by its clock and *received_at* by ours."""
        if worker.over and self.order in ("end", "stop", "kill"):
            self.finished = now if self.finished is None or self.order != "end" else self.finished
        return Pong(
            self.run,
            self._order_for(worker),
            sent_at,
            received_at,
            now,
            self.began,
            grace,
            worker.windows.acked,
            worker.windows.ahead,
            self.leases.leases(worker.peer) if worker.present else (),
            tuple(self.changes),
            worker.lost and self.order in ("wait", "run"),
        )

    def knows(self, message: LogLines) -> bool:
        """Return whether a message is of this run and of a worker that was admitted to it."""
        return message.run == self.run and self.workers[message.worker, message.incarnation] is not None

    def add_window(self, frame: WindowFrame) -> bool:
        """Add a window; return whether the run must stop because of it. Raises WireError."""
        worker = self.workers[frame.worker, frame.incarnation]
        if worker is None or frame.run != self.run or self.began is None or self.order == "over":
            return False
        if not worker.windows.has_room(frame.seq, len(frame.body)):
            self.collector.count_note(TOO_FAR_AHEAD)
            return False
        window = unpack_window(frame.body, worker.title, began=self.began)
        stop = False
        for each in worker.windows.accept(window, len(frame.body)):
            stop = self._losses.add(worker, each) or stop
        if worker.windows.closed:
            self._losses.update_in_flight(begun=True)
        return stop

    def record_death(self, dead: WorkerDied, now: float) -> bool:
        """Record that an engine has died; its last windows may still arrive. Return whether that was unknown."""
        worker = self.workers[dead.worker, dead.incarnation]
        if worker is not None and dead.fault and self.order != "over":
            self._monitor.add_fault(dead.fault)
        if worker is None or not worker.present or worker.windows_until is not None:
            return False
        worker.cut, worker.all_windows_known = max(worker.cut, dead.cut), dead.cut > 0
        worker.windows_until = now + LAST_WINDOWS_WITHIN * self._worker_timeout
        return True

    def windows_received(self, dead: WorkerDied) -> WindowsReceived:
        """Return which windows of a dead engine have arrived; all, if no more are accepted."""
        worker = self.workers[dead.worker, dead.incarnation]
        if worker is None or self.order == "over":
            return WindowsReceived(dead.worker, dead.incarnation, dead.cut)
        return WindowsReceived(dead.worker, dead.incarnation, worker.windows.acked, worker.windows.ahead)

    def is_dying(self, frame: WindowFrame) -> bool:
        """Return whether a window is of a dead engine; its shares are leased again once all have arrived."""
        worker = self.workers[frame.worker, frame.incarnation]
        return worker is not None and worker.present and worker.windows_until is not None

    def extend_deadlines(self, gap: float) -> None:
        """Extend all deadlines by *gap* seconds, in which the master did not run."""
        self.workers.extend_deadlines(gap)
        self.leases.extend_deadlines(gap)
        if self._without_workers_since is not None:
            self._without_workers_since += gap
        self.collector.count_note(STOOD_STILL, max(round(gap), 1))

    def record_leave(self, bye: Bye, now: float) -> None:
        """Record that a worker has left in order. A share it was leased, and left before it knew, is free again."""
        worker = self.workers[bye.worker, bye.incarnation]
        if worker is not None and worker.complete and not worker.lost:
            worker.left = True
            if self.order in ("wait", "run"):
                for lease in self.leases.all_leases(worker.peer):
                    self.leases.accept_return(worker.peer, lease)
            if self.order == "run":
                self._add_event("left", f"{worker.title} left", now)
            self.collector.leave(worker.title)

    # The course of the run

    def begin(self, at: float) -> None:
        """Begin the run at *at*, a moment in the future."""
        self.began, self.order = at, "run"
        for worker in self.workers.ready:
            worker.joined = True

    def halt(self, order: Order, now: float) -> bool:
        """Set an order that ends the run, unless a stricter one is in force; return whether it was set."""
        if _BY_STRICTNESS.index(order) <= _BY_STRICTNESS.index(self.order):
            return False
        if self._stopped_at is None and order in ("stop", "kill"):
            self._stopped_at = now
        if order == "end":
            self.finished = now
        self.order = order
        return True

    def give_up_on_workers(self) -> None:
        """Record that no worker is left: the ledger then contains the whole plan."""
        self._gave_up_on_workers = True

    def divide_shares(self, now: float) -> None:
        """Divide the shares among the workers that are eligible now."""
        eligible = self.workers.eligible(now)
        if self.began is not None:
            for worker in eligible:
                self.collector.join(worker.title)
                if not worker.joined:
                    worker.joined = True
                    self._add_event("joined", f"{worker.title} joined", now)
        self.leases.set_capacities({worker.peer: worker.hello.capacity for worker in eligible})

    def give_up_expired(self, now: float) -> list[WorkerRecord]:
        """Give up the workers whose deadlines have passed; return them."""
        gone = self.workers.expired(now)
        for worker in gone:
            if self.began is not None:
                self._add_event("lost", f"{worker.title} lost: {worker.why_lost(self.began)}", now)
            self._losses.give_up(worker, begun=self.began is not None)
        if gone:
            self._losses.update_in_flight(begun=self.began is not None)
        return gone

    def without_workers(self, now: float) -> bool:
        """Return whether there has been no worker for the worker timeout."""
        if self.workers.present:
            self._without_workers_since = None
        elif self._without_workers_since is None:
            self._without_workers_since = now
        return self._without_workers_since is not None and now - self._without_workers_since > self._worker_timeout

    @property
    def complete(self) -> bool:
        """Whether everything that workers will send has arrived."""
        return all(worker.complete for worker in self.workers)

    def conclude(self, now: float) -> None:
        """End the run: write off visits that no worker made, add the notes of the report."""
        self.finished = now if self.finished is None else self.finished
        for worker in self.workers:
            if not worker.complete:
                self._monitor.add_fault(f"{worker.title} did not report its end: its last visits are unknown")
                self._losses.give_up(worker, begun=self.began is not None, for_good=True)
        incomplete = [worker for worker in self.workers if worker.lost and not worker.all_windows_in]
        for note in [note for worker in incomplete for note in worker.loss_notes]:
            self.collector.count_note(note)
        if losers := self._losses.row_losers:
            self.collector.count_note(ROWS_NOTE, losers)
        if incomplete and self.began is not None:
            self.unseen, self.made_again = self._losses.estimate(
                incomplete,
                began=self.began,
                finished=self.finished,
                stopped=self._stopped_at,
                worker_timeout=self._worker_timeout,
                changes=self.changes,
            )
        unmade: LedgerChanges = {}
        until = 0.0
        if self.began is not None:
            until = (self.finished if self._stopped_at is None else self._stopped_at) - self.began
            changes = self._changes_until(until)
            unmade = unmade_visits(self.leases.unowned, changes, until=until, whole=self._gave_up_on_workers)
            self._losses.correct(unmade)
        self._losses.update_in_flight(begun=self.began is not None)
        self._losses.add_lost_samples(unmade, until)
        if self._losses.duplicated > 0:
            self.collector.count_note(DUPLICATED, self._losses.duplicated)
        if self.began is not None:
            self._check_plan(self.began, self._changes_until(until))
        self.order = "over"

    def _check_plan(self, began: float, changes: LiveChanges) -> None:
        """Compare the ledger with the plan, which comes from the loads alone, and workers with their windows.

        A worker that was given up is left out, since its missing visits are written off. If the run
        was stopped, workers received that at different moments: visits due before the first are the minimum.
        """
        closings = {worker.title: worker.closing for worker in self.workers if worker.closing and not worker.lost}
        stops = [said.stopped for said in closings.values() if said.stopped is not None]
        stopped = None if self._stopped_at is None else min([self._stopped_at - began, *stops])
        plan = due_visits(self._shares, changes, stopped=stopped)
        due = {label: (least, exact and stopped is None) for label, (least, exact) in plan.items()}
        self._monitor.reconcile(closings, due, duplicated=max(self._losses.duplicated, 0))

    def _record_inability(self, worker: WorkerRecord, now: float) -> None:
        """Add an event, once, where a worker that came after the beginning cannot load the scenario."""
        if worker.state == "failed" and self.order == "run" and worker.peer not in self._unable:
            self._unable.add(worker.peer)
            self._add_event(
                "lost", f"{worker.title} on {worker.hello.host} cannot run the scenario: {worker.note}", now
            )

    def _add_event(self, kind: str, text: str, now: float) -> None:
        """Add an event of the run, which has begun, to the report."""
        text = encodable(text, WORDS)
        self.collector.add_event(RunEvent(max(now - (self.began or 0.0), 0.0), kind, text))
        self._on_event(text)

    def _second(self, now: float) -> int:
        return 0 if self.began is None else max(int(now - self.began), 0)

    def _order_for(self, worker: WorkerRecord) -> Order:
        if worker.over and worker.windows.acked >= worker.cut:
            return "over"
        if (worker.lost or worker.state == "leaving") and self.order in ("wait", "run", "end"):
            return "stop"
        return self.order

    @property
    def live_changes(self) -> LiveChanges:
        """Return the changes of the load so far."""
        return self._changes_until(math.inf)

    def _changes_until(self, offset: float) -> LiveChanges:
        """Return the changes of the load up to an offset of the run; one beyond its end had no effect."""
        found = LiveChanges()
        for change in self.changes:
            if change.at <= offset:
                change.apply(found)
        return found
