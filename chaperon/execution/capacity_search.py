"""The search for the highest rate that holds the limits, run after run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from chaperon.errors import UsageError
from chaperon.load.search import Outcome, Search, Trial
from chaperon.load.shapes import rate
from chaperon.report.capacity import Capacity, Probe
from chaperon.report.report import Report, Verdict

if TYPE_CHECKING:
    from chaperon.execution.environment import Environment

Perform = Callable[["Environment"], Report]
_OUTCOMES: dict[Verdict, Outcome] = {Verdict.PASS: "held", Verdict.FAIL: "broke", Verdict.INVALID: "spent"}
"""ABORTED is none: it ends the search."""


def find(
    environment: Environment,
    *,
    start: float,
    to: float,
    step: float = 10.0,
    settle: float = 5.0,
    within: float = 0.05,
    perform: Perform,
    told: Callable[[Probe], None] = lambda _: None,
) -> Capacity:
    """Try rates from *start* up to *to*, each for *step* seconds after *settle*, until one is known *within* a share.

    What is found is confirmed over twice the time. *perform* makes a run, *told* hears of
    each that was made. A run that somebody ended ends the search. Raises UsageError.
    """
    if not environment.limits:
        raise UsageError("a search needs a limit that can break: --limit 'p95(visit) < 300ms'")
    if len(environment.entries) > 1:
        names = ", ".join(repr(entry.label) for entry in environment.entries)
        raise UsageError(f"a search changes the rate of one entry: say which with --only {names}")
    search = Search(start, to, within=within)
    probes: list[Probe] = []
    while (trial := search.next) is not None:
        length = step * (2 if trial.confirming else 1)
        report = perform(_at(environment, trial, settle, length))
        if report.aborted is not None:
            return Capacity(None, "ended", tuple(probes))
        outcome = _outcome(report)
        probe = Probe(trial.rate, outcome, trial.confirming, length, report)
        probes.append(probe)
        told(probe)
        search.record(outcome)
    return Capacity(search.rate, search.why, tuple(probes))


def _outcome(report: Report) -> Outcome:
    """Return what a run says of its rate: where only the cap on visits in flight was reached, the target was slow."""
    capped = sum(worker.health.get("dropped_cap", 0.0) for worker in report.workers)
    late = sum(worker.health.get("dropped_late", 0.0) for worker in report.workers)
    if report.verdict is Verdict.INVALID and capped > late and len(report.reasons) == 1:
        return "broke"
    return _OUTCOMES[report.verdict]


def _at(environment: Environment, trial: Trial, settle: float, length: float) -> Environment:
    """Return the environment with its entry at one rate, warm-up first."""
    (entry,) = environment.entries
    tried = entry.load.at_level_of(rate(trial.rate, hold=settle + length, warmup=settle))
    return replace(environment, scenarios=[replace(entry, load=tried)], warmup=0.0)
