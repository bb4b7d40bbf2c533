"""What a run is written to: its outputs, and its run file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chaperon.errors import OutputError, UsageError
from chaperon.execution.output_feed import OutputFailure, OutputFeed
from chaperon.execution.plan import RunPlan
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.output import Output, PlannedRun, wants_samples

if TYPE_CHECKING:
    from chaperon.report.report import Report
    from chaperon.report.run_file.writer import RunFileWriter

RUN_FILE = "the run file"
"""The name by which a failure of the run file is reported."""


class RunOutputs:
    """The outputs of one run and its run file. *has_samples*: samples are measured in this process.

    *sample_outputs* are those that get every sample, *written* the report once it is written. Raises UsageError
    for an output that wants every sample where they are measured elsewhere.
    """

    def __init__(self, outputs: Sequence[Output], monitor: RunMonitor, *, has_samples: bool) -> None:
        self.sample_outputs = [output for output in outputs if wants_samples(output)]
        if self.sample_outputs and not has_samples:
            raise UsageError(
                f"{self.sample_outputs[0].name} wants every sample, and those of several processes stay where they "
                "are measured: run in one process, or use Environment(on_sample=…), which is called in each of them"
            )
        self.written: Report | None = None
        self._feed = OutputFeed(outputs, monitor)
        self._monitor = monitor
        self._run_file: RunFileWriter | None = None
        self._closes_run_file = False

    def __repr__(self) -> str:
        return f"<RunOutputs {self._feed!r}{', written' if self.written else ''}>"

    @property
    def failures(self) -> list[OutputFailure]:
        """The outputs that could not be written so far, with what they raised."""
        return self._feed.failures

    def start(self, planned: PlannedRun) -> None:
        """Start every output. Raises OutputError as one of them does."""
        self._feed.start(planned)

    def open(self, run_file: RunFileWriter | str | Path | None) -> None:
        """Write every window to a run file from now on: to a path, or to an open file, which stays open."""
        self._closes_run_file = isinstance(run_file, (str, Path))
        if run_file is None:
            return
        from chaperon.report.run_file.writer import RunFileWriter  # late: most runs have no run file

        writer = RunFileWriter(run_file) if isinstance(run_file, (str, Path)) else run_file
        self._monitor.collector.attach(writer)
        self._run_file = writer

    def begin(self, plan: RunPlan, *, began: float, started: str, time: float) -> None:
        """Hand out seconds from now on, and write the header of the run file; see `run_header`."""
        self._feed.begin(time)
        if self._run_file is not None:
            from chaperon.execution.run_header import run_header  # late: as above

            self._run_file.begin(run_header(plan, began=began, started=started, time=time), self._monitor.redact)

    def add(self, output: Output, planned: PlannedRun) -> None:
        """Start one more output and hand out seconds to it from now on.

        Raises OutputError where it cannot be written, UsageError for one that wants every sample.
        """
        if wants_samples(output):
            raise UsageError(f"{output.name} wants every sample: give it to start(outputs=[…])")
        self._feed.add(output, planned)

    def finish(self, report: Callable[[], Report]) -> Report:
        """Write the report that *report* returns, once the live outputs have what is queued; return it.

        Blocks while outputs write; *failures* has those that failed. Only the first call writes.
        """
        if self.written is None:
            self._feed.flush()
            self.written = report()
            self._finish_run_file(self.written)
            self._feed.finish(self.written)
        return self.written

    def facts(self, plan: RunPlan) -> list[tuple[str, str]]:
        """Return what is known of a run beside its figures, as (name, text) pairs without secrets."""
        from chaperon.execution.run_header import run_header  # late: as above
        from chaperon.report.run_file.records import facts_of

        kept = () if (writer := self._run_file) is None else (writer.path.name, writer.sha256)
        header = run_header(plan, began=0.0, started="", time=0.0)
        return [(name, self._monitor.redact(text)) for name, text in facts_of(header, *kept)]

    def _finish_run_file(self, report: Report) -> None:
        writer = self._run_file
        if writer is None:
            return
        from chaperon.report.run_file.records import RunFooter  # late: as above

        writer.finish(RunFooter(report.duration, report.verdict.value, report.reasons))
        if self._closes_run_file:
            writer.close()
        if writer.failure is not None:
            self.failures.append(OutputFailure(RUN_FILE, OutputError(writer.failure)))
