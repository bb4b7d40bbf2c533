"""The progress of shares as reported in pings, which are newer than windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from chaperon.cluster.protocol.messages import Lease
from chaperon.lazy_dataclass import lazy_dataclass


@lazy_dataclass(slots=True)
class ReportedProgress:
    """A share leased to one worker: from arrival *start* to *reached*, with *rows* unique rows used.

    *marks* are (second, arrival reached in it) for arrivals that are in no window yet.
    """

    share: str
    attempt: int
    start: int
    reached: int
    rows: int
    marks: list[tuple[int, int]] = field(default_factory=list)

    def record(self, lease: Lease, second: int, seen: int) -> None:
        """Record the progress reported in a *second*; arrivals up to *seen* are in windows."""
        if lease.rows > self.rows:
            self.rows = lease.rows
        if lease.start > self.reached:
            self.reached = lease.start
            if self.marks and self.marks[-1][0] == second:
                self.marks.pop()
            self.marks.append((second, lease.start))
        while self.marks and self.marks[0][1] <= seen:
            self.marks.pop(0)

    def unreported(self, seen: int) -> Iterator[tuple[int, int]]:
        """Yield (second, arrivals started in it) for arrivals beyond *seen*, which are in no window."""
        known = max(self.start, seen)
        for second, reached in self.marks:
            if reached > known:
                yield second, reached - known
                known = reached


class ShareProgressLog:
    """The reported progress of all shares of one worker."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, int], ReportedProgress] = {}

    def __repr__(self) -> str:
        return f"<ShareProgressLog of {len(self._spans)} shares>"

    def __iter__(self) -> Iterator[ReportedProgress]:
        return iter(self._spans.values())

    def record(self, leases: Iterable[Lease], second: int, seen: Mapping[str, tuple[int, int]]) -> None:
        """Record the progress reported in a *second*; *seen* is that in windows, by share: (arrivals, rows)."""
        spans = self._spans
        for lease in leases:  # a master does this eight times for each ping
            reported = spans.get((lease.share, lease.attempt))
            if reported is not None and (
                reported.marks or lease.start > reported.reached or lease.rows > reported.rows
            ):
                reported.record(lease, second, seen.get(lease.share, (0, 0))[0])

    def __getitem__(self, lease: Lease) -> ReportedProgress | None:
        return self._spans.get((lease.share, lease.attempt))

    def add(self, lease: Lease) -> None:
        """Record that a share was leased to this worker."""
        where = lease.share, lease.attempt
        if where not in self._spans:
            self._spans[where] = ReportedProgress(*where, lease.start, lease.start, lease.rows)
