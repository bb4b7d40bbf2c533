"""One process's part of a run: shares performed, samples recorded, a window handed on every second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from itertools import count

from chaperon.clock import Clock, HubClock
from chaperon.execution.gc_tuning import reduced_gc
from chaperon.execution.plan import RunPlan
from chaperon.load.background import OnFault, spawn_watched
from chaperon.load.engine import Engine
from chaperon.load.feeder import UniqueRows, user_numbering
from chaperon.load.generator.health import Health
from chaperon.load.share import Share
from chaperon.measure.closing import Closing
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder, RecorderJournal, Tap
from chaperon.measure.roundtrips import RoundTripStarts
from chaperon.measure.window import Sink
from chaperon.scenario.visits import EntryRunner, VisitRunner
from chaperon.session.config import merge
from chaperon.session.context import SessionContext, StopRun
from chaperon.session.signals import Rendezvous


class LocalLoad:
    """Sends the load of its *shares*, from *began* on, a reading of the clock that may lie ahead.

    The *sink* gets a window every second and one at the end. *stop_run* is called when a
    scenario wants to end the run for all, *on_fault* when a greenlet that belongs to the load
    has died. *closing* is what was counted apart from the windows, up to the last cut. *journal*, called with the
    second of the run in which recording begins, returns the journal of everything that is recorded, or None. *engines*
    is how many processes send the whole load. While *staying*, it waits for further shares; nothing is started
    while *held* returns True; *changed* is called when a share is done or given back. The result of the setup is in the
    *plan*.
    """

    def __init__(
        self,
        plan: RunPlan,
        shares: Iterable[Share],
        sink: Sink,
        clock: Clock,
        *,
        worker: str,
        began: float,
        stop_run: StopRun,
        on_fault: OnFault,
        tap: Tap | None = None,
        journal: Callable[[int], RecorderJournal | None] = lambda second: None,
        engines: int = 1,
        staying: bool = False,
        held: Callable[[], bool] = lambda: False,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self.load()
        from chaperon.client.network.connect import NetworkContext

        self.began = began
        self.closing = Closing(0, 0)
        self._sink = sink
        self._clock = clock
        self._on_fault = on_fault
        self._second = max(int(clock.now() - began), 0)
        self._told = self._due_until = float(self._second)
        self._recorder = Recorder(worker, began=began, second=self._second, tap=tap, journal=journal(self._second))
        self._health = Health(clock, began, lag=self._recorder.lag, real_time=isinstance(clock, HubClock))
        self._wire = NetworkContext(now=clock.now)
        marks = RoundTripStarts()
        rendezvous, dealer = Rendezvous(clock), UniqueRows(self._recorder.record_rows)
        parts = [
            EntryRunner(
                entry.scenario,
                SessionContext(
                    entry=place,
                    meter=Meter(self._recorder, clock, entry.label, naming=plan.naming, derived=plan.derived),
                    clock=clock,
                    config=merge(plan.config, entry.config),
                    services=plan.services,
                    seed=plan.seed,
                    stop_run=stop_run,
                    rendezvous=rendezvous,
                    unique_rows=dealer,
                    numbering=user_numbering(entry.load),
                    on_error=plan.on_error,
                    round_trips=marks,
                    network=self._wire,
                ),
            )
            for place, entry in enumerate(plan.entries)
        ]
        self.engine = Engine(
            tuple(shares),
            VisitRunner(parts, began=began),
            self._recorder,
            clock,
            began=began,
            grace=plan.grace,
            health=self._health,
            staying=staying,
            late=plan.late,
            engines=engines,
            held=held,
            changed=changed,
        )
        dealer.holdings = self.engine.holdings

    @property
    def secrets(self) -> Set[str]:
        """What the scenario has set by hand that no output may show: values of cookies."""
        return self._wire.secrets

    def __repr__(self) -> str:
        return f"<LocalLoad by {self._recorder}>"

    @staticmethod
    def load() -> None:
        """Load what the first visit would else pay for: to be done before a run begins."""
        import chaperon.client.http.measured
        import chaperon.client.websocket.connect  # noqa: F401 - late, as above

    def _closing(self, windows: int) -> Closing:
        engine = self.engine
        return Closing(
            windows,
            self._recorder.recorded,
            engine.planned,
            self._wire.sent,
            self._recorder.left_out,
            None if engine.stopped is None else engine.stopped - self.began,
        )

    @property
    def cut(self) -> int:
        """The number of the newest window that was cut, also where it was not sent."""
        return self._recorder.cut_so_far

    def perform(self) -> None:
        """Send it all, blocking; raises only what is a fault of ours. The last window is out in any case."""
        self._health.wait(self.began)
        beside = [
            spawn_watched("what cuts windows", self._tick, on_fault=self._on_fault),
            spawn_watched("what watches the hub", self._health.tick, on_fault=self._on_fault),
        ]
        self._health.start()
        try:
            with reduced_gc():
                self.engine.perform()
        finally:
            self._health.stop()
            for greenlet in beside:
                greenlet.kill()
            self._cut()

    def _tick(self) -> None:
        for second in count(self._second + 1):
            self._clock.sleep(self.began + second - self._clock.now())
            self._cut(second)

    def _cut(self, second: int | None = None) -> None:
        engine, until = self.engine, self._clock.now() - self.began
        phases = engine.phases(self._told, until)
        # whole seconds, the same on every worker, whenever each of them was woken; the last window ends now
        edge = until if second is None else float(second)
        due = engine.due(self._due_until, edge)
        self._due_until = edge
        self._told = until
        late = self._health.lateness
        health = {**self._health.cut(self._recorder.record_event), **self._wire.facts()}
        self.closing = self._closing(self._recorder.cut_so_far + 1)
        self._sink(
            self._recorder.cut(
                users=engine.present, health=health, progress=engine.progress, phases=phases, due=due, late=late
            )
        )
