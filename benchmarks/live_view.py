"""What the live view of a terminal costs the hub: CPU a second of the run, for few and for many series."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from time import monotonic, thread_time
from typing import TypeVar

from chaperon.cli.live_view.layout import BUSIEST, view_lines
from chaperon.cli.live_view.recent_series import RecentSeries
from chaperon.cli.live_view.screen import Screen
from chaperon.cli.live_view.view_state import ViewState
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.monitor import RunMonitor

Result = TypeVar("Result")
LIMITS = ("p95 < 300ms", "errors < 1%", "p99(GET /1) < 1s")
RUNS = ((6, 50, 60), (50, 10, 60), (500, 2, 30), (6, 2, 1_800))
"""Series, samples a second of each, seconds."""


class _Paper:
    """A terminal of 80 columns and 24 lines that keeps nothing."""

    size = (80, 24)

    def write(self, text: str) -> None:
        """Do nothing."""


class _Stopwatch:
    """Adds up the CPU time, in seconds, of what is called through it."""

    def __init__(self) -> None:
        self.spent = 0.0

    def measure(self, work: Callable[..., Result], *args: object) -> Result:
        began = thread_time()
        try:
            return work(*args)
        finally:
            self.spent += thread_time() - began


def live_view() -> str:
    """Measure each of `RUNS` in simulated time; return a line for each."""
    costs = [(series, rate, seconds, _cost(series, rate, seconds) * 1e3) for series, rate, seconds in RUNS]
    return "\n".join(
        f"live view: {series} series of {rate}/s for {seconds:,} s take {cost:.1f} ms of CPU a second"
        for series, rate, seconds, cost in costs
    )


def _cost(series: int, rate: int, seconds: int) -> float:
    """Return the CPU seconds that the view takes a second of a run."""
    monitor = RunMonitor(Collector(["local"]), [parse(limit) for limit in LIMITS], brake=None)
    figures, watch = RecentSeries(), _Stopwatch()
    screen = Screen(_Paper(), monotonic)  # type: ignore[arg-type]  # it has what a screen needs
    monitor.collector.listeners.append(lambda *second: watch.measure(figures.add, *second))
    recorder, chance = Recorder("local", began=0.0), Random(1)

    def draw() -> None:
        state = ViewState(
            "shop",
            "500/s",
            monitor.pulse(),
            length=300.0,
            levels={"visits/s": 500.0},
            series=figures.busiest(BUSIEST),
            known=figures.known,
            errors=figures.errors(),
            workers=monitor.workers,
            keys=True,
        )
        screen.draw(view_lines(state, 79, 23))

    for second in range(seconds):
        for name in range(series):
            for _ in range(rate):
                failure = Failure("http 500", "out of stock") if name == 3 and chance.random() < 0.1 else None
                recorder.record(Sample(Key("shop", f"GET /{name}"), second, second + chance.random() / 10, failure))
        recorder.record(Sample(Key("shop", "visit shop", "visit"), second, second + 0.1))
        monitor.add(recorder.cut(health={"cpu": 0.4, "late_p99": 0.001}))
        watch.measure(draw)
    return watch.spent / seconds
