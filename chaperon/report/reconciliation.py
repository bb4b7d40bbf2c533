"""The reckoning at the end of a run: what was recorded against what was planned, taken, sent."""

from __future__ import annotations

from collections.abc import Mapping

from chaperon.measure.closing import Closing, disagreements, missing
from chaperon.measure.window import VisitCounts
from chaperon.report.collector import Collector


def reconcile(
    collector: Collector, closings: Mapping[str, Closing], plan: Mapping[str, tuple[int, bool]], *, duplicated: int = 0
) -> list[str]:
    """Return in which figures the witnesses of a run disagree, each as a reason for it to be INVALID.

    *closings* are what workers say of themselves at their end, by name. *plan* is how many
    visits the loads made due by scenario label, with whether that is exact or the least.
    Of what is more, *duplicated* is known to have been made twice. Visits that are missing are
    added to the ledger as lost, in its last second. To be called once nothing more is to come.
    """
    collector.close()
    tallies = {tally.name: tally for tally in collector.workers}
    found = []
    lost: dict[str, int] = {}
    for worker, said in closings.items():
        if worker not in tallies:
            collector.join(worker)
            tallies = {tally.name: tally for tally in collector.workers}
        found += disagreements(said, tallies[worker].reported, worker)
        for label, count in missing(said, tallies[worker].reported).items():
            lost[label] = lost.get(label, 0) + count
    ledger = collector.totals().ledger
    for label, (least, exact) in plan.items():
        known = ledger.get(label, VisitCounts()).planned
        if known < least:
            found.append(f"{least - known:,} of {least:,} visits of {label} that were due are in no window: lost")
            lost[label] = max(lost.get(label, 0), least - known)
        elif exact and known > least + duplicated:
            found.append(f"{known:,} visits of {label} were planned, though the load makes {least:,} due")
    second = max((row.at for row in collector.totals().seconds), default=0)
    collector.correct({(label, second): VisitCounts(planned=count, lost=count) for label, count in lost.items()})
    return found
