"""The open load of new users a second."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.arriving import Arriving
from chaperon.load.kinds.load import level_text
from chaperon.load.kinds.think import Between
from chaperon.measure.quantity import count_text


@lazy_dataclass(frozen=True)
class UsersPerSecond(Arriving):
    """An open load: the level is new users per second, independent of the speed of the target.

    Each user has a new session, makes *visits* visits one after another, and leaves. All visits of a
    user are planned when the user arrives. Arrivals beyond *in_flight* users at once are dropped.
    This is the open injection of users of Gatling (`constantUsersPerSec`).
    """

    unit: ClassVar[str] = "users/s"
    short_unit: ClassVar[str] = " users/s"

    visits: int = 1
    think: Between | None = None
    pacing: Between | None = None

    @property
    def visits_each(self) -> int:
        return self.visits

    @property
    def rests(self) -> dict[str, Between]:
        spans = {"think": self.think, "pacing": self.pacing}
        return {name: span for name, span in spans.items() if span is not None}

    def describe(self, *, seed: object = 0) -> str:
        cap = "" if self.in_flight is None else f", at most {count_text(self.in_flight, 'user')} at once"
        each = f"{count_text(self.visits, 'visit')} each"
        return f"{self._count(seed, 'user')}, {each}, {self._spaced()}{cap}"

    def with_think(self, think: Between) -> UsersPerSecond:
        return self if self.think is not None else replace(self, think=think)

    def __str__(self) -> str:
        each = f" with {count_text(self.visits, 'visit')} each" if self.visits != 1 else ""
        return level_text(f"{count_text(self.curve.peak, 'user')}/s{each}", self.curve)
