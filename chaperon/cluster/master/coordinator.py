"""The main loop of a master: handles messages, offers shares, gives up workers, ends the run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.master.admission import Admission
from chaperon.cluster.master.loss_limit import AGAIN, UNSEEN, losses_fault
from chaperon.cluster.master.quotas import WorkerId
from chaperon.cluster.master.state import MasterState
from chaperon.cluster.master.worker_logs import WorkerLogs
from chaperon.cluster.protocol.messages import (
    CHANGE_LEAD_TIME,
    Bye,
    Change,
    Fetch,
    Hello,
    LogLines,
    Message,
    Offer,
    Order,
    Ping,
    WindowFrame,
    WorkerDied,
)
from chaperon.cluster.transport.link import FAULTS, STRANGERS, MasterLink
from chaperon.cluster.transport.pause_detector import PauseDetector
from chaperon.errors import LoadError, UsageError, WorkersMissing
from chaperon.gc_tuning import reduced_gc
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.background import fault_text, say_fault
from chaperon.load.engine import PATIENCE
from chaperon.report.monitor import ABORT_GRACE, RunMonitor

WORKERS_LOOKED_AT = 200
"""How many workers are looked at in a hundredth of a heartbeat while shares are dealt: so it takes little of a core."""

MIN_SILENCE = 0.5
"""Seconds of silence after which a worker can be given up at the earliest; a heartbeat is a tenth of it."""

BROKEN_AFTER_PAUSE = 5.0
"""Seconds after a pause in which handshakes that end early are those of workers that waited for this process."""


@lazy_dataclass(frozen=True, slots=True)
class Patience:
    """Timeouts, in seconds.

    The master gives up a worker that sends nothing for *worker_timeout*. A worker that receives
    nothing for *master_timeout* stops. The master waits *gather* for its workers to join; None: without limit.
    Raises UsageError where one of the first two is too short.
    """

    worker_timeout: float = 10.0
    master_timeout: float = 30.0
    gather: float | None = None

    def __post_init__(self) -> None:
        if not MIN_SILENCE <= self.worker_timeout < math.inf:
            raise UsageError(
                f"a worker cannot be given up after a silence of {self.worker_timeout:g} s: "
                f"{MIN_SILENCE:g} s is the least"
            )
        least = 2 * self.heartbeat_interval
        if not least <= self.master_timeout < math.inf:
            raise UsageError(
                f"a dead-man time of {self.master_timeout:g} s is too short for a silence of "
                f"{self.worker_timeout:g} s, with which a worker hears of its master every "
                f"{self.heartbeat_interval:g} s: {least:g} s is the least"
            )

    @property
    def heartbeat_interval(self) -> float:
        """Seconds between two heartbeats."""
        return self.worker_timeout / 10


class Coordinator:
    """The main loop of a master: reads messages, updates the *state*, sends what follows from it.

    Visits in flight have *grace* seconds when a run is stopped. The run is INVALID if more than a
    share *lost* of all visits is lost. *on_end* is called last.
    """

    def __init__(
        self,
        state: MasterState,
        monitor: RunMonitor,
        link: MasterLink,
        admission: Admission,
        clock: Clock,
        *,
        patience: Patience,
        grace: float,
        lost: float,
        on_end: Callable[[], None],
    ) -> None:
        self.ended = Event()
        self._state = state
        self._monitor = monitor
        self._link = link
        self._admission = admission
        self._clock = clock
        self._patience = patience
        self._grace = grace
        self._lost = lost
        self._on_end = on_end
        self._worker_logs = WorkerLogs()
        self._deadline: float | None = None
        self._waiting_since = -math.inf
        self._pings: dict[WorkerId, tuple[bytes, float, float]] = {}
        self._pause_detector = PauseDetector(clock, patience.heartbeat_interval)
        self._paused_until = -math.inf
        self._offering = False
        self._wake = Event()
        self._step_due = False

    def __repr__(self) -> str:
        return f"<Coordinator of {self._state}>"

    def on_message(self, sender: bytes, message: Message) -> None:
        """Handle a message of a worker."""
        self._check_pause()
        now = self._clock.now()
        match message:
            case WindowFrame():
                if self._state.add_window(message):
                    self._grace = min(self._grace, ABORT_GRACE)
                    self.halt("stop")
                if self._state.is_dying(message):
                    self._step_soon()
            case Ping():
                self._answer_ping(sender, message, now)
            case Hello():
                self._admission.handle_hello(sender, message, now)
            case Fetch():
                self._admission.handle_fetch(sender, message)
            case WorkerDied():
                if self._state.record_death(message, now):
                    self._step_soon()
                self._link.send(sender, self._state.windows_received(message))
            case LogLines():
                if self._state.knows(message):
                    self._worker_logs.record(message)
            case Bye():
                self._state.record_leave(message, now)
            case _:
                pass

    def on_closed(self, peer: bytes, direct: bool) -> None:
        """Record that a worker's connection was closed.

        Unless it was *direct* the worker may not know: its shares are dealt to others when its
        leases have expired on its side, like those of a worker behind a cut link.
        """
        self._check_pause()
        if not direct:
            return
        self._state.workers.record_disconnect(peer, self._clock.now())

    def on_broken_handshake(self) -> None:
        """Count a connection that ended during its handshake as one of a stranger, who learns of the key first.

        Workers, too, close connections that this process did not answer while it was paused.
        """
        self._check_pause()
        if self._clock.now() - self._paused_until > BROKEN_AFTER_PAUSE:
            self._link.dropped[STRANGERS] += 1

    def wait_for_workers(self, wanted: int, notify: Callable[[str], None]) -> None:
        """Wait until *wanted* workers are ready and every share is leased, then begin the run. Blocks.

        A worker that has closed its connection, or is silent, does not count as ready. Raises
        WorkersMissing, and LoadError where one of them cannot run the scenario.
        """
        workers, leases = self._state.workers, self._state.leases
        self._pause_detector.check()  # time before this call does not count as a pause
        self._waiting_since = self._clock.now()
        printed, strangers = None, False
        while len(workers.eligible(self._clock.now())) < wanted or not leases.all_dealt:
            self._check_pause()
            now = self._clock.now()
            self._state.give_up_expired(now)
            for worker in workers.present:
                if worker.state == "failed":
                    raise LoadError(f"{worker.title} on {worker.hello.host} cannot run it: {worker.note}")
            ready, waited = len(workers.eligible(now)), now - self._waiting_since
            if self._patience.gather is not None and waited > self._patience.gather:
                raise WorkersMissing(
                    f"{ready} of {wanted} workers were ready after {waited:.0f} s: "
                    + (self._admission.refusals or "start the others, or ask for fewer with --workers")
                    + (f"; {self._link.dropped[STRANGERS]} {STRANGERS}" if strangers else "")
                )
            if self._link.dropped[STRANGERS] and not strangers:
                strangers = True
                notify(
                    "a connection was refused by the key: it has another key, or none, or one while this master "
                    "has none, or is of no worker"
                )
            if printed != ready:
                printed = ready
                notify(f"{ready} of {wanted} workers are ready")
            self._offering = ready >= wanted
            if self._offering:
                self._offer(now)
            rest = max(wanted / WORKERS_LOOKED_AT, 1.0) / 100 if self._offering else 0.1
            self._clock.sleep(rest * self._patience.heartbeat_interval)
        self._state.begin(self._clock.now() + self._patience.heartbeat_interval)

    def run(self) -> None:
        """Run the periodic step until the run has ended. Blocks."""
        with reduced_gc():
            while not self.ended.is_set():
                timer = self._clock.after(self._patience.heartbeat_interval / 5, self._wake.set)
                self._wake.wait()
                timer.cancel()
                self._wake.clear()
                self._step_due = False
                try:
                    self._step()
                except Exception as exc:
                    self._record_fault(exc)
                    self._conclude()

    def halt(self, order: Order) -> None:
        """Send all workers an order that ends the run, unless a stricter one is in force."""
        now = self._clock.now()
        if self._state.halt(order, now):
            grace = self._grace if order == "stop" else 0.0
            self._deadline = now + grace + 2 * PATIENCE + self._patience.worker_timeout
            self._resend_answers()

    def fault(self, what: str) -> None:
        """Record a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""
        self._monitor.add_fault(what)
        if self._state.order == "run":
            self._grace = min(self._grace, ABORT_GRACE)
            self.halt("stop")

    def on_crash(self, what: str) -> None:
        """Record a fault and end the run at once: its main loop has ended."""
        self._monitor.add_fault(what)
        self._conclude()

    def change_load(self, what: Literal["scale", "pause", "resume"], factor: float = 1.0, by: str = "") -> None:
        """Change the load of all workers at one moment, far enough ahead to reach all of them. Raises UsageError.

        Does nothing once the load is over, or was stopped.
        """
        began, now = self._state.began, self._clock.now()
        if began is None:
            raise UsageError("the run has not begun: a load is changed while it goes on")
        if self._state.order != "run":
            return
        at = max(now - began, 0.0) + CHANGE_LEAD_TIME
        self._state.changes.append(Change(what, at, factor, by))
        self._resend_answers()

    def release_workers(self) -> None:
        """Wait until the workers know that the run is over, two heartbeats at most, then close the link."""
        self._pause_detector.check()
        until = self._clock.now() + 2 * self._patience.heartbeat_interval
        while self._state.workers.present and self._clock.now() < until:
            self._clock.sleep(self._patience.heartbeat_interval / 20)
            until += self._check_pause()
        self._link.close()

    def _answer_ping(self, sender: bytes, ping: Ping, now: float) -> None:
        if ping.run == self._state.run and not self.ended.is_set():
            self._apply_ping(ping)
        self._link.send(sender, self._state.answer(ping, now, grace=self._grace, connection=sender))
        worker = self._state.workers[ping.worker, ping.incarnation]
        if worker is not None and worker.present:
            self._pings[worker.peer] = worker.connection, ping.sent_at, now
        if (ping.claims or ping.returned) and self._offering and self._state.order in ("wait", "run"):
            self._send_offers(now, refused=False)
        if ping.returned or ping.over or ping.state == "failed":
            self._step_soon()

    def _apply_ping(self, ping: Ping) -> None:
        """Record why a worker ends the run; workers repeat both fields in every ping."""
        if ping.fault:
            self.fault(ping.fault)
        if ping.stop:
            self._monitor.set_aborted(ping.stop)
            if self._state.order == "run":
                self.halt("stop")

    def _step_soon(self) -> None:
        """Do what is due within a hundredth of a heartbeat: once for all messages that arrive until then."""
        if not self._step_due:
            self._step_due = True
            self._clock.after(self._patience.heartbeat_interval / 100, self._wake.set)

    def _step(self) -> None:
        """Do what is due. Idempotent: may be called at any time."""
        self._check_pause()
        state, now = self._state, self._clock.now()
        if self.ended.is_set() or state.began is None:
            return
        state.give_up_expired(now)
        if state.order == "run":
            self._offer(now)
            if state.leases.all_done:
                self.halt("end")
            elif state.without_workers(now):
                self._monitor.add_fault("no worker is left")
                state.give_up_on_workers()
                self.halt("stop")
        if self._deadline is not None and (state.complete or now > self._deadline):
            self._conclude()

    def _check_pause(self) -> float:
        """Extend all deadlines by a pause of this process; return its length in seconds."""
        gap = self._pause_detector.check()
        if gap:
            self._paused_until = self._clock.now()
        if gap and not self.ended.is_set():
            self._state.extend_deadlines(gap)
            self._waiting_since += gap
            self._deadline = None if self._deadline is None else self._deadline + gap
        return gap

    def _offer(self, now: float) -> None:
        self._state.divide_shares(now)
        self._send_offers(now, refused=True)

    def _send_offers(self, now: float, *, refused: bool) -> None:
        """Offer shares until the queue to the workers is full: the rest is offered when one of these is claimed."""
        leases = self._state.leases
        for lease in leases.offers(now, refused=refused):
            if not self._link.offer(Offer(self._state.run, lease)):
                leases.withdraw_offer(lease)
                return

    def _resend_answers(self) -> None:
        """Answer the last ping of every present worker once more, so that it learns at once what has changed."""
        now = self._clock.now()
        for peer, (sender, sent_at, received_at) in list(self._pings.items()):
            worker = self._state.workers[peer]
            if worker is None or not worker.present:
                del self._pings[peer]
                continue
            self._link.send(sender, self._state.reply(worker, sent_at, received_at, now, grace=self._grace))

    def _conclude(self) -> None:
        if self.ended.is_set():
            return
        try:
            self._state.conclude(self._clock.now())
            self._add_notes()
        except BaseException as exc:
            self._record_fault(exc)
        finally:  # after any fault too, or `wait` would block for ever
            self._on_end()
            self.ended.set()

    def _record_fault(self, exc: BaseException) -> None:
        text = fault_text("the master", exc)
        self._monitor.add_fault(text)
        say_fault(text, exc)

    def _add_notes(self) -> None:
        for what, times in self._link.dropped.items():
            self._monitor.collector.count_note(f"{what}, dropped", times)
        faults = self._link.dropped[FAULTS]
        if faults:
            self._monitor.add_fault(f"{faults} {FAULTS}")
        totals, unseen = self._monitor.collector.totals(histories=False), self._state.unseen
        if unseen:
            self._monitor.collector.count_note(UNSEEN, sum(unseen.values()))
        if self._state.made_again:
            self._monitor.collector.count_note(AGAIN, self._state.made_again)
        fault = losses_fault(totals, unseen, self._lost)
        if fault:
            self._monitor.add_fault(fault)
