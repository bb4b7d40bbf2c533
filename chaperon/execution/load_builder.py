"""Builds a `LocalLoad` from a plan: recorder, sessions' contexts, engine; each part is passed to those that use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chaperon.clock import Clock, HubClock, epoch
from chaperon.errors import UsageError
from chaperon.execution.local_load import LocalLoad
from chaperon.execution.plan import RunPlan
from chaperon.gc_tuning import uncollected_imports
from chaperon.load.background import OnFault
from chaperon.load.engine import Engine, Leasing
from chaperon.load.feeder import UniqueRows, user_numbering
from chaperon.load.generator.health import Health
from chaperon.load.share import Share, progress_of
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder, Tap
from chaperon.measure.roundtrips import RoundTripStarts
from chaperon.measure.window import JournalWriter, Sink
from chaperon.report.limits.reserved import reserved_by
from chaperon.report.samples.observer import Observe, SampleObserver
from chaperon.scenario.scenario import as_scenario
from chaperon.scenario.visits import EntryRunner, VisitRunner
from chaperon.session.config import merge
from chaperon.session.context import SessionContext, StopRun
from chaperon.session.signals import Rendezvous

if TYPE_CHECKING:
    from chaperon.client.network.connect import NetworkContext
    from chaperon.client.network.stream import Network
    from chaperon.client.service import Service


def preload_clients() -> None:
    """Import the HTTP and WebSocket clients, so that the first visit does not spend time on it."""
    from gevent import get_hub

    with uncollected_imports():
        import chaperon.client.http.measured
        import chaperon.client.websocket.connect  # noqa: F401 - late: `requests` imports ssl, to be patched first

        get_hub().resolver  # noqa: B018 - gevent imports its resolver when it is asked for first


def require_wire(services: Mapping[str, Service]) -> None:
    """Check that all services use the transport that a network stands in for. Raises UsageError."""
    others = [name for name, service in services.items() if service.transport != "wire"]
    if others:
        raise UsageError(f"network= needs transport='wire'; service {others[0]!r} has another")


def network_context(network: Network, clock: Clock) -> NetworkContext:
    """Return the context of sessions whose connections *network* opens."""
    from chaperon.client.network.connect import NetworkContext

    return NetworkContext(network, clock.now)


def build_local_load(
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
    observers: Iterable[tuple[Observe, str]] = (),
    network: NetworkContext | None = None,
    journal: Callable[[int], JournalWriter | None] = lambda second: None,
    leasing: Leasing | None = None,
) -> LocalLoad:
    """Return the load of *shares*, ready to be performed from *began* on, a reading of the clock that may lie ahead.

    The *sink* is called with a window every second and with the last one at the end, *tap* with each sample; if
    it has a method `exchange`, that is called with each `Exchange` after its sample.
    *observers* are called with each `SampleRecord`, each with its name for notes, and so is the plan's.
    *stop_run* is called if a scenario ends the run, *on_fault* if a greenlet of the load fails. *network* opens
    the connections, by default those of the kernel. *journal* is called with the second of the run in which
    recording begins, and returns the journal of all that is recorded, or None. *leasing* describes how a master
    leases further
    shares.
    """
    preload_clients()
    from chaperon.client.network.connect import NetworkContext

    second = max(int(clock.now() - began), 0)
    network = network or NetworkContext(now=clock.now)
    watching = [*observers, *([] if plan.on_sample is None else [(plan.on_sample, "on_sample=")])]
    observing = [SampleObserver(observe, epoch() - clock.now(), name) for observe, name in watching]
    taps = [*([] if tap is None else [tap]), *(each.add for each in observing)]
    recorder = Recorder(
        worker,
        began=began,
        second=second,
        tap=_call_all(taps),
        journal=journal(second),
        reserved=reserved_by(plan.limits),
    )
    recorder.exchanges.tap = getattr(tap, "exchange", None)
    recorder.exchanges.response = _call_all([each.add_response for each in observing])
    for each in observing:
        each.attach(recorder)
    health = Health(clock, began, lag=recorder.lag, real_time=isinstance(clock, HubClock))
    progress = progress_of(shares)
    rendezvous, round_trips = Rendezvous(clock), RoundTripStarts()
    unique_rows = UniqueRows(progress, recorder.record_rows)
    runners = [
        EntryRunner(
            entry.scenario,
            SessionContext(
                entry=place,
                meter=Meter(recorder, clock, entry.label, naming=plan.naming, derived=plan.derived),
                clock=clock,
                config=merge(plan.config, entry.config),
                services=plan.services,
                seed=plan.seed,
                stop_run=lambda reason: None if network.forked else stop_run(reason),
                rendezvous=rendezvous,
                unique_rows=unique_rows,
                numbering=user_numbering(entry.load),
                on_error=plan.on_error,
                round_trips=round_trips,
                network=network,
                scenario_of=as_scenario,
            ),
        )
        for place, entry in enumerate(plan.entries)
    ]
    engine = Engine(
        progress,
        VisitRunner(runners, began=began),
        recorder,
        clock,
        began=began,
        grace=plan.grace,
        health=health,
        late=plan.late,
        leasing=leasing,
    )
    sink = _call_all([*(_ignoring_window(each.flush) for each in observing), sink])
    return LocalLoad(engine, recorder, health, network, sink, clock, began=began, second=second, on_fault=on_fault)


def _ignoring_window(flush: Callable[[], None]) -> Sink:
    return lambda window: flush()


def _call_all(functions: Sequence[Callable[..., object]]) -> Any:
    """Return a function that calls all of them with its arguments; the only one itself, None without any."""
    if len(functions) < 2:
        return functions[0] if functions else None

    def call(*arguments: Any) -> None:
        for function in functions:
            function(*arguments)

    return call
