"""Send times by key, for measuring round trips between sessions."""

from __future__ import annotations

from collections.abc import Hashable

MOST = 100_000


class RoundTripStarts:
    """Send times by key, shared by all sessions of a process: a sender calls `mark`, a receiver `since`.

    A key can be looked up any number of times. Only the newest *most* keys are kept.
    """

    __slots__ = ("_moments", "_most")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._moments: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._moments)

    def mark(self, key: Hashable, at: float) -> bool:
        """Store *at* for a key. Return whether the oldest key was removed to make room."""
        self._moments.pop(key, None)
        self._moments[key] = at
        if len(self._moments) <= self._most:
            return False
        del self._moments[next(iter(self._moments))]
        return True

    def since(self, key: Hashable) -> float | None:
        """Return the moment stored for a key, or None."""
        return self._moments.get(key)
