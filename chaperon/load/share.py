"""One n-th of a load, a stride: shares add up to the whole by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaperon.load.profile import Iterations, Load, Users


@dataclass(frozen=True, slots=True)
class Share:
    """Stride *index* of *of* of the load of one entry."""

    entry: int
    label: str
    load: Load
    seed: int = 0
    index: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """The share as it stands in a window's progress."""
        return f"{self.entry}:{self.index}/{self.of}"


def deal(loads: Sequence[tuple[str, Load]], n: int = 1, *, seed: int = 0) -> list[Share]:
    """Return *n* shares of each (label, load), fewer where a load has fewer users."""
    shares = []
    for entry, (label, load) in enumerate(loads):
        most = load.n if isinstance(load, Users) else load.users if isinstance(load, Iterations) else n
        of = min(n, most)
        shares += [Share(entry, label, load, seed, index, of) for index in range(of)]
    return shares
