"""The part of a run that one process sends: visits are made, samples recorded, a window is cut every second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from itertools import count
from typing import TYPE_CHECKING

from chaperon.client.current import unmeasured_connections_noted
from chaperon.clock import Clock
from chaperon.gc_tuning import reduced_gc
from chaperon.load.background import OnFault, spawn_watched
from chaperon.load.engine import Engine
from chaperon.load.generator.health import Health
from chaperon.measure.closing import IN_FLIGHT, Closing
from chaperon.measure.recorder import Recorder
from chaperon.measure.window import RunEvent, Sink, VisitCounts

if TYPE_CHECKING:
    from chaperon.client.network.connect import NetworkContext


class LocalLoad:
    """The part of a run that one process sends; `load_builder.build_local_load` makes one.

    *closing* is what was counted apart from the windows, up to the last cut.
    """

    def __init__(
        self,
        engine: Engine,
        recorder: Recorder,
        health: Health,
        network: NetworkContext,
        sink: Sink,
        clock: Clock,
        *,
        began: float,
        second: int,
        on_fault: OnFault,
    ) -> None:
        self.engine = engine
        self.began = began
        self.closing = Closing(0, 0)
        self._recorder = recorder
        self._health = health
        self._network = network
        self._sink = sink
        self._abandoned = False
        self._clock = clock
        self._on_fault = on_fault
        self._second = second
        self._unended: Counter[tuple[str, int]] = Counter()
        self._phases_until = self._due_until = float(second)

    @property
    def secrets(self) -> Set[str]:
        """The values of cookies that a scenario has set; outputs must not show them."""
        return self._network.secrets

    def __repr__(self) -> str:
        return f"<LocalLoad by {self._recorder}>"

    def _closing(self, windows: int) -> Closing:
        engine = self.engine
        return Closing(
            windows,
            self._recorder.recorded,
            engine.planned,
            self._network.sent,
            self._recorder.left_out,
            self._network.messages_sent,
            self._recorder.messages,
            None if engine.stopped is None else engine.stopped - self.began,
        )

    @property
    def cut(self) -> int:
        """The number of the last window that was cut, even if it was not sent."""
        return self._recorder.cut_so_far

    def record_event(self, event: RunEvent) -> None:
        """Record an event of the run in the window that is open."""
        self._recorder.record_event(event)

    def perform(self) -> None:
        """Make all visits; blocks until they have ended. Raises faults of Chaperon; cuts the last window even then."""
        self._health.wait(self.began)
        beside = [
            spawn_watched("cutting windows", self._tick, on_fault=self._on_fault),
            spawn_watched("watching the hub", self._health.tick, on_fault=self._on_fault),
        ]
        self._health.start()
        try:
            with reduced_gc(), unmeasured_connections_noted():
                self.engine.perform()
        except BaseException:  # of a signal handler perhaps, raised between two lines of the engine
            self._count_interrupted()
            raise
        finally:
            self._health.stop()
            for greenlet in beside:
                greenlet.kill()
            self._close()

    def abandon(self) -> None:
        """End at once and hand on the last window, without waiting for visits in flight: they count as interrupted.

        Does not block and does not need the hub, which a visit may be blocking.
        """
        self.engine.abandon()
        self._health.stop()
        self._close()
        self._abandoned = True

    def end_in_child(self, objects: Iterable[object]) -> None:
        """End the load in a process that the scenario has forked; see `forks`."""
        from chaperon.client.network.tcp import TcpStream  # late: `requests` imports ssl, to be patched first

        self._abandoned = True
        self._recorder.detach()
        self._network.end_in_child(each for each in objects if isinstance(each, TcpStream))

    def _close(self) -> None:
        """Cut the last window. Nothing is sent after it, and a note counts the requests that are still in flight."""
        if not self._abandoned:
            self._network.over = True
            for _ in range(self._recorder.lag.out):
                self._recorder.count_note(IN_FLIGHT)
        self._cut()

    def _count_interrupted(self) -> None:
        """Count each visit that was planned, and has no outcome though the engine has ended, as interrupted."""
        self._count_unended(self._recorder.ledger)
        for (label, second), visits in self._unended.items():
            for _ in range(visits):
                self._recorder.count_visit(label, self.began + second, "interrupted")
        self._unended.clear()

    def _count_unended(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None:
        for place, counts in ledger.items():
            self._unended[place] += counts.planned - counts.ended
            if not self._unended[place]:
                del self._unended[place]

    def _tick(self) -> None:
        for second in count(self._second + 1):
            self._clock.sleep(self.began + second - self._clock.now())
            self._cut(second)

    def _cut(self, second: int | None = None) -> None:
        if self._abandoned:
            return
        engine, until = self.engine, self._clock.now() - self.began
        phases = engine.phases(self._phases_until, until)
        # A window ends at a whole second, the same on every worker however late it is cut; the last one ends now.
        edge = until if second is None else float(second)
        due = engine.due(self._due_until, edge)
        self._due_until = edge
        self._phases_until = until
        late = self._health.lateness
        health = {**self._health.cut(self._recorder.record_event), **self._network.facts()}
        self.closing = self._closing(self._recorder.cut_so_far + 1)
        window = self._recorder.cut(
            users=engine.present,
            health=health,
            progress=engine.progress,
            phases=phases,
            due=due,
            late=late,
            unreached=self._network.unreached.reasons(self._clock.now()),
        )
        self._count_unended(window.ledger)
        self._sink(window)
