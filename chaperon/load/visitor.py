"""The protocol of what makes the visits, and the result of one."""

from __future__ import annotations

from types import FrameType
from typing import NamedTuple, Protocol

from chaperon.load.arrival import Arrival
from chaperon.measure.window import VisitOutcome


class VisitResult(NamedTuple):
    """The outcome of a visit, whether its user makes further ones (*stays*), and whether its connection failed."""

    fate: VisitOutcome
    stays: bool = True
    unconnected: bool = False


class Visitor(Protocol):
    """Makes the visits. Its methods must not raise anything but an interrupt (`chaperon.interrupts`)."""

    def visit(self, arrival: Arrival) -> VisitResult:
        """Make one visit and return its outcome. Blocks until the visit has ended."""

    def leave(self, entry: int, user: int) -> None:
        """Close the session of a user that makes no further visit."""

    def missed(self, arrival: Arrival, now: float) -> None:
        """Record the response time of an arrival that was due and never started: at least the time until *now*."""

    def abandoned(self, arrival: Arrival) -> None:
        """Record a visit in flight that is abandoned: its duration is at least the time until now."""

    def interrupted(self, arrival: Arrival, endless: str) -> None:
        """Count a visit as interrupted, even if it handles that; *endless* is why it has no natural end, or ""."""

    def unended(self, arrival: Arrival) -> None:
        """Record each block of an abandoned visit that is still open: its duration is at least the time until now."""

    def endless(self, arrival: Arrival, frame: FrameType | None) -> str:
        """Return why a visit in flight has no natural end ("loop", "socket"), or "" if it has one.

        *frame* is the frame in which the visit waits. If it is given, a `while` loop of the
        scenario counts as endless, too.
        """
