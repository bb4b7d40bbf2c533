"""What is random in a session: the same in every run with the same seed."""

from __future__ import annotations

from random import Random

from chaperon.load.arrivals import chance
from chaperon.script.scene import Scene, Visit


class Luck:
    """A session's random source."""

    scene: Scene
    visit: Visit
    _luck: str | None
    _random: Random | None

    @property
    def luck(self) -> str:
        """What tells the visit, and the place of this session in it, from all others."""
        if self._luck is None:
            self._luck = "/".join(map(str, self.scene.turn(self.visit)))
        return self._luck

    @property
    def random(self) -> Random:
        """A random source that depends on the seed, the entry, the user or arrival, the visit alone."""
        if self._random is None:
            self._random = chance(self.scene.seed, self.scene.entry, self.luck)
        return self._random
