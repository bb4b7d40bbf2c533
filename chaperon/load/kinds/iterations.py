"""The closed load of a number of visits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.load import Load, Shaped
from chaperon.load.kinds.think import Between
from chaperon.measure.quantity import count_text


@lazy_dataclass(frozen=True)
class Iterations(Shaped):
    """A closed load of *n* visits in total, made by whichever user is free, or with *each* of *n* visits per user."""

    lost_note: ClassVar[str] = "lost workers on iterations: those begun after the last word may have been made again"

    n: int = 1
    think: Between | None = None
    pacing: Between | None = None
    each: bool = False

    @property
    def users(self) -> int:
        """The number of users that share the visits."""
        return math.ceil(self.curve.peak - 1e-9)

    @property
    def total(self) -> int:
        """The total number of visits."""
        return self.n * self.users if self.each else self.n

    def numbers(self, index: int = 0, of: int = 1) -> Iterator[int]:
        """Yield the iterations of one share: those of its users, where iteration i belongs to user i modulo users."""
        crowd = self.users
        mine = range(index, crowd, of)
        return (i for base in range(0, self.total, crowd) for user in mine if (i := base + user) < self.total)

    def quota(self, index: int = 0, of: int = 1) -> int:
        """Return the number of iterations of one share."""
        mine = range(index, min(self.users, self.total), of)
        return sum((self.total - user + self.users - 1) // self.users for user in mine)

    def share_limit(self, n: int) -> int:
        return self.users

    def planned(self, *, seed: object = 0) -> int:
        return self.total

    def due_by(self, stopped: float | None, original: Shaped, *, seed: object = 0) -> tuple[int, bool]:
        counted = self if self.each or not isinstance(original, Iterations) else original
        return counted.total, self is original

    def unmade(self, index: int, of: int, start: int, *, whole: bool) -> int:
        return self.quota(index, of) - start

    def describe(self, *, seed: object = 0) -> str:
        return count_text(self.total, "visit")

    def joined(self, other: Load) -> Load | None:
        return super().joined(other) if other.silence is not None else None  # the numbers of visits differ

    def with_think(self, think: Between) -> Iterations:
        return self if self.think is not None else replace(self, think=think)

    def __str__(self) -> str:
        within = "" if math.isinf(self.curve.until) else f" within {self.curve.until:g} s"
        return f"{count_text(self.total, 'iteration')} by {count_text(self.users, 'user')}{within}"
