"""A fleet: many workers conducted as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any

from chaperon.clock import Clock
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.admission import Admission
from chaperon.cluster.master.coordinator import Coordinator, Patience
from chaperon.cluster.master.state import MasterState
from chaperon.cluster.protocol.codec import require_sendable
from chaperon.cluster.protocol.fingerprint import fingerprints
from chaperon.cluster.protocol.messages import Welcome
from chaperon.cluster.transport.link import MasterLink
from chaperon.execution.plan import RunPlan
from chaperon.execution.run import Adjustment, Run
from chaperon.load.background import spawn_watched
from chaperon.load.live_changes import LiveChanges, positive
from chaperon.measure.quantity import count_text

SHARES = 8
"""Shares a worker has of each load: so fine can it be dealt again."""


class ClusterRun(Run):
    """A run on *workers* workers, which find this master by the *link* and get the *parcel* from it.

    *lost* is the share of visits that may be lost before the run is INVALID. *notify* is called
    with a sentence for each thing a person who waits for workers wants to know, *on_event*, by default the same, with
    the text of each event of a worker: lost, left, joined after the beginning.
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
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(plan, (), clock)
        self._link = link
        self._parcel = parcel
        self._workers = workers
        self._patience = patience or Patience()
        self._notify = notify
        self._setup_result: dict[str, Any] = {}
        self.state = MasterState(
            SystemRandom().getrandbits(53),
            self._monitor,
            plan.shares(SHARES * workers),
            worker_timeout=self._patience.worker_timeout,
            on_event=on_event or notify,
        )
        self._admission = Admission(link, parcel, self.state.admit, self._welcome, notify)
        self._coordinator = Coordinator(
            self.state,
            self._monitor,
            link,
            self._admission,
            self._clock,
            patience=self._patience,
            grace=self.grace,
            lost=lost,
            on_end=self._tear_down,
        )
        self._ended = self._coordinator.ended

    def __repr__(self) -> str:
        return f"<ClusterRun of {self.state}>"

    @property
    def target(self) -> str:
        """What is asked for, as a person would say it."""
        n = len(self.state.workers.ready)
        return f"{self.plan.load_text} from {count_text(n, 'worker')}"

    def fault(self, what: str) -> None:
        """Record a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""
        self._coordinator.fault(what)

    def _launch(self, given: Mapping[str, Any]) -> float:
        """Wait for the workers, deal the shares, start all workers at one moment.

        Raises WorkersMissing, and LoadError if a worker cannot run the scenario or the result of setup cannot be sent.
        """
        self._setup_result = dict(given)
        require_sendable(
            self._welcome(),
            {"what setup returned": self._setup_result, "the settings of the run": dict(self._parcel.overrides)},
        )
        self._link.listen(
            self._coordinator.on_message,
            self._admission.handle_other_protocol,
            self._coordinator.on_closed,
            self._coordinator.on_broken_handshake,
        )
        self._coordinator.wait_for_workers(self._workers, self._notify)
        self._greenlet = spawn_watched(
            "the master", self._coordinator.run, on_fault=self._coordinator.on_crash, ends=True
        )
        assert self.state.began is not None
        return self.state.began

    def _halt(self, *, at_once: bool) -> None:
        self._coordinator.halt("kill" if at_once else "stop")

    def _adjust(self, what: Adjustment, factor: float, by: str) -> None:
        """Change the load on all workers at one moment, half a second ahead."""
        self._coordinator.change_load(what, positive(factor), by)

    @property
    def _live_changes(self) -> LiveChanges:
        return self.state.live_changes

    def _duration(self) -> float:
        began, finished = self.state.began, self.state.finished
        return 0.0 if began is None else (self._clock.now() if finished is None else finished) - began

    def _abandon(self) -> None:
        self.state.halt("kill", self._clock.now())
        self._release()

    def _release(self) -> None:
        self._coordinator.release_workers()

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
            fingerprints(self.plan.secrets, self.state.run),
            dict(self.plan.resolved_secrets),
        )
