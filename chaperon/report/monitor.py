"""The monitor of a run: collects its windows, decides whether to stop it, makes its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chaperon.measure.closing import Closing
from chaperon.measure.plain_text import WORDS, encodable
from chaperon.measure.sample import Key, Reserved
from chaperon.measure.series import Series
from chaperon.measure.window import Window
from chaperon.report.collector import Collector
from chaperon.report.dead_target import DEAD_AFTER, DeadTarget
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.limits.limits import Limit
from chaperon.report.limits.live_limit import LiveLimit
from chaperon.report.limits.reserved import reserved_by
from chaperon.report.limits.sliding_limit import Sliding
from chaperon.report.limits.uncounted import ALL_COUNTED, uncounted_errors
from chaperon.report.reconciliation import reconcile
from chaperon.report.redaction.redaction import Redactor
from chaperon.report.totals import LimitState, Pulse, WorkerStats
from chaperon.report.validity.validity import GeneratorChecks
from chaperon.report.validity.validity_rules import ValidityRules

if TYPE_CHECKING:
    from chaperon.report.report import Report
    from chaperon.report.verdict import RunInfo

ABORT_GRACE = 1.0
"""Seconds that running visits have to end after a limit stopped the run."""
JUDGED_EVERY = 5
"""Seconds after which the generator is judged anew for the live figures."""


class RunMonitor:
    """The sink of a run's windows, in one process or a cluster: evaluates limits and makes the report.

    *brake*: stop the run after this many seconds with failures only, and after `DEAD_AFTER` seconds if no
    connection has succeeded; None for never. *rules*: when the run is INVALID. *redact* replaces the
    secrets of the run in every text of the report. *strict*: errors that no limit covers are a FAIL.
    Nothing here blocks or reads a clock.
    """

    def __init__(
        self,
        collector: Collector,
        limits: Sequence[Limit],
        *,
        brake: float | None,
        rules: ValidityRules | None = None,
        redact: Redactor | None = None,
        strict: bool = False,
    ) -> None:
        self.collector = collector
        self.redact = redact or Redactor()
        self._limits = limits
        self._sliding = {limit: Sliding(limit) for limit in limits if limit.over is not None}
        self._brake = brake
        self._strict = strict
        self._aborted: str | None = None
        self._failed: str | None = None
        self._faults: list[str] = []
        self._evaluated = -1
        self._ended = 0
        self._dead = DeadTarget()
        self._live = [LiveLimit(limit, self._sliding.get(limit)) for limit in limits]
        self._states: tuple[int, tuple[LimitState, ...]] = (-1, ())
        self._problems: tuple[int, tuple[str, ...]] = (-1, ())
        self._rules = rules or ValidityRules()
        self._checks = GeneratorChecks(self._rules)
        collector.listeners.append(self._on_second)

    def __repr__(self) -> str:
        return f"<RunMonitor over {self.collector}>"

    def add(self, window: Window) -> bool:
        """Add one window. Return whether the run must stop: a limit aborts it, or the brake applies."""
        self.collector.add(window)
        if self._brake and self._failed is None and self._dead.seconds >= min(self._brake, DEAD_AFTER):
            span = f"{self._dead.seconds:g} s"
            self.set_failed(f"no connection succeeded for {span} (--no-brake continues the run regardless)")
        if self._brake and self._failed is None and self.collector.failing_for >= self._brake:
            self.set_failed(f"only failures for {self._brake:g} s (--no-brake continues the run regardless)")
        if self._failed is None and self._second > self._evaluated:
            self._evaluated = self._second
            if reason := self._abort():
                self.set_failed(reason)
        return self._failed is not None

    def set_aborted(self, reason: str) -> None:
        """Set why the run ends early. Later calls have no effect."""
        if not self._aborted:
            self._aborted = encodable(reason, 2 * WORDS)
            self.collector.log.record_end("aborted", self._aborted)

    def set_failed(self, reason: str) -> None:
        """Set why the run is stopped before its end: a limit with `abort`, or only failures."""
        self._failed = reason
        self.collector.log.record_end("failed", reason)

    def add_fault(self, what: str) -> None:
        """Add a reason for the verdict INVALID."""
        what = encodable(what, 2 * WORDS)
        if what not in self._faults:
            self._faults.append(what)
            self.collector.log.record_end("fault", what)

    def reconcile(
        self, closings: Mapping[str, Closing], plan: Mapping[str, tuple[int, bool]], *, duplicated: int = 0
    ) -> None:
        """Compare the windows with the workers' final totals and the plan; see `reconciliation.reconcile`.

        Call it once, after the last window. Each difference makes the run INVALID.
        """
        for reason in reconcile(self.collector, closings, plan, duplicated=duplicated):
            self.add_fault(reason)

    @property
    def reserved(self) -> Reserved:
        """What the limits speak of."""
        return reserved_by(self._limits)

    @property
    def ending(self) -> str | None:
        """Why the run is to end before its load does; None if it is not."""
        return self._failed or self._aborted

    @property
    def workers(self) -> list[WorkerStats]:
        """The figures of each worker that has sent windows or joined."""
        return self.collector.workers

    def limits_so_far(self) -> list[LimitResult]:
        """Return the results of all limits of which there is data, by the closed seconds."""
        errors, due, length = self.collector.errors, self.collector.due, self._second + 1.0
        found = [each.result(errors, each.limit.seconds_due(due) or length) for each in self._live]
        return [result for result in found if result is not None]

    def pulse(self) -> Pulse:
        """Return the live figures of the last closed seconds, with the state of the limits and of the generator."""
        limits = self._limit_states()
        urgent = [state for standing in ("broken", "near", "missing") for state in limits if state.standing == standing]
        return replace(
            self.collector.pulse(),
            limit=urgent[0] if urgent else None,
            limits=limits,
            ending=self._aborted or self._failed or "",
            invalid=(*self._faults, *self._generator_problems()),
        )

    def report(self, info: RunInfo, *, finished: bool) -> Report:
        """Return the report of the run so far, or with *finished* the final one, for which open seconds are closed."""
        # late: nothing is concluded before the end of most runs
        from chaperon.report.limits.broken_seconds import with_broken_seconds
        from chaperon.report.limits.units import ambiguous_limits
        from chaperon.report.texts import map_texts
        from chaperon.report.validity.falsified import invalidated_limits
        from chaperon.report.validity.generator_part import GeneratorPart
        from chaperon.report.verdict import Ending, conclude

        if finished:
            self.collector.close()
        totals = self.collector.totals()
        problems = self._checks.evaluate(totals, info.duration)
        results = tuple(
            self._sliding[limit].result()
            if limit in self._sliding
            else with_broken_seconds(limit, limit.evaluate(totals, info.duration), totals)
            for limit in self._limits
        )
        own = GeneratorPart.of(totals.generator, totals.series, [w.health for w in totals.workers])
        generator = (
            *problems.invalid,
            *invalidated_limits(self._limits, results, totals, own, self._rules.own),
        )
        ending = Ending(
            self._aborted,
            self._failed,
            tuple(self._faults),
            finished,
            (*problems.warnings, *ambiguous_limits(results)),
            unreached=self._dead.reason,
            uncounted=uncounted_errors(self._limits, totals) if finished else ALL_COUNTED,
            strict=self._strict,
            generator=generator,
            died=self._dead.died,
        )
        report = map_texts(conclude(totals, results, info, ending, own), self.redact)
        return replace(report, redact=self.redact)

    @property
    def _second(self) -> int:
        return self.collector.closed

    def _on_second(self, second: int, series: Mapping[Key, Sequence[Series]], windows: Sequence[Window]) -> None:
        for window in windows:
            self._checks.add(window)
        self._dead.add(second, windows)
        self._ended += sum(counts.done + counts.failed for window in windows for counts in window.ledger.values())
        for live in self._live:
            live.add(second, series)
        if not self._sliding:
            return
        errors: dict[tuple[str, str, str], int] = {}
        for window in windows:
            for where, error in window.errors.items():
                errors[where] = errors.get(where, 0) + error.count - error.warm
        busy = any(window.users or window.ledger for window in windows)
        due: dict[str, float] = {}
        for window in windows:
            for label, span in window.due.items():
                due[label] = max(span, due.get(label, 0.0))
        for limit, sliding in self._sliding.items():
            span_due = limit.seconds_due(due)
            sliding.add(second, series, errors, busy=busy, due=1.0 if span_due is None else span_due)

    def _limit_states(self) -> tuple[LimitState, ...]:
        if self._second != self._states[0]:
            errors, due, length = self.collector.errors, self.collector.due, self._second + 1.0
            states = [each.state(errors, each.limit.seconds_due(due) or length, self._ended) for each in self._live]
            self._states = (self._second, tuple(states))
        return self._states[1]

    def _generator_problems(self) -> tuple[str, ...]:
        """Return the reasons of the generator for which the run would be INVALID now, every five seconds anew."""
        if self._second >= self._problems[0] + JUDGED_EVERY:
            found = self._checks.evaluate(self.collector.so_far(), self._second + 1.0)
            self._problems = (self._second, tuple(found.invalid))
        return self._problems[1]

    def _abort(self) -> str | None:
        """Return why a limit aborts the run now, None if none does."""
        aborting = [limit for limit in self._limits if limit.abort and self._second + 1 >= (limit.after or 0.0)]
        if not aborting:
            return None
        totals = self.collector.totals(histories=False) if any(limit.over is None for limit in aborting) else None
        for limit in aborting:
            result: LimitResult
            if limit in self._sliding:
                if self._sliding[limit].broke_at is None:
                    continue
                result = self._sliding[limit].result()
            else:
                assert totals is not None
                result = limit.evaluate(totals, self._second + 1.0)
                if result.value is None and result.at_least is None:
                    due = limit.seconds_due(totals.due)  # neither a delay, a pause nor the warm-up brings data
                    if limit.after is None or (self._second + 1.0 if due is None else due) < limit.after:
                        continue  # no data yet: aborts only if the limit has a span (abort after)
            if not result.held:
                return f"stopped in second {self._second + 1}: {limit.text} was {result.shown}"
        return None
