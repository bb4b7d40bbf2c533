"""Run: the base of every run, in one process or on many workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gevent import monkey
from gevent.event import Event

from chaperon.clock import Clock, HubClock, epoch, today
from chaperon.descriptors import SpareDescriptors
from chaperon.errors import NotPatched, OutputError, TeardownError, UsageError
from chaperon.execution.output_feed import OutputFailure
from chaperon.execution.plan import RunPlan
from chaperon.execution.run_outputs import RunOutputs
from chaperon.forks import end_in_children, keep_in_children
from chaperon.load.live_changes import LiveChanges
from chaperon.load.plan import levels_at
from chaperon.measure.plain_text import WORDS, encodable
from chaperon.measure.sample import Key
from chaperon.measure.window import RunEvent
from chaperon.report.collector import Collector, Listener
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.redaction.redaction import Redactor
from chaperon.report.totals import Pulse, WorkerStats

if TYPE_CHECKING:
    from chaperon.measure.precision.history import History
    from chaperon.measure.precision.stretch import SeriesStretch
    from chaperon.report.report import Report
    from chaperon.report.run_file.writer import RunFileWriter

Adjustment = Literal["scale", "pause", "resume"]
Self = TypeVar("Self", bound="Run")


class Run(ABC):
    """A run that is going on, or has ended. As a context manager it has ended when the block is left.

    It runs the plan's setup before the first visit and the teardown after the last. An error of
    the teardown is kept in *teardown_error*, and outputs that could not be written in
    *output_failures*; the report is complete without them.
    """

    def __init__(self, plan: RunPlan, workers: Sequence[str], clock: Clock | None) -> None:
        self.plan = plan
        self.grace = plan.grace
        self.teardown_error: TeardownError | None = None
        self._clock: Clock = clock or HubClock()
        redact = Redactor(plan.secrets)
        self._monitor = RunMonitor(
            Collector(workers), plan.limits, brake=plan.brake, rules=plan.rules, redact=redact, strict=plan.strict
        )
        self._setup = plan.new_setup()
        self._whole_shares = plan.shares()
        self._outputs: RunOutputs | None = None
        self._started = ""
        self._forked = False
        self._load_began = 0.0
        self._ended = Event()

    _has_samples = False
    """Whether samples are measured in this process."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._forked:
            return
        if self._started and not self.ended:
            if exc is None:
                self.stop("the block it ran in was left")
            else:
                self.kill(f"the block it ran in raised {type(exc).__name__}")
            self.wait()
        self._release()
        if self._started:
            self.finish()

    @property
    def ended(self) -> bool:
        """Whether every visit has ended and the last window is in."""
        return bool(self._ended.is_set())

    @property
    def target(self) -> str:
        """What is asked for, as a person would say it: "100 users", "50/s"."""
        return self.plan.load_text

    def start(self: Self, outputs: Sequence[Output] = (), run_file: RunFileWriter | str | Path | None = None) -> Self:
        """Set up and start the run; return it as soon as the load begins.

        *outputs* get its seconds and its report. *run_file* is a path that every window is
        written to, or an open file, to which this run is appended and which stays open.
        Raises NotPatched where sockets would block every other greenlet, OutputError where an
        output cannot be written, LoadError where the setup failed, UsageError where it has been
        started before.
        """
        if self._outputs is not None:
            raise UsageError("the run has been started already: make a new one for each run")
        self._outputs = written = RunOutputs(outputs, self._monitor, has_samples=self._has_samples)
        self._sample_outputs = written.sample_outputs
        self._spare = SpareDescriptors()
        end_in_children(self._end_in_child)
        try:
            if not monkey.is_module_patched("socket"):
                raise NotPatched("put `from gevent import monkey; monkey.patch_all()` first in your script")
            written.start(self._planned(written))
            written.open(run_file)
            given = self._setup.begin()
            self.plan = self.plan.with_setup_result(given)
            self._monitor.redact.add(self.plan.secrets)
            began = self._load_began = self._launch(given)
            time = epoch() + began - self._clock.now()
            self._started = today()
            written.begin(self.plan, began=began, started=self._started, time=time)
        except BaseException:
            self._abandon()
            self._tear_down()
            keep_in_children(self._end_in_child)
            raise
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the end, at most *timeout* seconds; return whether it has come.

        Outputs are written by `finish`, or when the block of the run is left. Raises UsageError
        before `start`, as do all the verbs below; they return at once.
        """
        self._check_started()
        return bool(self._ended.wait(timeout))

    def stop(self, reason: str = "stopped", *, by: str = "") -> None:
        """Start no further visit; those in flight have the grace time. The verdict is ABORTED.

        *by* names who stopped it: the report then has it as an event, too.
        """
        self._check_started()
        self._monitor.set_aborted(reason)
        if by and not self.ended:
            self._monitor.collector.add_event(RunEvent(max(self._duration(), 0.0), "change", f"stopped, by {by}"))
        self._halt(at_once=False)

    def abort(self, reason: str) -> None:
        """Do the same as `stop`, with a reason that must be given."""
        self.stop(reason)

    def kill(self, reason: str = "stopped at once") -> None:
        """End every visit now; what is known is kept."""
        self._check_started()
        self._monitor.set_aborted(reason)
        self._halt(at_once=True)

    @property
    def abandoned(self) -> bool:
        """Whether `end_now` ended it: greenlets of its visits may still be there, and never let others run."""
        return False

    def end_now(self, reason: str) -> None:
        """End without waiting for anything: visits in flight are counted as interrupted, their `cleanup` is not run.

        The report is complete when it returns, even if a visit blocks every other greenlet.
        """
        self.kill(reason)

    def scale(self, factor: float, *, by: str = "") -> None:
        """From now on, send *factor* times what was planned: visits a second, or users. Raises PlanError.

        *by* names who changed it, for the event in the report: "the page". So it does for `pause` and `resume`.
        """
        self._check_started()
        self._adjust("scale", factor, by)

    def pause(self, *, by: str = "") -> None:
        """Begin no further visit until `resume`; what would be due meanwhile is not planned."""
        self._check_started()
        self._adjust("pause", 1.0, by)

    def resume(self, *, by: str = "") -> None:
        """Go on after `pause`, where the plan is by now."""
        self._check_started()
        self._adjust("resume", 1.0, by)

    @property
    def factor(self) -> float:
        """The multiple of the plan that is sent by now; 1 unless it was scaled."""
        return self._live_changes.factor

    @property
    def paused(self) -> bool:
        """Whether it is paused by now."""
        return self._live_changes.paused

    @property
    def levels(self) -> dict[str, float]:
        """What is asked for at this moment by unit, changes included: {"visits/s": 50.0, "users": 20.0}."""
        return levels_at(self._whole_shares, self._live_changes, max(self._duration(), 0.0))

    def note(self, text: str, *, by: str = "") -> None:
        """Add a sentence to the notes of the report, such as "deployed 1.2". Allowed before `start`, too.

        *by* names who wrote it: a run that has started then has it as an event, too.
        """
        self._monitor.collector.count_note(encodable(text, WORDS))
        if by and self._started and not self.ended:
            event = RunEvent(max(self._duration(), 0.0), "change", encodable(f"note: {text}, by {by}", WORDS))
            self._monitor.collector.add_event(event)

    @abstractmethod
    def fault(self, what: str) -> None:
        """Record a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""

    @property
    def began(self) -> float:
        """The start of the load, in seconds on the clock of the samples; 0 before it."""
        return self._load_began

    @property
    def ending(self) -> str | None:
        """Why no further visit starts before the end of the load: the run was stopped, or a limit stopped it."""
        return self._monitor.ending

    def limits_so_far(self) -> Sequence[LimitResult]:
        """Return the limits of which there is data, by the seconds that are closed."""
        return self._monitor.limits_so_far()

    def stretch(self, start: float, end: float) -> Iterator[tuple[Key, SeriesStretch]]:
        """Yield each key with its samples from second *start* up to second *end*. May block to read a file."""
        return self._monitor.collector.stretch(start, end)

    def histories(self) -> Iterator[tuple[Key, History]]:
        """Yield each key with its closed seconds, from which the precision of percentiles is estimated."""
        return self._monitor.collector.histories()

    def add_output(self, output: Output) -> None:
        """Let one more output have the run: its seconds from now on, and its report. For a run that goes on.

        Raises OutputError where it cannot be written, and UsageError for one that wants every sample, before
        `start`, and after the outputs were written.
        """
        self._check_started()
        if (outputs := self._outputs) is None or outputs.written is not None:
            raise UsageError("the run is over: its outputs are written")
        outputs.add(output, self._planned(outputs))

    @property
    def crew(self) -> list[WorkerStats]:
        """The workers that send, with how each of them does; in one process this process alone."""
        return self._monitor.workers

    def listen(self, listener: Listener) -> None:
        """Call *listener* with (second, series by key, windows) of each second that is closed from now on.

        It must return soon and must not raise: the run waits for it. Outputs get seconds in a greenlet of their own.
        """
        self._monitor.collector.listeners.append(listener)

    def pulse(self) -> Pulse:
        """Return the live figures of the last seconds."""
        return self._monitor.pulse()

    def report(self) -> Report:
        """Return the report: so far, or in the end."""
        self._check_started()
        self._spare.release()  # the imports here and in `RunMonitor.report` read files, outputs write them
        from chaperon.report.verdict import RunInfo

        self._monitor.redact.add(self._found_secrets())
        length = max(self._duration(), 0.0)
        info = RunInfo(self.plan.name, self.plan.seed, self._started, length, self._load_began)
        return self._monitor.report(info, finished=self.ended)

    @property
    def output_failures(self) -> list[OutputFailure]:
        """The outputs that could not be written so far, with what they raised."""
        return [] if self._outputs is None else self._outputs.failures

    def finish(self, change: Callable[[Report], Report] = lambda report: report) -> Report:
        """Let every output write the report, as *change* returns it; return what they wrote.

        It is for the end of the run; before it, outputs get the report so far. Only the first
        call writes. Blocks while they write: live outputs have 5 s for seconds that are still
        queued. *output_failures* has the outputs that failed.
        """
        self._check_started()
        if self._outputs is None:
            return self.report()
        if self.ended and self._outputs.written is None:
            self._monitor.collector.close()
        report = self._outputs.finish(lambda: change(self.report()))
        if self.ended:
            keep_in_children(self._end_in_child)
        return report

    def check_written(self) -> None:
        """Raise TeardownError or OutputError, with the report in it, where something failed beside the run."""
        failed: TeardownError | OutputError | None = self.teardown_error
        if failed is None and self.output_failures:
            failed = OutputError("; ".join(failure.text for failure in self.output_failures))
        if failed is not None:
            failed.report = self.finish()
            raise failed

    @abstractmethod
    def _launch(self, given: Mapping[str, Any]) -> float:
        """Let the load begin, *given* what the setup returned; return the moment it begins."""

    @abstractmethod
    def _halt(self, *, at_once: bool) -> None:
        """Start no further visit; end those in flight after the grace time, or *at once*."""

    @abstractmethod
    def _adjust(self, what: Adjustment, factor: float, by: str) -> None:
        """Change the load that is being sent; *by* names the cause in the report."""

    @property
    @abstractmethod
    def _live_changes(self) -> LiveChanges:
        """The changes of the load so far."""

    @abstractmethod
    def _duration(self) -> float:
        """Return the seconds from the beginning of the load until now, or until its end."""

    def _found_secrets(self) -> Set[str]:
        """Return secrets that only the run has found."""
        return frozenset()

    def _abandon(self) -> None:
        """Give up a start that failed."""
        return

    def _release(self) -> None:
        """Give up what the run holds of others, after its end."""
        return

    def _end_in_child(self, objects: Iterable[object]) -> None:
        """End the run in a process that the scenario has forked, where nothing drives it; see `forks`."""
        self._forked = True

    def _check_started(self) -> None:
        if self._forked:
            raise UsageError("the run goes on in the process that has started it, not in one forked from that")
        if not self._started:
            raise UsageError("the run has not started: call start() first, or use environment.start()")

    def _planned(self, outputs: RunOutputs) -> PlannedRun:
        return self.plan.for_outputs(self._monitor.redact, lambda: outputs.facts(self.plan), self)

    def _tear_down(self) -> None:
        try:
            self._setup.end()
        except TeardownError as exc:
            self.teardown_error = exc
