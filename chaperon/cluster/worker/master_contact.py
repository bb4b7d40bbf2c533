"""The contact of a worker with its master: its silence, pauses of this process, leases. No I/O; time is a parameter."""

from __future__ import annotations

import math
from collections.abc import Callable

from chaperon.cluster.protocol.messages import Pong
from chaperon.cluster.worker.join import RETRY_INTERVAL

MAX_PAUSE = 1.8
"""Heartbeats after which a pause of this process may have cost it its shares: after two, a master
leases those of a worker whose connection was closed to others."""


class MasterContact:
    """The contact of a worker with its master; moments are readings of the worker's clock, in seconds.

    A lease expires on its holder's side first, one heartbeat before the master's side. It is
    counted from the sending of the last ping that was answered (Gray and Cheriton, Leases, 1989).
    *lease_renewed_at* is that moment: all that the master had ordered by then is known.
    From then on no visit may start: *on_suspend* is called with the reason, and *on_resume*, once visits may start
    again, with the moment from which on none did.
    """

    def __init__(
        self, now: float, on_suspend: Callable[[str], None], on_resume: Callable[[float], None] = lambda since: None
    ) -> None:
        self.heartbeat_interval = RETRY_INTERVAL
        self._on_suspend = on_suspend
        self._on_resume = on_resume
        self._worker_timeout = math.inf  # until a master welcomes this worker
        self._newest_reply = -math.inf
        self._last_heard_at = self._last_tick_at = self.lease_renewed_at = now
        self._suspended_since: float | None = None
        self._first_suspended_at = now
        self._backoff = 1.0

    def __repr__(self) -> str:
        return f"<MasterContact at {self._last_heard_at:.1f} s, {'suspended' if self._suspended_since else 'leased'}>"

    def begin(self, now: float, worker_timeout: float) -> None:
        """Begin: the master has welcomed this worker, and will give it up after *worker_timeout* seconds of silence."""
        self._last_heard_at = self.lease_renewed_at = now
        self._worker_timeout = worker_timeout
        self.heartbeat_interval = worker_timeout / 10

    def record_pong(self, pong: Pong, now: float) -> bool:
        """Record an answer of the master; return False if a newer one has arrived before."""
        if pong.replied_at < self._newest_reply:
            return False
        self._newest_reply, self._last_heard_at, self._backoff = pong.replied_at, now, 1.0
        self.lease_renewed_at = max(self.lease_renewed_at, pong.sent_at)
        if self._suspended_since is not None and pong.sent_at >= self._suspended_since:
            self._suspended_since = None
            self._on_resume(self._first_suspended_at)
        return True

    def record_tick(self, now: float) -> None:
        """Record that this process runs at *now*; the time since the last tick was no pause."""
        self._last_tick_at = now

    def check_pause(self, now: float) -> float:
        """Return for how long this process was paused, 0 if it was not; the master's silence meanwhile does not count.

        Suspends if the pause was so long that the leases may have expired.
        """
        self.is_suspended(now)
        gap = now - self._last_tick_at
        self._last_tick_at = now
        if gap <= self.heartbeat_interval:
            return 0.0
        self._last_heard_at += gap
        return gap

    def silence(self, now: float) -> float:
        """Return for how many seconds the master has sent nothing."""
        return now - self._last_heard_at

    def wants_new_connection(self, now: float) -> bool:
        """Return whether it is time to connect anew; each time the next one is twice as far away."""
        if self.silence(now) <= 5 * self.heartbeat_interval * self._backoff:
            return False
        self._backoff *= 2
        return True

    def is_suspended(self, now: float) -> bool:
        """Return whether no visit may start until the master answers: it may have given this worker up."""
        if self._worker_timeout < math.inf and self._suspended_since is None:
            if now - self._last_tick_at > MAX_PAUSE * self.heartbeat_interval:
                self.suspend(now, f"this process did not run for {now - self._last_tick_at:.1f} s")
            elif now - self.lease_renewed_at > self._worker_timeout - self.heartbeat_interval:
                self.suspend(now, f"no message from the master for {now - self.lease_renewed_at:.1f} s")
        return self._suspended_since is not None

    def suspend(self, now: float, why: str) -> None:
        """Start no visit until the master has answered a ping sent after *now*."""
        if self._suspended_since is None:
            self._first_suspended_at = now
            self._on_suspend(why)
        self._suspended_since = now
