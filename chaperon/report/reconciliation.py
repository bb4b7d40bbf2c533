"""The reconciliation at the end of a run: the windows against the workers' own totals and the plan."""

from __future__ import annotations

from collections.abc import Mapping

from chaperon.measure.closing import Closing, disagreements, missing
from chaperon.measure.quantity import count_text
from chaperon.measure.window import VisitCounts
from chaperon.report.collector import Collector


def reconcile(
    collector: Collector, closings: Mapping[str, Closing], plan: Mapping[str, tuple[int, bool]], *, duplicated: int = 0
) -> list[str]:
    """Compare the collected windows with *closings* and *plan*; return a reason for INVALID for each difference.

    *closings* are the final totals of the workers, by name. *plan* has, by scenario label, how many
    visits the loads made due, and whether that number is exact or a minimum. Up to *duplicated*
    visits more than planned are allowed: they are known to have been made twice. Missing visits
    are added to the ledger as lost, in its last second. Closes the collector; call it once, after
    the last window.
    """
    collector.close()
    known_workers = {worker.name: worker for worker in collector.workers}
    found = []
    lost: dict[str, int] = {}
    for name, closing in closings.items():
        if name not in known_workers:
            collector.join(name)
            known_workers = {worker.name: worker for worker in collector.workers}
        reported = known_workers[name].reported
        found += disagreements(closing, reported, name)
        for label, count in missing(closing, reported).items():
            lost[label] = lost.get(label, 0) + count
    ledger = collector.totals().ledger
    for label, (least, exact) in plan.items():
        known = ledger.get(label, VisitCounts()).planned
        if known < least:
            found.append(f"{least - known:,} of {least:,} visits of {label} that were due are in no window: lost")
            lost[label] = max(lost.get(label, 0), least - known)
        elif exact and known > least + duplicated:
            found.append(f"{count_text(known, 'visit')} of {label} were planned, though the load makes {least:,} due")
    second = max((row.at for row in collector.totals().seconds), default=0)
    collector.correct({(label, second): VisitCounts(planned=count, lost=count) for label, count in lost.items()})
    return found
