"""Windows on their way: kept until the master has them, sent again until it says so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

IN_FLIGHT = 8
FIRST = 2.0
LONGEST = 15.0


@dataclass(slots=True)
class _Parcelled:
    body: bytes
    sent_at: float = 0.0
    again_at: float = 0.0
    patience: float = 0.0
    there: bool = False


class Outbox:
    """Numbered windows, at most a few under way at once; patience doubles with each attempt.

    *beat* scales it: seconds between two signs of life.
    """

    def __init__(self, *, beat: float = 1.0) -> None:
        self._beat = beat
        self._windows: dict[int, _Parcelled] = {}
        self.cut = 0
        self.again = 0

    def __repr__(self) -> str:
        return f"<Outbox of {len(self._windows)}, the newest {self.cut}>"

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def owed(self) -> int:
        """How many windows are not there yet."""
        return sum(not window.there for window in self._windows.values())

    def put(self, seq: int, body: bytes) -> None:
        """Keep a window; what was put once does not change any more."""
        self._windows[seq] = _Parcelled(body)
        self.cut = max(self.cut, seq)

    def acked(self, upto: int, ahead: Collection[int] = ()) -> None:
        """Let go of all windows up to a number; hurry with those that are missing before the ones *ahead*."""
        for seq in [seq for seq in self._windows if seq <= upto]:
            del self._windows[seq]
        last = max(ahead, default=0)
        for seq, window in self._windows.items():
            window.there = seq in ahead
            if seq < last and not window.there and window.patience:
                window.again_at = min(window.again_at, window.sent_at + self._beat)

    def flush(self, now: float, pour: Callable[[int, bytes], bool]) -> None:
        """Send what is due; what *pour* does not take is due again at once."""
        for seq in sorted(self._windows)[:IN_FLIGHT]:
            window = self._windows[seq]
            if window.there or now < window.again_at:
                continue
            if not pour(seq, window.body):
                return
            self.again += window.patience > 0.0
            window.patience = min(max(2 * window.patience, FIRST * self._beat), LONGEST * self._beat)
            window.sent_at, window.again_at = now, now + window.patience

    def hurry(self) -> None:
        """Send everything again at the next flush: the sockets are new."""
        for window in self._windows.values():
            window.again_at = 0.0
