"""Arrival: one visit to be made."""

from __future__ import annotations


class Arrival:
    """One visit to be made.

    *entry* is the index of the load's entry in the environment. *number* counts the arrivals of
    the entry (open loads), its iterations, or the visits of the user (closed loads). *due* is a
    reading of the run's clock in seconds, None for closed loads.
    """

    __slots__ = ("due", "entry", "number", "phase", "user")

    def __init__(self, entry: int, number: int, user: int, due: float | None = None, phase: str = "steady") -> None:
        self.entry = entry
        self.number = number
        self.user = user
        self.due = due
        self.phase = phase

    def __repr__(self) -> str:
        return f"<Arrival {self.number} of user {self.user}>"
