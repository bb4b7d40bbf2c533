"""The protocol of performers, the state shared by the performers of one engine, and their random spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from chaperon.load.arrivals import seeded_random
from chaperon.load.curve import Curve
from chaperon.load.kinds.think import Between
from chaperon.load.share import ShareProgress


class Performer(Protocol):
    """Makes the visits of one share."""

    def run(self) -> None:
        """Start every visit when it is due. Blocks until the last one has been started."""

    def follow_curve(self, curve: Curve) -> None:
        """Continue along another curve, the load having been changed live."""

    def close(self) -> None:
        """Count the planned visits that no greenlet will make any more as dropped. Does not block."""


class Pool:
    """The idle users of the open loads of an engine, and how many were created."""

    def __init__(self) -> None:
        self._idle: dict[int, list[int]] = {}
        self._opened: dict[str, int] = {}

    def borrow(self, progress: ShareProgress) -> int:
        """Return the number of the user that became idle last, or of a new one."""
        share = progress.share
        idle = self._idle.get(share.entry)
        if idle:
            return idle.pop()
        opened = self._opened.get(share.name, 0)
        self._opened[share.name] = opened + 1
        return share.unique(share.index + (share.start + opened) * share.of)

    def put_back(self, entry: int, user: int) -> None:
        """Keep a user for the next visit of its entry."""
        self._idle.setdefault(entry, []).append(user)

    def empty(self) -> Iterator[tuple[int, int]]:
        """Remove all idle users and yield each as (entry, user)."""
        waiting, self._idle = self._idle, {}
        return iter([(entry, user) for entry, idle in waiting.items() for user in idle])


class Terms:
    """Settings and state shared by all performers of an engine.

    *pool* are the idle users of open loads. An arrival that would start more than *late*
    seconds after it was due is dropped. When a share's time is over, visits in flight have *grace*
    seconds. Caps on visits in flight are divided by the number of *engines*.
    """

    def __init__(self, pool: Pool, *, late: float, grace: float, engines: int) -> None:
        self.pool = pool
        self.late = late
        self.grace = grace
        self.engines = engines

    def cap(self, in_flight: int | None) -> int | None:
        """Return this engine's part of a cap on visits in flight, at least 1; None without a cap."""
        return None if in_flight is None else max(in_flight // self.engines, 1)


def drawn(span: Between | None, *seed: object) -> float:
    """Return a time of *span* in seconds, drawn by a random source that depends on *seed* alone; 0 without a span."""
    if span is None:
        return 0.0
    # a source is made only for what is random: that takes longer than the draw
    return span.low if span.low == span.high else span.draw(seeded_random(*seed))
