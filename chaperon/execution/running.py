"""One run in this process, put together: what is sent, what watches it, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from chaperon.clock import Clock, HubClock
from chaperon.execution.load_builder import build_local_load, network_context, preload_clients, require_wire
from chaperon.execution.local_load import LocalLoad
from chaperon.execution.plan import RunPlan
from chaperon.execution.run import Adjustment, Run
from chaperon.interrupts import is_signal
from chaperon.load.background import fault_text, say_fault, spawn_watched
from chaperon.load.generator.ticker import calibration_due
from chaperon.load.live_changes import LiveChanges
from chaperon.load.plan import due_visits
from chaperon.measure.exception_text import class_name
from chaperon.report.monitor import ABORT_GRACE

if TYPE_CHECKING:
    from chaperon.client.network.stream import Network
    from chaperon.measure.sample import Sample
    from chaperon.measure.window import Window

WORKER = "local"


class Running(Run):
    """A run in this process.

    *clock* is the clock of the run, by default that of the hub. *tap* is called with every sample,
    within the visit. *network* opens the connections, by default those of the kernel;
    `chaperon.testing.ScriptedNetwork` stands in for a target. Raises UsageError if a service does
    not use it, having another transport than "wire".
    """

    _has_samples = True

    def __init__(
        self,
        plan: RunPlan,
        *,
        clock: Clock | None = None,
        tap: Callable[[Sample], None] | None = None,
        network: Network | None = None,
    ) -> None:
        super().__init__(plan, [WORKER], clock)
        self._tap = tap
        self._network = network
        if network is not None:
            require_wire(plan.services)
        self._finish_moment = 0.0
        self._load: LocalLoad | None = None
        self._began = 0.0
        self._abandoned = False

    def __repr__(self) -> str:
        return f"<Running {self.plan.name}{', ended' if self.ended else ''}>"

    def fault(self, what: str) -> None:
        """Record a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""
        self._monitor.add_fault(what)
        self._end_soon()

    @property
    def abandoned(self) -> bool:
        """Whether `end_now` ended it: greenlets of its visits may still be there, and never let others run."""
        return self._abandoned

    def end_now(self, reason: str) -> None:
        """End without waiting for anything: visits in flight are counted as interrupted, their `cleanup` is not run.

        The report is complete when it returns, even if a visit blocks every other greenlet. The
        teardown runs when the block of the run is left.
        """
        load = self._sending
        if self.ended:
            return
        self._monitor.set_aborted(reason)
        load.abandon()
        self._finish_moment = self._clock.now()
        self._reconcile(load)
        self._abandoned = True
        self._ended.set()

    def _end_in_child(self, objects: Iterable[object]) -> None:
        """End the run and its load in a process that the scenario has forked; see `forks`."""
        super()._end_in_child(objects)
        if self._load is not None:
            self._load.end_in_child(objects)

    def _release(self) -> None:
        if self._abandoned:
            self._tear_down()

    def _launch(self, given: Mapping[str, Any]) -> float:
        preload_clients()
        self._began = self._clock.now()
        if isinstance(self._clock, HubClock):
            self._began += calibration_due()
        self._load = build_local_load(
            self.plan,
            self._whole_shares,
            self._on_window,
            self._clock,
            worker=WORKER,
            began=self._began,
            stop_run=self.abort,
            on_fault=self.fault,
            tap=self._tap,
            observers=[(output.sample, output.name) for output in self._sample_outputs],
            network=None if self._network is None else network_context(self._network, self._clock),
        )
        self._greenlet = spawn_watched(
            "the run", self._perform, self._load, on_fault=self._monitor.add_fault, ends=True
        )
        return self._began

    def _halt(self, *, at_once: bool) -> None:
        self._sending.engine.stop(*([0.0] if at_once else []))

    def _adjust(self, what: Adjustment, factor: float, by: str) -> None:
        engine = self._sending.engine
        if what == "scale":
            engine.scale(factor, by=by)
        elif what == "pause":
            engine.pause(by=by)
        else:
            engine.resume(by=by)

    @property
    def _live_changes(self) -> LiveChanges:
        return self._sending.engine.live_changes

    def _duration(self) -> float:
        return (self._finish_moment if self.ended else self._clock.now()) - self._began

    def _found_secrets(self) -> Set[str]:
        return self._sending.secrets

    @property
    def _sending(self) -> LocalLoad:
        self._check_started()
        assert self._load is not None
        return self._load

    def _on_window(self, window: Window) -> None:
        if self._monitor.add(window):
            self._end_soon()

    def _end_soon(self) -> None:
        if self._load is not None:
            self._load.engine.stop(min(self.grace, ABORT_GRACE))

    def _perform(self, load: LocalLoad) -> None:
        try:
            load.perform()
        except BaseException as exc:
            if is_signal(exc):
                self._monitor.set_aborted(f"ended by {class_name(exc)}, which a signal handler raised")
                raise
            text = fault_text("the run", exc)
            self._monitor.add_fault(text)
            say_fault(text, exc)
        finally:
            if not self._abandoned:
                self._finish_moment = self._clock.now()
                self._reconcile(load)
                self._tear_down()
                self._ended.set()

    def _reconcile(self, load: LocalLoad) -> None:
        """Compare what was recorded with what the load planned and the transport sent."""
        engine = load.engine
        try:
            plan = due_visits(self._whole_shares, engine.live_changes, stopped=engine.stopped, began=self._began)
            self._monitor.reconcile({WORKER: load.closing}, plan)
        except Exception as exc:  # `wait` must return
            text = fault_text("the reckoning", exc)
            self._monitor.add_fault(text)
            say_fault(text, exc)
