"""Detects pauses of this process: meanwhile messages of others could not be received."""

from __future__ import annotations

from chaperon.clock import Clock


class PauseDetector:
    """Detects that this process was stopped, swapped out, or that its hub was blocked.

    `check` is called whenever messages could be received, several times in *threshold* seconds of
    the monotonic *clock*. Its result is added to every deadline for messages of others.
    """

    def __init__(self, clock: Clock, threshold: float) -> None:
        self._clock = clock
        self._threshold = threshold
        self._last = clock.now()

    def __repr__(self) -> str:
        return f"<PauseDetector beyond {self._threshold:g} s>"

    def check(self) -> float:
        """Return the seconds since the last call if they are more than *threshold*, else 0.0."""
        now = self._clock.now()
        gap, self._last = now - self._last, now
        return gap if gap > self._threshold else 0.0
