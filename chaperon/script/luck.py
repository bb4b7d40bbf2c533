"""What is random in a session: the same in every run with the same seed."""

from __future__ import annotations

from random import Random

from chaperon.load.arrivals import chance
from chaperon.script.scene import Scene


class Luck:
    """A session's random source."""

    scene: Scene
    _luck: str
    _random: Random | None

    @property
    def random(self) -> Random:
        """A random source that depends on the seed, the entry, the user or arrival, the visit alone."""
        if self._random is None:
            self._random = chance(self.scene.seed, self.scene.entry, self._luck)
        return self._random
