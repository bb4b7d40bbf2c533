"""Spans in which this process itself stood still: they say nothing about anybody else's silence."""

from __future__ import annotations

from chaperon.clock import Clock


class PauseDetector:
    """Finds the gaps in this process's own attention: it was stopped, swapped out, or its hub was blocked.

    `check` is called whenever there was a chance to hear something, several times in *threshold*
    seconds on the monotonic *clock*. What it returns is added to every deadline that is about
    others: during a gap nothing they said could be heard.
    """

    def __init__(self, clock: Clock, threshold: float) -> None:
        self._clock = clock
        self._threshold = threshold
        self._last = clock.now()

    def __repr__(self) -> str:
        return f"<PauseDetector beyond {self._threshold:g} s>"

    def check(self) -> float:
        """Return the seconds since the last look where they are more than *threshold*, else 0.0."""
        now = self._clock.now()
        gap, self._last = now - self._last, now
        return gap if gap > self._threshold else 0.0
