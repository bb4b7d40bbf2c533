"""A run as it is compared: its report, and estimates of its figures in one phase."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaperon.errors import UsageError
from chaperon.measure.sample import WARM_UP
from chaperon.measure.series import Series
from chaperon.report.comparison.estimate import Estimate, error_estimate, quantile_estimate, rate_estimate
from chaperon.report.comparison.figure import ERRORS, Figure
from chaperon.report.limits.limits import Limit, samples_text
from chaperon.report.limits.selection import Selection
from chaperon.report.report import Report
from chaperon.report.run_file.records import RunHeader
from chaperon.report.run_file.run_file import RecordedRun, RunFile, read_run

RunSource = str | Path | RunFile | RecordedRun
"""A run to compare: the path of its file, or what `read_run` returned."""
STEADY = "steady"


class MeasuredRun:
    """One run with its report and the figures that are compared.

    *phase* is the one they are of, None the whole run without warm-up. *recorded* is the run they were read from.
    """

    def __init__(self, name: str, recorded: RecordedRun, report: Report, phase: str | None = None) -> None:
        self.name = name
        self.recorded = recorded
        self.header: RunHeader = recorded.header
        self.report = report
        self.phase = phase
        self._sums: dict[Selection, Series] = {}
        self._estimates: dict[Figure, Estimate | None] = {}

    def __repr__(self) -> str:
        return f"<MeasuredRun {self.name}>"

    @property
    def phases(self) -> frozenset[str]:
        """The names of the phases that took time, without warm-up."""
        return frozenset(name for (_, name), span in self.report.phases.items() if span > 0 and name != WARM_UP)

    @property
    def length(self) -> float:
        """The seconds in which visits were due, in the phase."""
        if self.phase is None:
            return max(self.report.due.values(), default=self.report.duration)
        spans: dict[str, float] = {}
        for (label, name), span in self.report.phases.items():
            if name == self.phase or name.startswith(f"{self.phase} "):
                spans[label] = spans.get(label, 0.0) + span
        return max(spans.values(), default=0.0)

    def covers(self, figure: Figure) -> bool:
        """Return whether the run has a series of the figure, in any phase."""
        return any(map(figure.limit.may_cover, self.report.series))

    def samples(self, figure: Figure) -> int:
        """Return how many samples the series of a figure has, errors included."""
        return self._sum(figure)[0].count

    def value(self, figure: Figure) -> float | None:
        """Return the value of a figure, None if it is unknown."""
        series, limit = self._sum(figure)
        if figure.is_share:
            return series.errors / series.count if series.count else None
        return limit.times_of(series).known(figure.q)

    def at_least(self, figure: Figure) -> float | None:
        """Return the lower bound of a percentile that lies among samples that were cut, None for any other figure."""
        series, limit = self._sum(figure)
        return None if figure.is_share else limit.times_of(series).at_least(figure.q)

    def estimate(self, figure: Figure) -> Estimate | None:
        """Return a figure with its interval, None if it is unknown. May block to read a file, once a figure."""
        if figure not in self._estimates:
            self._estimates[figure] = self._estimate(figure)
        return self._estimates[figure]

    def read_ahead(self, figure: Figure, quantiles: Sequence[float]) -> None:
        """Prepare the estimates of many *quantiles* of the times of a figure: its seconds are then read once only."""
        series, limit = self._sum(figure)
        limit.times_of(series).read_ahead(quantiles)

    def _estimate(self, figure: Figure) -> Estimate | None:
        series, limit = self._sum(figure)
        if figure.is_share:
            return error_estimate(series.errors, series.count, series.history)
        return quantile_estimate(limit.times_of(series), figure.q)

    def rate(self) -> Estimate | None:
        """Return the requests a second with their interval, None if it is unknown. May block to read a file."""
        series, _ = self._sum(Figure(ERRORS, Limit(ERRORS, ERRORS, "<", 1.0, during=self.phase)))
        return rate_estimate(series.history)

    def unknown(self, figure: Figure) -> str | None:
        """Return why the interval of a figure is unknown, None if it is known."""
        if self.estimate(figure) is not None:
            return None
        series, limit = self._sum(figure)
        times = limit.times_of(series)
        if not (series.count if figure.is_share else times):
            return f"{self.name} has no samples of it"
        if figure.is_share or times.dependence(figure.q) is None:
            return f"{self.name} has samples of it in fewer than 20 seconds"
        if times.bounds(figure.q) is None:
            return f"{self.name} has too few samples for it: {samples_text(times, figure.q)}"
        return f"in {self.name} it lies among samples that were cut, or is 0"

    def _sum(self, figure: Figure) -> tuple[Series, Limit]:
        limit = figure.during(self.phase).limit.reading_for(self.report.series)
        if limit.selection.error is not None:
            raise UsageError(f"{figure.text!r} names no series of {self.name}: errors are compared over all classes")
        if limit.selection not in self._sums:
            parts = [self.report.series[key] for key in sorted(self.report.series) if limit.covers(key)]
            self._sums[limit.selection] = Series.sum_of(parts)
        return self._sums[limit.selection], limit


def measure_runs(*groups: RunSource | Sequence[RunSource], phase: str | None = None) -> list[list[MeasuredRun]]:
    """Return the runs of each group, measured in *phase*, by default in "steady" if all have it.

    Blocks while it reads the files. Raises RunFileError and UsageError.
    """
    measured = [[_measured(each) for each in ([group] if isinstance(group, RunSource) else group)] for group in groups]
    runs = [run for group in measured for run in group]
    if phase is None:
        phase = STEADY if all(STEADY in run.phases for run in runs) else None
    for run in runs:
        run.phase = phase
        if phase is not None and not run.length:
            raise UsageError(f"{run.name} has no phase {phase!r}: it has {', '.join(sorted(run.phases)) or 'none'}")
    return measured


def measure_steady(run: RunSource) -> MeasuredRun:
    """Return one run, measured in its phase "steady" if it has one. Blocks while it reads the file."""
    measured = _measured(run)
    measured.phase = STEADY if STEADY in measured.phases else None
    return measured


def _measured(run: RunSource) -> MeasuredRun:
    if isinstance(run, (str, Path)):
        run = read_run(run)
    if isinstance(run, RunFile):
        run = run.run()
    return MeasuredRun(str(run.path), run, run.report())
