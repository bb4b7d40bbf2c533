"""A worker: one engine process that performs the shares its master leases it, for one run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.journal.orphaned_windows import EXIT_FAULT
from chaperon.cluster.protocol.fingerprint import fingerprint
from chaperon.cluster.protocol.messages import (
    CLOCK_PINGS,
    BundleChunk,
    Bye,
    Lease,
    LogLines,
    Message,
    Offer,
    Ping,
    Pong,
    Reject,
    State,
    Welcome,
)
from chaperon.cluster.transport.link import FAULTS, WorkerLink
from chaperon.cluster.worker.assignment import Assignment
from chaperon.cluster.worker.clock_offset import ClockOffset
from chaperon.cluster.worker.engine_codes import GIVEN_UP, LEFT, ORPHANED, OVER, REFUSED, UNABLE
from chaperon.cluster.worker.join import Identity, Join, Joined, LoadEnvironment
from chaperon.cluster.worker.log_sender import LogSender
from chaperon.cluster.worker.master_contact import MasterContact
from chaperon.cluster.worker.window_redactor import WindowRedactor
from chaperon.cluster.worker.window_sender import WindowSender
from chaperon.errors import OtherProtocol
from chaperon.execution.descriptor_check import descriptor_warning
from chaperon.load.background import spawn_watched
from chaperon.report.redaction.redaction import Redactor


class Worker:
    """Joins a master, performs the shares it is leased, leaves when all its windows have arrived.

    `run` blocks until then and returns one of the codes of `engine_codes`; *reason* is the reason, or "". *journal* is
    the folder of its journal. It waits *timeout* seconds for an answer of the master, None:
    without limit. With *fetch_bundle* it downloads the scenario from the master. *notify* is called with
    warnings, *announce* when it has joined or cannot, begins to send, and at the end of the run. Its messages
    contain no secret that *redact* or the environment knows. It sends the records of *logs* to the master.
    *send_name* gets the names that the journal does not write as they are, see `JournalTexts`.
    """

    def __init__(
        self,
        link: WorkerLink,
        identity: Identity,
        load_environment: LoadEnvironment,
        clock: Clock,
        *,
        journal: Path | None = None,
        fetch_bundle: bool = True,
        timeout: float | None = None,
        notify: Callable[[str], None] = lambda text: None,
        announce: Callable[[str], None] = lambda text: None,
        redact: Redactor | None = None,
        logs: LogSender | None = None,
        send_name: Callable[[int, str], object] = lambda number, name: None,
    ) -> None:
        self.reason = ""
        self._send_name = send_name
        self._logs = logs
        self._log_messages = 0
        self._redact = redact or Redactor()
        self._link = link
        self._identity = identity
        self._title = f"worker {identity.name}"
        self._clock = clock
        self._notify = notify
        self._announce = announce
        self._join = Join(
            link,
            identity,
            load_environment,
            clock,
            self._on_joined,
            fetch_bundle=fetch_bundle,
            timeout=timeout,
            notify=notify,
        )
        self._clock_offset = ClockOffset()
        self._sender = WindowSender(identity, link, clock, journal, notify)
        self._over = Event()
        self._code = OVER
        self._state: State = "loading"
        self._note = ""
        self._stop_run = ""
        self._fault = ""
        self.assignment: Assignment | None = None
        self._last_window_cut = False
        self._cut_before = 0
        self._pinged_at = -math.inf
        self._order = ""
        self._contact = MasterContact(clock.now(), self._on_suspend, self._on_resume)
        self._ready_at = math.inf
        self._asked_to_leave = 0

    def __repr__(self) -> str:
        return f"<Worker {self._identity.name}, {self._state}>"

    def run(self) -> int:
        """Join a master and perform one run; return the exit code of the process. Blocks."""
        self._link.listen(self._on_message, self._on_other_protocol, self._join.on_refused, self._on_connection)
        ticking = spawn_watched("the heartbeat of a worker", self._run_heartbeat, on_fault=self._on_crash)
        try:
            self._over.wait()
        finally:
            ticking.kill()
            self._link.close()
            self._sender.close()
        return self._code

    def leave(self) -> None:
        """Return all shares, then end; called twice: interrupt visits; thrice, or twice before the load: at once."""
        self._asked_to_leave += 1
        assignment = self.assignment
        if assignment is None or self._asked_to_leave > (2 if assignment.started else 1) or not assignment.busy:
            self._end(LEFT, "stopped by a signal")
        elif self._asked_to_leave == 2:
            assignment.stop()
        else:
            self._state, self._code, self.reason = "leaving", LEFT, "stopped by a signal"
            self._link.decline_offers()
            assignment.return_shares()
            if assignment.started:
                self._ping()
            else:
                self._on_load_ended()

    # Messages of the master

    def _on_message(self, message: Message) -> None:
        self._check_pause()
        welcome = self._join.welcome
        match message:
            case Pong():
                self._on_pong(message)
            case Offer(run=run, lease=lease):
                if welcome is not None and run == welcome.run and self._state in ("ready", "sending"):
                    self._ping(claims=(lease,))
            case Welcome():
                if self._join.handle_welcome(message):
                    self._contact.begin(self._clock.now(), message.worker_timeout)
                    self._sender.start_run(message.run, heartbeat_interval=self._contact.heartbeat_interval)
            case BundleChunk():
                self._join.handle_chunk(message)
            case Reject(why=why):
                self._end(REFUSED, f"the master refused this worker: {why}")
            case _:
                pass

    def _on_connection(self, connected: bool) -> None:
        """Pause as soon as the connection is closed: the master will lease this worker's shares to others."""
        if connected:
            self._join.on_connected()
            self._sender.resend_all()
            self._ping()
            self._sender.flush()
        elif self._join.welcome is not None:
            self._contact.suspend(self._clock.now(), "the connection to the master was closed")

    def _on_other_protocol(self, exc: OtherProtocol) -> None:
        self._end(REFUSED, str(exc))

    def _on_joined(self, joined: Joined) -> None:
        if joined.final:
            self._end(REFUSED, self._redact(joined.why))
            return
        if joined.plan is None or joined.shares is None:
            self._state, self._note, self._code = "failed", self._redact(joined.why), UNABLE
            self._announce(f"{self._title} cannot run the scenario: {self._note}")
        else:
            engines = self._join.welcome.workers if self._join.welcome else 1
            warning = descriptor_warning(joined.plan, engines)
            if warning is not None:
                self._notify(f"{self._title}: {warning}")
            redact = WindowRedactor(self._redact, self._is_known_to_master)
            redact.add(joined.plan.secrets)
            self.assignment = Assignment(
                joined.plan,
                joined.shares,
                self._sender,
                self._clock,
                worker=self._identity.name,
                engines=engines,
                suspended=self._is_suspended,
                knows_changes=self._knows_changes,
                on_share_ended=self._ping,
                stop_run=self._request_stop,
                on_fault=self._report_fault,
                on_end=self._on_load_ended,
                redact=redact,
                send_name=self._send_name,
            )
            if self._state == "loading":
                self._state, self._ready_at = "ready", self._clock.now()
                self._link.accept_offers()
                self._announce(f"{self._title} has joined, with the scenario loaded")
        self._contact.record_tick(self._clock.now())  # the time to import the scenario is not a pause
        self._ping()

    def _is_known_to_master(self, secret: str) -> bool:
        welcome = self._join.welcome
        return welcome is not None and fingerprint(secret, welcome.run) in welcome.known_secrets

    def _on_pong(self, pong: Pong) -> None:
        welcome, now = self._join.welcome, self._clock.now()
        if welcome is None or self._over.is_set():
            return
        if pong.run != welcome.run:
            self._abandon(ORPHANED, "the master has begun another run")
            return
        if not self._contact.record_pong(pong, now):
            return
        self._clock_offset.record(pong.sent_at, pong.received_at, pong.replied_at, now)
        self._sender.acknowledge(pong)
        if pong.order == "over":
            if not self._sender:
                self._send_logs()
                self._link.send(Bye(self._identity.name, self._identity.incarnation))
                self._end_run(pong)
            return
        if self.assignment is not None:
            self.assignment.update_leases(pong.leases)
            if pong.order == "run" and pong.began is not None and self._state == "ready":
                self._state = "sending"
                self._announce(f"{self._title} begins to send")
                began = pong.began - self._clock_offset.ahead
                self.assignment.start(began)
                if self._ready_at < began:  # else it came late, which is an event of the master's
                    self.assignment.record_suspension(began, now)
            self.assignment.apply_changes(pong.changes)
        if pong.order != self._order:
            self._order = pong.order
            if self.assignment is not None and self.assignment.started:
                self.assignment.apply_order(pong.order, pong.grace)
            elif pong.order in ("end", "stop", "kill"):
                if self.assignment is not None:
                    self.assignment.return_shares()
                self._on_load_ended()

    def _end_run(self, pong: Pong) -> None:
        if pong.given_up and self._state != "leaving":
            self._end(GIVEN_UP, "the master had given it up, and the run went on without it: it joins again")
            return
        if self._state == "leaving":
            how = "it has left the run"
        else:
            how = "the run is over" if pong.began is not None else "the master has ended before its run began"
        self._announce(f"{self._title}: {how}")
        self._end(self._code, self.reason)

    # Messages to the master

    def _on_load_ended(self) -> None:
        if self._state != "leaving":
            self._state = "ended"
        self._last_window_cut = True
        self._send_logs()
        self._ping()

    def _request_stop(self, reason: str) -> None:
        self._stop_run = self._stop_run or self._redact(reason)
        self._ping()

    def _report_fault(self, text: str) -> None:
        """Report a fault of Chaperon's own in every ping from now on."""
        self._fault = self._fault or f"{self._redact(text)} (on {self._identity.name})"
        self._ping()

    def _on_crash(self, text: str) -> None:
        """End at once, since no heartbeat follows; the supervisor reports the fault, which the exit code shows."""
        try:
            self._report_fault(text)
        finally:
            self._end(EXIT_FAULT, text)

    def _ping(self, claims: tuple[Lease, ...] = ()) -> None:
        welcome, mine = self._join.welcome, self._identity
        if welcome is None:
            return
        going, done, returned = self.assignment.share_states if self.assignment else ((), (), ())
        faults = self._link.dropped[FAULTS]
        fault = self._fault or (f"{faults} {FAULTS} (on {mine.name})" if faults else "")
        cut = self.assignment.cut if self.assignment else 0
        closing = self.assignment.closing if self.assignment and self._last_window_cut else None
        self._pinged_at = self._clock.now()
        ping = Ping(
            mine.name,
            mine.incarnation,
            welcome.run,
            self._state,
            self._pinged_at,
            self._note,
            claims,
            going,
            done,
            returned,
            cut,
            self._last_window_cut,
            self._stop_run,
            fault,
            closing,
        )
        self._link.send(ping)

    def _send_logs(self) -> None:
        welcome, mine = self._join.welcome, self._identity
        if self._logs is None or welcome is None or not (lines := self._logs.batch()):
            return
        self._log_messages += 1
        self._link.send(LogLines(mine.name, mine.incarnation, welcome.run, self._log_messages, lines))

    # Periodic work

    def _run_heartbeat(self) -> None:
        while True:
            self._tick()
            synchronized = self._clock_offset.exchanges >= CLOCK_PINGS
            self._clock.sleep(self._contact.heartbeat_interval / (2 if synchronized else 10))

    def _tick(self) -> None:
        now = self._check_pause()
        self._join.tick()
        welcome = self._join.welcome
        if welcome is None:
            return
        silent = self._contact.silence(now)
        if self._state == "leaving" and silent > welcome.worker_timeout:  # the master has given this worker up by now
            self._abandon(LEFT, f"stopped by a signal; no message from the master for {silent:.0f} s")
        elif silent > welcome.master_timeout:
            self._abandon(ORPHANED, f"no message from the master for {silent:.0f} s: nothing more is sent")
        elif self._contact.wants_new_connection(now):
            self._link.reconnect()
        self._send_logs()
        if not self._is_known_by_window(now):
            self._ping()
        self._sender.flush()

    def _is_known_by_window(self, now: float) -> bool:
        """Return whether a window that was cut since the last tick has what a ping would say.

        So a ping comes between two windows, once in each heartbeat interval, and the progress of shares is known
        twice in it. What else a ping says is sent at once.
        """
        cut = self.assignment.cut if self.assignment else 0
        new, self._cut_before = cut > self._cut_before, cut
        recent = now - self._pinged_at < self._contact.heartbeat_interval
        return new and recent and self._state == "sending" and not self._contact.is_suspended(now)

    def _check_pause(self) -> float:
        """Return the current time; if this process was paused, extend the deadlines for messages of the master."""
        now = self._clock.now()
        gap = self._contact.check_pause(now)
        if gap > 0:
            self._join.extend_deadlines(gap)
        return now

    def _is_suspended(self) -> bool:
        """Return whether no visit may start until the master answers."""
        return self._contact.is_suspended(self._clock.now())

    def _knows_changes(self, until: float) -> bool:
        """Return whether the changes of the load up to *until*, a reading of the clock, are known; else ask."""
        if self._contact.lease_renewed_at >= until:
            return True
        if self._pinged_at < until:
            self._ping()
        return False

    def _on_suspend(self, why: str) -> None:
        if self._state == "sending":
            self._notify(f"{self._title}: {why}: it pauses until the master answers")

    def _on_resume(self, since: float) -> None:
        if self.assignment is not None:
            self.assignment.record_suspension(since, self._clock.now())

    def _abandon(self, code: int, reason: str) -> None:
        """End without counting what is due from now on: other workers have the shares, or the run is over."""
        if self.assignment is not None:
            self.assignment.return_shares(at_once=True)
        self._end(code, reason)

    def _end(self, code: int, reason: str) -> None:
        if not self._over.is_set():
            self._code, self.reason = code, reason
            self._over.set()
