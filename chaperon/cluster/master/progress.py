"""How far each share has come by what a worker says of itself, which is sooner than its windows tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chaperon.cluster.protocol.messages import Lease


@dataclass(slots=True)
class ReportedProgress:
    """A share in one worker's hands: from its arrival number *start* to *reached*, with *rows* unique rows taken.

    *marks* are (second, arrival reached in it), those alone that no window has told of.
    """

    share: str
    attempt: int
    start: int
    reached: int
    rows: int
    marks: list[tuple[int, int]] = field(default_factory=list)

    def record(self, lease: Lease, second: int, seen: int) -> None:
        """Note where it stands in a *second*, the windows having told of it up to *seen*."""
        self.rows = max(self.rows, lease.rows)
        if lease.start > self.reached:
            self.reached = lease.start
            if self.marks and self.marks[-1][0] == second:
                self.marks.pop()
            self.marks.append((second, lease.start))
        while self.marks and self.marks[0][1] <= seen:
            self.marks.pop(0)

    def unreported(self, seen: int) -> Iterator[tuple[int, int]]:
        """Yield (second, how many began in it) of what the windows, which told up to *seen*, have not."""
        known = max(self.start, seen)
        for second, reached in self.marks:
            if reached > known:
                yield second, reached - known
                known = reached


class ShareProgressLog:
    """All spans of one worker."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, int], ReportedProgress] = {}

    def __repr__(self) -> str:
        return f"<ShareProgressLog of {len(self._spans)} shares>"

    def __iter__(self) -> Iterator[ReportedProgress]:
        return iter(self._spans.values())

    def __getitem__(self, lease: Lease) -> ReportedProgress | None:
        return self._spans.get((lease.share, lease.attempt))

    def add(self, lease: Lease) -> None:
        """Note that a share is in this worker's hands."""
        where = lease.share, lease.attempt
        if where not in self._spans:
            self._spans[where] = ReportedProgress(*where, lease.start, lease.start, lease.rows)
