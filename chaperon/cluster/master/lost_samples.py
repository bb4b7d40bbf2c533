"""Lost visits as censored samples: they took at least as long as is known, so percentiles have a lower bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.share import Share
from chaperon.measure.sample import Key
from chaperon.measure.series import Series


@lazy_dataclass(frozen=True, slots=True)
class LostVisits:
    """*count* visits of a scenario label that were due in the second *due* of the run, with unknown outcome.

    *seen* is the offset of the run, in seconds, up to which they are known not to have ended. Visits
    that were due but not *begun* were never started.
    """

    label: str
    due: int
    count: int
    seen: float
    begun: bool = True

    @property
    def age(self) -> float:
        """Seconds that each visit is known to have lasted. It was due before the end of its second."""
        return max(self.seen - self.due - 1.0, 0.0)


def censored_series(lost: Iterable[LostVisits], shares: Sequence[Share]) -> dict[Key, Series]:
    """Return the visit series of lost visits, by key.

    A visit that was begun has a censored service time. If its load is open, it has a censored
    response time too; that is all there is of a visit that was never begun.
    """
    found: dict[Key, Series] = {}
    for visits in lost:
        share = _share_of(visits, shares)
        if share is None or visits.count <= 0 or not (visits.begun or share.load.is_open):
            continue
        key = Key(visits.label, "visit", "visit", share.phases.name_at(visits.due + 0.5))
        series = found.setdefault(key, Series())
        ages = [visits.age] * visits.count
        if visits.begun:
            series.censored.add(ages)
        if share.load.is_open:
            series.response_censored.add(ages)
    return found


def _share_of(visits: LostVisits, shares: Sequence[Share]) -> Share | None:
    """Return a share of the leg in which the visits were due; None for an unknown label."""
    ours = [share for share in shares if share.label == visits.label]
    begun = [share for share in ours if share.at <= visits.due + 0.5]
    return max(begun or ours, key=lambda share: share.at, default=None)
