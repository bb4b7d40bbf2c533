"""What is known of a run while it goes on, with the reasons to end it."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.measure.window import Window
from chaperon.report.collector import Collector, Pulse
from chaperon.report.limits import Limit
from chaperon.report.summary import Report
from chaperon.report.verdict import Ending, Facts, conclude


class Watch:
    """Adds windows up, says when to stop, concludes: the sink of a run on one machine or many.

    *brake* is after how many seconds of nothing but failing requests the run is to stop,
    None for never.
    """

    def __init__(self, collector: Collector, limits: Sequence[Limit], *, brake: float | None) -> None:
        self.collector = collector
        self._limits = limits
        self._brake = brake
        self._aborted: str | None = None
        self._failed: str | None = None
        self._faults: list[str] = []

    def __repr__(self) -> str:
        return f"<Watch over {self.collector}>"

    def add(self, window: Window) -> bool:
        """Take in one window; return whether the run must stop because of what is known now."""
        self.collector.add(window)
        if self._brake and self._failed is None and self.collector.failing_for >= self._brake:
            self._failed = f"nothing but failures for {self._brake:g} s (--no-brake goes on all the same)"
        return self._failed is not None

    def aborted(self, reason: str) -> None:
        """Note why the run ends early; the first reason counts."""
        self._aborted = self._aborted or reason

    def fault(self, what: str) -> None:
        """Note what makes the run worthless: the verdict is INVALID."""
        self._faults.append(what)

    def pulse(self) -> Pulse:
        """Return the live figures of the last seconds."""
        return self.collector.pulse()

    def report(self, facts: Facts, *, finished: bool) -> Report:
        """Return the report: so far, or in the end."""
        ending = Ending(self._aborted, self._failed, tuple(self._faults), finished)
        return conclude(self.collector.totals(), self._limits, facts, ending)
