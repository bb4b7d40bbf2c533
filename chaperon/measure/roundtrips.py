"""When something was sent, by a key, until it arrives."""

from __future__ import annotations

from collections.abc import Hashable

MOST = 100_000


class RoundTripStarts:
    """Moments by key, shared by all sessions of a process: whoever sends marks, whoever receives asks.

    A key may arrive any number of times. Only the newest *most* keys are kept.
    """

    __slots__ = ("_moments", "_most")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._moments: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._moments)

    def mark(self, key: Hashable, at: float) -> bool:
        """Remember *at* for a key; return whether the oldest one had to be forgotten for it."""
        self._moments.pop(key, None)
        self._moments[key] = at
        if len(self._moments) <= self._most:
            return False
        del self._moments[next(iter(self._moments))]
        return True

    def since(self, key: Hashable) -> float | None:
        """Return the moment of a key, or None."""
        return self._moments.get(key)
