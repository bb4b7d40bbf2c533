"""A fleet: many workers conducted as if they were one."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING

from chaperon.clock import Clock, HubClock, today
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.admission import Admission
from chaperon.cluster.master.coordinator import Coordinator, Patience
from chaperon.cluster.master.state import MasterState
from chaperon.cluster.protocol.messages import Welcome
from chaperon.cluster.transport.link import MasterLink
from chaperon.errors import TeardownError
from chaperon.execution.plan import RunPlan
from chaperon.load.background import spawn_watched
from chaperon.load.live_changes import positive
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor
from chaperon.report.redaction.redaction import Redactor
from chaperon.report.totals import Pulse, WorkerStats
from chaperon.report.verdict import RunInfo

if TYPE_CHECKING:
    from chaperon.report.report import Report

SHARES = 8
"""Shares a worker has of each load: so fine can it be dealt again."""


class ClusterRun:
    """A run on *workers* workers; has the face of `Running`.

    *lost* is the share of visits that may be lost before the run is INVALID.
    """

    def __init__(
        self,
        plan: RunPlan,
        link: MasterLink,
        parcel: ScenarioBundle,
        *,
        workers: int,
        patience: Patience | None = None,
        lost: float = 0.01,
        clock: Clock | None = None,
        notify: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.plan = plan
        self.grace = plan.grace
        self.teardown_error: TeardownError | None = None
        self._link = link
        self._parcel = parcel
        self._workers = workers
        self._patience = patience or Patience()
        self._clock: Clock = clock or HubClock()
        self._notify = notify
        self._preparation = plan.new_setup()
        self._watch = RunMonitor(
            Collector(()),
            plan.limits,
            brake=plan.brake,
            rules=plan.rules,
            redact=Redactor(plan.secrets),
        )
        self.state = MasterState(
            SystemRandom().getrandbits(53),
            self._watch,
            plan.shares(SHARES * workers),
            worker_timeout=self._patience.worker_timeout,
        )
        self._admission = Admission(link, parcel, self.state.admit, self._welcome, notify)
        self._coordinator = Coordinator(
            self.state,
            self._watch,
            link,
            self._admission,
            self._clock,
            patience=self._patience,
            grace=self.grace,
            lost=lost,
            on_end=self._tear_down,
        )
        self._started = ""

    def __repr__(self) -> str:
        return f"<ClusterRun of {self.state}>"

    def __enter__(self) -> ClusterRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended:
            if exc is None:
                self.stop("the block it ran in was left")
            else:
                self.kill(f"the block it ran in raised {type(exc).__name__}")
            self.wait()
        self._coordinator.release_workers()

    # The face of Running

    @property
    def ended(self) -> bool:
        """Whether every worker's last window is in, or is not waited for any longer."""
        return bool(self._coordinator.ended.is_set())

    @property
    def target(self) -> str:
        """What is asked for, as a person would say it."""
        n = len(self.state.workers.ready)
        return f"{self.plan.load_text} from {n} worker{'s' if n != 1 else ''}"

    def start(self) -> ClusterRun:
        """Set up, wait for the workers, deal, start them all at one moment.

        Raises WorkersMissing, and LoadError where one of them cannot run the scenario.
        """
        try:
            self._setup_result = dict(self._preparation.begin())
            self.plan = self.plan.with_setup_result(self._setup_result)
            self._watch.redact.add(self.plan.secrets)
            self._link.listen(
                self._coordinator.on_message, self._admission.handle_other_protocol, self._coordinator.on_closed
            )
            self._coordinator.wait_for_workers(self._workers, self._notify)
            self._started = today()
        except BaseException:
            self.state.halt("kill", self._clock.now())
            self._coordinator.release_workers()
            self._tear_down()
            raise
        self._greenlet = spawn_watched(
            "the master", self._coordinator.run, on_fault=self._coordinator.on_crash, ends=True
        )
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most *timeout* seconds; return whether it has come."""
        return bool(self._coordinator.ended.wait(timeout))

    def stop(self, reason: str = "stopped") -> None:
        """Let no worker start a further visit; those in flight have the grace time."""
        self._watch.aborted(reason)
        self._coordinator.halt("stop")

    def fault(self, what: str) -> None:
        """Note a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""
        self._coordinator.fault(what)

    def kill(self, reason: str = "stopped at once") -> None:
        """End every visit now; what is known is kept."""
        self._watch.aborted(reason)
        self._coordinator.halt("kill")

    def scale(self, factor: float) -> None:
        """Soon, on all workers at once, send *factor* times what was planned. Raises PlanError."""
        self._coordinator.change_load("scale", positive(factor))

    def pause(self) -> None:
        """Soon, on all workers at once, begin nothing more until `resume`."""
        self._coordinator.change_load("pause")

    def resume(self) -> None:
        """Soon, on all workers at once, go on after `pause`, where the plan is by then."""
        self._coordinator.change_load("resume")

    def note(self, what: str) -> None:
        """Add a sentence to the notes of the report."""
        self._watch.collector.count_note(what)

    @property
    def crew(self) -> list[WorkerStats]:
        """Who sends, with how each of them does."""
        return self._watch.workers

    def pulse(self) -> Pulse:
        """Return the live figures of the last seconds."""
        return self._watch.pulse()

    def report(self) -> Report:
        """Return the report: so far, or in the end."""
        began, finished = self.state.began, self.state.finished
        finish = self._clock.now() if finished is None else finished
        duration = 0.0 if began is None else max(finish - began, 0.0)
        facts = RunInfo(self.plan.name, self.plan.seed, self._started, duration)
        return self._watch.report(facts, finished=self.ended)

    def _welcome(self) -> Welcome:
        parcel = self._parcel
        return Welcome(
            self.state.run,
            parcel.target,
            parcel.digest,
            len(parcel.content),
            dict(parcel.overrides),
            self._setup_result,
            SHARES * self._workers,
            self._workers,
            self._patience.worker_timeout,
            self._patience.master_timeout,
        )

    def _tear_down(self) -> None:
        try:
            self._preparation.end()
        except TeardownError as exc:
            self.teardown_error = exc
