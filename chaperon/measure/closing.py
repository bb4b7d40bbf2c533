"""What an engine has counted of its work apart from its windows, said once it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaperon.measure.window import Window


@dataclass(frozen=True, slots=True)
class Closing:
    """The second witness of a report: each figure is counted where the work was done.

    *windows* were cut and *samples* taken by the recorder; of *visits* so many were planned by
    the loads, by scenario label; *requests* were answered, or failed after they had been sent,
    on the usual way of a request, *left_out* of those were of series that the environment
    leaves out. The loads were *stopped* so many seconds from the start of the run, None
    where they ended by themselves.
    """

    windows: int
    samples: int
    visits: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    left_out: int = 0
    stopped: float | None = None


@dataclass(slots=True)
class Reported:
    """The same figures, as the windows of one worker have them."""

    windows: int = 0
    samples: int = 0
    requests: int = 0
    visits: dict[str, int] = field(default_factory=dict)

    def add(self, window: Window) -> None:
        """Add what a window has."""
        self.windows += 1
        for key, series in window.series.items():
            self.samples += series.count
            if key.kind == "http":
                self.requests += series.count
        for (label, _), counts in window.ledger.items():
            self.visits[label] = self.visits.get(label, 0) + counts.planned


def disagreements(said: Closing, reported: Reported, who: str) -> list[str]:
    """Return in which figures a worker and its windows disagree, each as a reason for the run to be INVALID."""
    found = []
    pairs = [("windows", said.windows, reported.windows), ("samples", said.samples, reported.samples)]
    for what, counted, there in pairs:
        if counted != there:
            found.append(f"{who} counted {counted:,} {what}, its windows have {there:,}")
    for label, counted in said.visits.items():
        there = reported.visits.get(label, 0)
        if counted != there:
            found.append(f"{who} planned {counted:,} visits of {label}, its windows have {there:,}")
    if said.requests > reported.requests + said.left_out:
        found.append(f"{who} sent {said.requests:,} requests, its windows have {reported.requests + said.left_out:,}")
    return found


def missing(said: Closing, reported: Reported) -> Mapping[str, int]:
    """Return by label how many visits a worker has planned that its windows do not have."""
    lacking = {label: counted - reported.visits.get(label, 0) for label, counted in said.visits.items()}
    return {label: count for label, count in lacking.items() if count > 0}
