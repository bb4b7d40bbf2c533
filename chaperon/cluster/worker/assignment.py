"""The shares leased to a worker in one run, and the load that performs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from chaperon.clock import Clock
from chaperon.cluster.journal.journal_texts import JournalTexts
from chaperon.cluster.protocol.messages import Change, Lease, Order
from chaperon.cluster.worker.window_redactor import WindowRedactor
from chaperon.cluster.worker.window_sender import WindowSender
from chaperon.execution.load_builder import build_local_load
from chaperon.execution.local_load import LocalLoad
from chaperon.execution.plan import RunPlan
from chaperon.forks import end_in_children
from chaperon.load.background import OnFault, fault_text, say_fault, spawn_watched
from chaperon.load.engine import Leasing
from chaperon.load.share import Share
from chaperon.measure.closing import Closing
from chaperon.measure.window import RunEvent, Window
from chaperon.report.monitor import ABORT_GRACE
from chaperon.session.context import StopRun

SUSPENDED = "no visit was started while the master did not answer"
CHANGED_LATE = {
    "scale": "the load was not scaled yet, as the master's order had not come",
    "pause": "the load was not paused yet, as the master's order had not come",
    "resume": "the load was not resumed yet, as the master's order had not come",
}
SUSPENSION_TOLD = 1.0
"""Seconds without a visit, or with the load before a change, from which on they are an event."""

ShareStates = tuple[tuple[Lease, ...], tuple[Lease, ...], tuple[Lease, ...]]
"""Leases that are active, done and returned, each with the progress of its share."""


class Assignment:
    """Holds the leases of *shares* and, from `start` on, performs them.

    Windows are sent by *sender*, after *redact*. *engines* processes perform the whole load. No visit
    starts while *suspended()*. *knows_changes* returns whether the changes of the load up to a reading of the clock
    have arrived. *on_share_ended* is called when a share is done or returned,
    *stop_run* when a scenario stops the run, *on_fault* on a fault of Chaperon's own, *on_end* after
    the last window. *send_name* gets names that the journal does not write as they are, see `JournalTexts`.
    """

    def __init__(
        self,
        plan: RunPlan,
        shares: Mapping[str, Share],
        sender: WindowSender,
        clock: Clock,
        *,
        worker: str,
        engines: int,
        suspended: Callable[[], bool],
        knows_changes: Callable[[float], bool],
        on_share_ended: Callable[[], object],
        stop_run: StopRun,
        on_fault: OnFault,
        on_end: Callable[[], object],
        redact: WindowRedactor,
        send_name: Callable[[int, str], object],
    ) -> None:
        self._redact = redact
        self._secrets_found = 0
        self._texts = JournalTexts(redact.text, redact.name, send_name, self._add_secrets)
        self.load: LocalLoad | None = None
        self._plan = plan
        self._shares = shares
        self._sender = sender
        self._clock = clock
        self._worker = worker
        self._engines = engines
        self._suspended = suspended
        self._knows_changes = knows_changes
        self._on_share_ended = on_share_ended
        self._stop_run = stop_run
        self._on_fault = on_fault
        self._on_end = on_end
        self._leases: dict[str, Lease] = {}
        self._returned_unstarted: dict[str, Lease] = {}
        self._over = False
        self._began = self._started_at = 0.0
        self._changes_applied = 0

    def __repr__(self) -> str:
        return f"<Assignment of {self._worker}: {len(self._leases)} shares>"

    @property
    def started(self) -> bool:
        """Whether the load has been started."""
        return self.load is not None

    @property
    def busy(self) -> bool:
        """Whether the load has been started, or it has shares to start."""
        return self.load is not None or bool(self._leases)

    @property
    def share_states(self) -> ShareStates:
        """The state of every share."""
        if self.load is None:
            return tuple(self._leases.values()), (), tuple(self._returned_unstarted.values())
        states, progress = self.load.engine.share_states, self.load.engine.progress
        by: dict[str, list[Lease]] = {"going": [], "done": [], "returned": [*self._returned_unstarted.values()]}
        for name, lease in self._leases.items():
            if name not in progress:  # leased after the load had ended
                by["returned"].append(lease)
                continue
            taken, _, rows = progress[name]
            by[states[name]].append(lease._replace(start=taken, rows=rows))
        return tuple(by["going"]), tuple(by["done"]), tuple(by["returned"])

    @property
    def cut(self) -> int:
        """The number of the newest window that was cut."""
        return 0 if self.load is None else self.load.cut

    @property
    def closing(self) -> Closing | None:
        """The final totals, counted apart from the windows; None before the start."""
        return None if self.load is None else self.load.closing

    def record_suspension(self, since: float, until: float) -> None:
        """Add an event for the time, in readings of the clock, in which no visit was started for lack of a master."""
        since = max(since, self._began)
        if self.load is not None and not self._over and until - since >= SUSPENSION_TOLD:
            self.load.record_event(RunEvent(since - self._began, "suspended", SUSPENDED, until - since))

    def update_leases(self, leases: tuple[Lease, ...]) -> None:
        """Adopt the leases that the master lists: start new ones, return those it does not list."""
        wanted = {lease.share: lease for lease in leases}
        for name, lease in wanted.items():
            known = self._leases.get(name)
            if (known is not None and known.attempt >= lease.attempt) or name not in self._shares:
                continue
            if self.load is None and self._over:
                self._returned_unstarted[name] = lease
                continue
            self._leases[name] = lease
            self._returned_unstarted.pop(name, None)
            if self.load is not None and not self._over:
                self._start_share(self.load, lease)
        for name in self._leases.keys() - wanted.keys():
            if self.load is None:
                self._returned_unstarted[name] = self._leases.pop(name)
            else:
                self.load.engine.release(name)

    def start(self, began: float) -> None:
        """Start the load; *began*, a reading of the clock, is the start of the run."""
        self._began, self._started_at = began, self._clock.now() - began
        self.load = build_local_load(
            self._plan,
            (),
            self._send,
            self._clock,
            worker=self._worker,
            began=began,
            stop_run=self._stop_run,
            on_fault=self._on_load_fault,
            journal=partial(self._sender.open_journal, began, self._texts),
            leasing=Leasing(
                engines=self._engines,
                keep_alive=True,
                suspended=self._suspended,
                on_share_ended=self._on_share_ended,
                knows_changes=self._knows_changes,
            ),
        )
        end_in_children(self.load.end_in_child)
        for lease in self._leases.values():
            self._start_share(self.load, lease)
        spawn_watched("the load", self._perform, self.load, on_fault=self._on_load_fault, ends=True)

    def _send(self, window: Window) -> None:
        self._add_secrets()
        self._sender.send(self._redact(window))

    def _add_secrets(self) -> bool:
        """Redact the values of cookies that the scenario has set, too; return whether there are new ones."""
        found = () if self.load is None else self.load.secrets
        if len(found) == self._secrets_found:
            return False
        self._secrets_found = len(found)
        return self._redact.add(found)

    def apply_changes(self, changes: tuple[Change, ...]) -> None:
        """Apply the changes of the load that are new, at their moments of the run; add an event for a late one."""
        if self.load is None:
            return
        now = self._clock.now() - self._began
        for change in changes[self._changes_applied :]:
            change.apply(self.load.engine)
            since = max(change.at, self._started_at)
            if now - since >= SUSPENSION_TOLD and not self._over:
                self.load.record_event(RunEvent(since, "suspended", CHANGED_LATE[change.what], now - since))
        self._changes_applied = max(self._changes_applied, len(changes))

    def apply_order(self, order: Order, grace: float) -> None:
        """Apply an order that ends a run: end when the shares are done, within *grace* seconds, or now."""
        match order:
            case "end":
                self._finish()
            case "stop":
                self.stop(grace)
            case "kill":
                self.stop()
            case _:
                pass

    def stop(self, grace: float = 0.0) -> None:
        """Start no further visit; visits in flight have *grace* seconds."""
        if self.load is not None:
            self.load.engine.stop(grace)

    def return_shares(self, *, at_once: bool = False) -> None:
        """Return every share and accept no other; visits in flight have the grace time, *at_once*: none."""
        self._over = True
        if self.load is None:
            self._returned_unstarted.update(self._leases)
            self._leases.clear()
            return
        for name in self._leases:
            self.load.engine.release(name)
        if at_once:
            self.stop()
        else:
            self._finish()
            self._clock.after(self._plan.grace, self.stop)

    def _finish(self) -> None:
        if self.load is not None:
            self.load.engine.finish()

    def _start_share(self, load: LocalLoad, lease: Lease) -> None:
        self._sender.note_share_start(lease)
        share = replace(self._shares[lease.share], start=lease.start, rows=lease.rows)
        load.engine.add_share(share, count_missed_as_lost=lease.count_missed_as_lost)

    def _perform(self, load: LocalLoad) -> None:
        try:
            load.perform()
        except BaseException as exc:
            text = fault_text("the load", exc)
            say_fault(text, exc)
            self._on_load_fault(text)
        finally:
            self._over = True
            self._on_end()

    def _on_load_fault(self, text: str) -> None:
        """Report a fault and stop soon: load that is no longer measured must not be sent."""
        self._on_fault(text)
        self.stop(ABORT_GRACE)
