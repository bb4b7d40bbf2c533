"""Health: the generator's monitoring of itself, for the windows and the validity of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import gevent

from chaperon.clock import Clock
from chaperon.load.generator.host import CpuUsage, GcPauses, cores, ports
from chaperon.load.generator.ticker import Ticker, healthy_lag
from chaperon.load.generator.watchdog import BlockingWatchdog
from chaperon.measure.hub_lag import HubLag
from chaperon.measure.series import Series
from chaperon.measure.window import RunEvent

EVERY = 0.05
STALL = 1.0


class Health:
    """Monitors lateness of starts, drops, lag and blocking of the hub, CPU, garbage collection and ports.

    Run `tick` in a separate greenlet: it wakes 20 times a second, and its lateness is that of
    every visit. Between `start` and `stop` a native thread watches the hub; `cut` passes on the
    events it saw, with moments in seconds from *began*. Without *real_time* (a simulated clock)
    the thread and the ticker do not run, and the machine's ports are not looked at.
    """

    def __init__(
        self, clock: Clock, began: float | None = None, *, lag: HubLag | None = None, real_time: bool = False
    ) -> None:
        self._real_time = real_time
        self._clock = clock
        self._late: list[float] = []
        self._lag: list[float] = []
        self._dropped: Counter[str] = Counter()
        self._waited = 0.0
        self._stalls = 0
        self._load = CpuUsage(clock)
        self._garbage = GcPauses(clock.now)
        loop, since = gevent.get_hub().loop, clock.now() if began is None else began
        self._sentinel = BlockingWatchdog(
            clock.now, since, gc=lambda: self._garbage.total, turns=lambda: int(loop.iteration)
        )
        self._watched = False
        self._ticker = Ticker(clock, HubLag() if lag is None else lag)

    def __repr__(self) -> str:
        return f"<Health of {len(self._late)} starts>"

    def start(self) -> None:
        """Start the watching thread, the ticker and the timing of garbage collections; only with *real_time*."""
        if self._real_time and not self._watched:
            self._watched = True
            self._sentinel.start()
            self._garbage.start()
            self._ticker.start()

    def stop(self) -> None:
        """Stop the watching thread, the ticker and the timing of garbage collections."""
        self._sentinel.stop()
        self._garbage.stop()
        self._ticker.stop()

    def wait(self, until: float) -> None:
        """Block until the clock reads *until*, the start of the load, and measure the lag of the idle hub meanwhile."""
        if self._real_time:
            self._ticker.calibrate(until)
        else:
            self._clock.sleep(until - self._clock.now())

    @property
    def lateness(self) -> Series | None:
        """The lateness, in seconds, of the visits started since the last cut; None without any that had a due time."""
        if not self._late:
            return None
        series = Series()
        series.good.add(self._late)
        return series

    def late(self, by: float) -> None:
        """Record that a visit started *by* seconds after it was due."""
        self._late.append(by if by > 0.0 else 0.0)

    def dropped(self, why: str, waited: float) -> None:
        """Count a dropped arrival: *why* is "late" or "cap", *waited* the seconds since it was due."""
        self._dropped[why] += 1
        self._waited = max(self._waited, waited)

    def tick(self) -> None:
        """Measure the lag of the hub in an endless loop. Blocks until the greenlet is killed."""
        while True:
            meant = self._clock.now() + EVERY
            self._clock.sleep(EVERY)
            lag = self._clock.now() - meant
            self._sentinel.beat()
            self._lag.append(lag if lag > 0.0 else 0.0)
            if lag > STALL:
                self._stalls += 1

    def cut(self, happened: Callable[[RunEvent], None] = lambda _: None) -> dict[str, float]:
        """Return the figures since the last cut, times in seconds. *happened* is called with each event.

        "starts", "late_p50", "late_p99", "late_max" of visits that were due; "dropped_late",
        "dropped_cap", "waited_max" of those that were dropped; "lag_p50", "lag_p90",
        "lag_max", "stalls" of the hub, "healthy_lag" of one that sends nothing; "cpu",
        "hub_cpu", "hub_wanted", "machine", "cores"; "queued", "throttled", "throttles", "steal"
        (see `CpuUsage.cut`); "gc", "gc_longest"; "ports", "ports_limit" of the machine,
        with *real_time* alone.
        """
        for happening in self._sentinel.seen():
            happened(happening)
        late, lag = sorted(self._late), sorted(self._lag)
        seen = {
            "starts": float(len(late)),
            "late_p50": _ranked(late, 0.5),
            "late_p99": _ranked(late, 0.99),
            "late_max": _ranked(late, 1.0),
            "dropped_late": float(self._dropped["late"]),
            "dropped_cap": float(self._dropped["cap"]),
            "waited_max": self._waited,
            "lag_p50": _ranked(lag, 0.5),
            "lag_p90": _ranked(lag, 0.9),
            "lag_max": _ranked(lag, 1.0),
            "stalls": float(self._stalls),
            "cores": float(cores()),
            "healthy_lag": healthy_lag(),
            **self._load.cut(),
            **self._garbage.cut(),
            **(ports() if self._real_time else {}),
        }
        self._late, self._lag, self._stalls, self._waited = [], [], 0, 0.0
        self._dropped.clear()
        return seen


def _ranked(ordered: list[float], q: float) -> float:
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else 0.0
