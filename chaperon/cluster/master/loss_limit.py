"""Whether a run lost more visits than it may, with those that lost workers began and did not report."""

from __future__ import annotations

from collections.abc import Mapping

from chaperon.measure.quantity import count_text, names_text
from chaperon.report.totals import Totals
from chaperon.report.verdict import WORKERS_NAMED, lost_visits

AGAIN = "visits that lost workers made after the last word, by an estimate, and others made again"
UNSEEN = "visits begun by lost workers and not reported, by an estimate: in no count"


def losses_fault(totals: Totals, unseen: Mapping[str, int], allowed: float) -> str:
    """Return a fault that names the lost visits where they are more than the share *allowed*, 0 to 1; else "".

    *unseen* are those of no count, by worker. They are named where the counted ones alone are not too many.
    """
    lost, planned, text = lost_visits(totals)
    more = sum(unseen.values())
    share = lost / max(planned, lost, 1)
    if more and share <= allowed:
        share = (lost + more) / (planned + more)
        text = (
            f"about {count_text(more, 'visit')} that {names_text(unseen, WORKERS_NAMED)} began and did not report "
            f"{'is' if more == 1 else 'are'} in no count{f', beside {lost:,} that were lost' if lost else ''}"
        )
    return f"{text}: {share:.1%}, more than {allowed * 100:.4g}%" if share > allowed else ""
