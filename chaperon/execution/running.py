"""One run on this machine, put together: what is sent, who watches it, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from gevent import monkey
from gevent.event import Event

from chaperon.clock import Clock, HubClock, today
from chaperon.errors import NotPatched, TeardownError, UsageError
from chaperon.execution.local_load import LocalLoad
from chaperon.execution.plan import RunPlan
from chaperon.interrupts import is_signal
from chaperon.load.background import fault_text, say_fault, spawn_watched
from chaperon.load.generator.ticker import calibration_due
from chaperon.load.plan import due_visits
from chaperon.measure.exception_text import class_name
from chaperon.measure.plain_text import WORDS, encodable
from chaperon.report.collector import Collector
from chaperon.report.monitor import ABORT_GRACE, RunMonitor
from chaperon.report.redaction.redaction import Redactor
from chaperon.report.totals import Pulse, WorkerStats
from chaperon.report.verdict import RunInfo

if TYPE_CHECKING:
    from chaperon.measure.sample import Sample
    from chaperon.measure.window import Window
    from chaperon.report.report import Report

WORKER = "local"


class Running:
    """A run that is going on, or has ended; as a context manager it is over when the block is.

    It runs the plan's setup before the first visit and the teardown after the last. An error of
    the teardown is kept in *teardown_error*; the report is complete without it.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        clock: Clock | None = None,
        tap: Callable[[Sample], None] | None = None,
    ) -> None:
        self.plan = plan
        self.grace = plan.grace
        self._watch = RunMonitor(
            Collector([WORKER]),
            plan.limits,
            brake=plan.brake,
            rules=plan.rules,
            redact=Redactor(plan.secrets),
        )
        self._clock: Clock = clock or HubClock()
        self._tap = tap
        self._setup = plan.new_setup()
        self.teardown_error: TeardownError | None = None
        self._ended = Event()
        self._finish = 0.0
        self._sending: LocalLoad | None = None
        self._began = 0.0
        self._started = ""

    def __repr__(self) -> str:
        return f"<Running {self.plan.name}{', ended' if self.ended else ''}>"

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.ended or self._sending is None:
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
        return self.plan.load_text

    def start(self) -> Running:
        """Set up and start the run.

        Raises NotPatched where sockets would block every other session, LoadError where the
        setup failed.
        """
        if not monkey.is_module_patched("socket"):
            raise NotPatched("put `from gevent import monkey; monkey.patch_all()` first in your script")
        given = self._setup.begin()
        try:
            self.plan = self.plan.with_setup_result(given)
            self._watch.redact.add(self.plan.secrets)
            self._launch()
        except BaseException:
            self._tear_down()
            raise
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the end, at most *timeout* seconds; return whether it has come.

        Raises UsageError before `start`, when no end can come.
        """
        self._begun_load()
        return bool(self._ended.wait(timeout))

    def stop(self, reason: str = "stopped") -> None:
        """Start no further visit; those in flight have the grace time. The verdict is ABORTED.

        Returns at once. Raises UsageError before `start`, as do all the verbs below.
        """
        load = self._begun_load()
        self._watch.aborted(reason)
        load.engine.stop()

    def abort(self, reason: str) -> None:
        """Do the same as `stop`, with a reason that must be given."""
        self.stop(reason)

    def fault(self, what: str) -> None:
        """Note a fault of Chaperon's own: the verdict is INVALID, and the run ends soon."""
        self._watch.fault(what)
        if self._sending is not None:
            self._sending.engine.stop(min(self.grace, ABORT_GRACE))

    def kill(self, reason: str = "stopped at once") -> None:
        """End every visit now; what is known is kept."""
        load = self._begun_load()
        self._watch.aborted(reason)
        load.engine.stop(0.0)

    def scale(self, factor: float) -> None:
        """From now on, send *factor* times what was planned: visits a second, or users. Raises PlanError."""
        self._begun_load().engine.scale(factor)

    def pause(self) -> None:
        """Begin no further visit until `resume`; what would be due meanwhile is not planned."""
        self._begun_load().engine.pause()

    def resume(self) -> None:
        """Go on after `pause`, where the plan is by now."""
        self._begun_load().engine.resume()

    def note(self, text: str) -> None:
        """Add a sentence to the notes of the report, such as "deployed 1.2" by the person who watches the run."""
        self._watch.collector.count_note(encodable(text, WORDS))

    @property
    def crew(self) -> list[WorkerStats]:
        """Who sends: this process alone."""
        return self._watch.workers

    def pulse(self) -> Pulse:
        """Return the live figures of the last seconds."""
        return self._watch.pulse()

    def report(self) -> Report:
        """Return the report: so far, or in the end. Raises UsageError before `start`."""
        self._watch.redact.add(self._begun_load().secrets)
        finish = self._finish if self.ended else self._clock.now()
        facts = RunInfo(self.plan.name, self.plan.seed, self._started, max(finish - self._began, 0.0))
        return self._watch.report(facts, finished=self.ended)

    def _begun_load(self) -> LocalLoad:
        if self._sending is None:
            raise UsageError("the run has not started: call start() first, or use environment.start()")
        return self._sending

    def _launch(self) -> None:
        LocalLoad.load()
        self._began = self._clock.now()
        if isinstance(self._clock, HubClock):
            self._began += calibration_due()
        self._started = today()
        self._shares = self.plan.shares()
        self._sending = LocalLoad(
            self.plan,
            self._shares,
            self._hear,
            self._clock,
            worker=WORKER,
            began=self._began,
            stop_run=self.abort,
            on_fault=self.fault,
            tap=self._tap,
        )
        self._greenlet = spawn_watched("the run", self._perform, on_fault=self._watch.fault, ends=True)

    def _hear(self, window: Window) -> None:
        if self._watch.add(window):
            self._begun_load().engine.stop(min(self.grace, ABORT_GRACE))

    def _perform(self) -> None:
        try:
            self._begun_load().perform()
        except BaseException as exc:
            if is_signal(exc):
                self._watch.aborted(f"ended by {class_name(exc)}, which a signal handler raised")
                raise
            text = fault_text("the run", exc)
            self._watch.fault(text)
            say_fault(text, exc)
        finally:
            self._finish = self._clock.now()
            self._settle()
            self._tear_down()
            self._ended.set()

    def _settle(self) -> None:
        """Compare what was recorded with what the load planned and the transport sent."""
        load = self._begun_load()
        engine = load.engine
        try:
            plan = due_visits(self._shares, engine.steering, stopped=engine.stopped, began=self._began)
            self._watch.reconcile({WORKER: load.closing}, plan)
        except Exception as exc:  # `wait` must return
            text = fault_text("the reckoning", exc)
            self._watch.fault(text)
            say_fault(text, exc)

    def _tear_down(self) -> None:
        try:
            self._setup.end()
        except TeardownError as exc:
            self.teardown_error = exc
