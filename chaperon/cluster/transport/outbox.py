"""The outbox: windows are kept and sent again until the master acknowledges them (transactional outbox)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from chaperon.lazy_dataclass import lazy_dataclass

MAX_IN_FLIGHT = 8
"""Number of windows that are under way at once."""
FIRST_DELAY, MAX_DELAY = 2.0, 15.0
"""Heartbeat intervals after which an unacknowledged window is sent again: at first, and at most."""
MAX_BYTES = 64 << 20
"""Bytes that unacknowledged windows may have together."""


@lazy_dataclass(slots=True)
class _Queued:
    """A message and when it is sent again; times are seconds of the clock, the delay is 0.0 before the first one."""

    body: bytes
    sent_at: float = 0.0
    due_at: float = 0.0
    retry_delay: float = 0.0
    received: bool = False


class Outbox:
    """Numbered windows, at most `MAX_IN_FLIGHT` under way at once; the delay doubles with each attempt.

    *heartbeat_interval*, in seconds, scales the delays.
    """

    def __init__(self, *, heartbeat_interval: float = 1.0) -> None:
        self._heartbeat_interval = heartbeat_interval
        self._windows: dict[int, _Queued] = {}
        self.cut = 0
        self.resent = 0

    def __repr__(self) -> str:
        return f"<Outbox of {len(self._windows)}, the newest {self.cut}>"

    def __len__(self) -> int:
        return len(self._windows)

    def has_room(self, size: int) -> bool:
        """Return whether a window of *size* bytes fits within `MAX_BYTES`."""
        return sum(len(window.body) for window in self._windows.values()) + size <= MAX_BYTES

    @property
    def unacknowledged(self) -> int:
        """How many windows have not arrived."""
        return sum(not window.received for window in self._windows.values())

    def put(self, seq: int, body: bytes) -> None:
        """Add a window; it must not change afterwards."""
        self._windows[seq] = _Queued(body)
        self.cut = max(self.cut, seq)

    def acknowledge(self, upto: int, ahead: Collection[int] = ()) -> None:
        """Drop all windows up to *upto*; resend those that are missing before the ones *ahead* soon."""
        for seq in [seq for seq in self._windows if seq <= upto]:
            del self._windows[seq]
        last = max(ahead, default=0)
        for seq, window in self._windows.items():
            window.received = seq in ahead
            if seq < last and not window.received and window.retry_delay:
                window.due_at = min(window.due_at, window.sent_at + self._heartbeat_interval)

    def flush(self, now: float, send: Callable[[int, bytes], bool]) -> None:
        """Send the windows that are due; one for which *send* returns False stays due."""
        for seq in sorted(self._windows)[:MAX_IN_FLIGHT]:
            window = self._windows[seq]
            if window.received or now < window.due_at:
                continue
            if not send(seq, window.body):
                return
            self.resent += window.retry_delay > 0.0
            window.retry_delay = min(
                max(2 * window.retry_delay, FIRST_DELAY * self._heartbeat_interval),
                MAX_DELAY * self._heartbeat_interval,
            )
            window.sent_at, window.due_at = now, now + window.retry_delay

    def resend_all(self) -> None:
        """Make all windows due: the sockets are new."""
        for window in self._windows.values():
            window.due_at = 0.0
