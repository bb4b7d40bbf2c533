"""The search for the highest rate that holds the limits, run after run."""

from __future__ import annotations

from collections.abc import Callable

from chaperon.load.search import Outcome, Search
from chaperon.report.capacity import Capacity, Probe
from chaperon.report.report import Report, Verdict

_OUTCOMES: dict[Verdict, Outcome] = {Verdict.PASS: "held", Verdict.FAIL: "broke", Verdict.INVALID: "spent"}
"""ABORTED is none: it ends the search."""


def find(
    run_at: Callable[[float, float], Report],
    *,
    start: float,
    to: float,
    step: float = 10.0,
    within: float = 0.05,
    told: Callable[[Probe], None] = lambda _: None,
) -> Capacity:
    """Search for the highest rate that holds the limits, from *start* up to *to* visits a second; blocks.

    *run_at* runs at a rate, in visits a second, for a number of seconds, and returns the report.
    Each rate gets *step* seconds, until the highest is known *within* a share of itself; that one
    is confirmed over twice the time. *told* is called with each finished probe. An aborted run
    ends the search. Raises PlanError for a range that is empty, and what *run_at* raises.
    """
    search = Search(start, to, within=within)
    probes: list[Probe] = []
    while (trial := search.next) is not None:
        length = step * (2 if trial.confirming else 1)
        report = run_at(trial.rate, length)
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
