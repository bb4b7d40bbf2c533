"""The closed load of a number of users."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.arrivals import user_intervals
from chaperon.load.kinds.load import Load, Shaped, level_text
from chaperon.load.kinds.think import Between
from chaperon.measure.quantity import count_text


@lazy_dataclass(frozen=True)
class Users(Shaped):
    """A closed load: the level is the number of users; each makes one visit after another.

    *visits* is the number of visits per user, None for as many as fit into the user's time.
    *think* passes after each visit; *pacing* is the least time from the start of one visit to the start
    of the next.
    """

    lost_note: ClassVar[str] = "lost workers on users: visits begun after the last word are in no count"

    visits: int | None = None
    think: Between | None = None
    pacing: Between | None = None

    @property
    def n(self) -> int:
        """The highest number of users at once."""
        return math.ceil(self.curve.peak - 1e-9)

    @property
    def has_plan(self) -> bool:
        return self.until is None

    @property
    def row_users(self) -> int:
        return self.n

    def share_limit(self, n: int) -> int:
        return self.n

    def planned(self, *, seed: object = 0) -> int | None:
        return None if self.until is not None else sum(1 for _ in self.curve.user_intervals())

    def due_by(self, stopped: float | None, original: Shaped, *, seed: object = 0) -> tuple[int, bool]:
        if stopped is None and self is original and self.visits == 1 and self.until is None:
            return sum(1 for _ in self.curve.user_intervals()), True
        return 0, False

    def unmade(self, index: int, of: int, start: int, *, whole: bool) -> int:
        if not whole or self.until is not None:
            return 0
        return max(len(user_intervals(self.curve, index, of)) - start, 0)  # each user makes one visit

    @property
    def rests(self) -> dict[str, Between]:
        spans = {"think": self.think, "pacing": self.pacing}
        return {} if self.until is None else {name: span for name, span in spans.items() if span is not None}

    def describe(self, *, seed: object = 0) -> str:
        number = self.planned(seed=seed)
        if number is not None:
            return count_text(number, "visit")
        return "visit after visit, as fast as the target answers"

    def with_spans(self, hold: float | None = None, ramp: float | None = None) -> Load:
        return super(Users, self if hold is None else replace(self, visits=None)).with_spans(hold, ramp)

    def with_think(self, think: Between) -> Users:
        return self if self.think is not None else replace(self, think=think)

    def __str__(self) -> str:
        return level_text(count_text(self.n, "user"), self.curve)
