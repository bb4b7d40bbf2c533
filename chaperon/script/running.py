"""One run, put together: shares, engine, recorder, collector, health."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING

import gevent
from gevent import monkey
from gevent.event import Event

import chaperon.client.http  # noqa: F401 - now, lest the first visit pay for it
from chaperon.clock import Clock, HubClock, seconds, today
from chaperon.errors import NotPatched, TeardownError
from chaperon.load.engine import Engine
from chaperon.load.health import Health
from chaperon.load.share import deal
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.report.collector import Collector, Pulse
from chaperon.report.verdict import Ending, Facts, conclude
from chaperon.script.config import merged
from chaperon.script.series_rules import read
from chaperon.script.session import Scene
from chaperon.script.visitor import Part, Visitor

if TYPE_CHECKING:
    from chaperon.measure.sample import Sample
    from chaperon.report.summary import Report
    from chaperon.script.environment import Environment
    from chaperon.script.preparation import Preparation

WORKER = "local"


class Running:
    """A run that is going on, or has ended; as a context manager it is over when the block is.

    With a *preparation* the run does it: sets up before it starts, tears down in the end. A
    worker has none, for its master has done it. What went wrong in the teardown is kept
    in *teardown_error*, for the report stands all the same.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        clock: Clock | None = None,
        tap: Callable[[Sample], None] | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        self.environment = environment
        self.grace = seconds(environment.grace)
        self._brake = None if environment.brake is None else seconds(environment.brake)
        self._clock: Clock = clock or HubClock()
        self._limits = environment.parsed_limits
        self._collector = Collector([WORKER])
        self._tap = tap
        self._preparation = preparation
        self.teardown_error: TeardownError | None = None
        self._ended = Event()
        self._aborted: str | None = None
        self._failed: str | None = None
        self._faults: list[str] = []
        self._finish = 0.0

    def __repr__(self) -> str:
        return f"<Running {self.environment.name}{', ended' if self.ended else ''}>"

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.ended:
            return
        if exc is None:
            self.stop("the block it ran in was left")
        else:
            self.kill(f"the block it ran in raised {type(exc).__name__}")
        self.wait()

    @property
    def ended(self) -> bool:
        """Whether every visit has ended and the last window is in."""
        return bool(self._ended.is_set())

    @property
    def target(self) -> str:
        """What is asked for, as a person would say it: "100 users", "50/s"."""
        return " + ".join(str(entry.load) for entry in self.environment.entries)

    def start(self) -> Running:
        """Set up and start the run.

        Raises NotPatched where sockets would block every other session, LoadError where the
        setup failed.
        """
        if not monkey.is_module_patched("socket"):
            raise NotPatched("put `from gevent import monkey; monkey.patch_all()` first in your script")
        given = self._preparation.begin() if self._preparation is not None else {}
        try:
            self.environment = self.environment.furnished(given)
            self._launch()
        except BaseException:
            self._tear_down()
            raise
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most *timeout* seconds; return whether it has come."""
        return bool(self._ended.wait(timeout))

    def stop(self, reason: str = "stopped") -> None:
        """Start no further visit; those in flight have the grace time. The verdict is ABORTED."""
        self._aborted = self._aborted or reason
        self._engine.stop()

    def abort(self, reason: str) -> None:
        """The same as `stop`, with a reason that must be given."""
        self.stop(reason)

    def kill(self, reason: str = "stopped at once") -> None:
        """End every visit now; what is known is kept."""
        self._aborted = self._aborted or reason
        self._engine.stop(0.0)

    def pulse(self) -> Pulse:
        """Return the live figures of the last seconds."""
        return self._collector.pulse()

    def report(self) -> Report:
        """Return the report: so far, or in the end."""
        finish = self._finish if self.ended else self._clock.now()
        return conclude(
            self._collector.totals(),
            self._limits,
            Facts(self.environment.name, self.environment.seed, self._started, finish - self._began),
            Ending(self._aborted, self._failed, tuple(self._faults), self.ended),
        )

    def _launch(self) -> None:
        environment = self.environment
        began = self._began = self._clock.now()
        self._started = today()
        self._recorder = Recorder(WORKER, began=began, tap=self._tap)
        self._health = Health(self._clock)
        naming, derived = read(environment.metrics)
        parts = [
            Part(
                entry.scenario,
                Scene(
                    entry=place,
                    meter=Meter(self._recorder, self._clock, entry.label, naming=naming, derived=derived),
                    clock=self._clock,
                    config=merged(environment.config, entry.config),
                    services=environment.targets,
                    seed=environment.seed,
                    stop_run=self.abort,
                    on_error=environment.on_error,
                ),
            )
            for place, entry in enumerate(environment.entries)
        ]
        self._engine = Engine(
            deal([(e.label, e.load) for e in environment.entries], seed=environment.seed),
            Visitor(parts, began=began),
            self._recorder,
            self._clock,
            began=began,
            grace=self.grace,
            health=self._health,
        )
        self._beside = [gevent.spawn(self._tick), gevent.spawn(self._health.tick)]
        self._greenlet = gevent.spawn(self._perform)

    def _perform(self) -> None:
        try:
            self._engine.perform()
        except Exception as exc:
            self._faults.append(f"a fault of Chaperon's own: {type(exc).__name__}: {exc}")
        finally:
            gevent.killall(self._beside)
            self._finish = self._clock.now()
            self._cut()
            self._tear_down()
            self._ended.set()

    def _tear_down(self) -> None:
        if self._preparation is None:
            return
        try:
            self._preparation.end()
        except TeardownError as exc:
            self.teardown_error = exc

    def _tick(self) -> None:
        for second in count(1):
            self._clock.sleep(self._began + second - self._clock.now())
            self._cut()
            if self._brake and self._failed is None and self._collector.failing_for >= self._brake:
                self._failed = f"every request failed for {self._brake:g} s (--no-brake goes on all the same)"
                self._engine.stop()

    def _cut(self) -> None:
        self._collector.add(
            self._recorder.cut(
                users=self._engine.present, health=self._health.cut(), progress=self._engine.progress
            )
        )
