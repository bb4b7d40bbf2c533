"""The open load of visits a second."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.arriving import Arriving
from chaperon.load.kinds.load import Shaped, level_text


@lazy_dataclass(frozen=True)
class Rate(Arriving):
    """An open load: the level is visits due per second, independent of the speed of the target.

    With *fresh* each visit uses a new session. Visits due while *in_flight* are in flight are dropped.
    """

    unit: ClassVar[str] = "visits/s"
    short_unit: ClassVar[str] = "/s"

    fresh: bool = False

    def at_level_of(self, trial: Shaped) -> Shaped:
        return replace(self, curve=trial.curve, warmup=trial.warmup)

    def describe(self, *, seed: object = 0) -> str:
        cap = "" if self.in_flight is None else f", at most {self.in_flight:,} in flight"
        return f"{self._count(seed, 'arrival')}, {self._spaced()}{cap}"

    def __str__(self) -> str:
        return level_text(f"{self.curve.peak:g}/s", self.curve)
