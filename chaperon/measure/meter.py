"""Where the samples of one scenario go: keys are named once, then only looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chaperon.clock import Clock
from chaperon.measure.recorder import NAMES, Recorder
from chaperon.measure.sample import Failure, Key, Sample

Naming = Callable[[str], str | None]
"""From the name of a series to the one it is kept under; None leaves it out."""


class Derived(NamedTuple):
    """A series of the environment's own, computed from the samples of others."""

    name: str
    applies: Callable[[str], bool]
    value: Callable[[Sample], float]


class _Lane(NamedTuple):
    key: Key | None
    derived: tuple[tuple[Key, Callable[[Sample], float]], ...]


class Meter:
    """The recorder as the sessions of one scenario label see it."""

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        scenario: str,
        *,
        naming: Naming | None = None,
        derived: Sequence[Derived] = (),
    ) -> None:
        self.recorder = recorder
        self.clock = clock
        self.scenario = scenario
        self._naming = naming
        self._derived = derived
        self._lanes: dict[tuple[str, str], _Lane] = {}

    def take(
        self,
        name: str,
        kind: str,
        start: float,
        end: float,
        failure: Failure | None = None,
        bytes: int = 0,
        due: float | None = None,
        value: float | None = None,
    ) -> None:
        """Record one sample under this scenario, unless the environment leaves its series out."""
        lane = self._lanes.get((name, kind)) or self._lane(name, kind)
        if lane.key is not None:
            self.recorder.record(Sample(lane.key, start, end, failure, bytes, due, value))
        if lane.derived:
            sample = Sample(lane.key or Key(self.scenario, name, kind), start, end, failure, bytes, due, value)
            for key, compute in lane.derived:
                self.recorder.record(Sample(key, start, end, None, 0, None, float(compute(sample))))

    def _lane(self, name: str, kind: str) -> _Lane:
        kept = name if self._naming is None else self._naming(name)
        lane = _Lane(
            None if kept is None else Key(self.scenario, kept, kind),
            tuple((Key(self.scenario, d.name, "value"), d.value) for d in self._derived if d.applies(name)),
        )
        if len(self._lanes) < 2 * NAMES:
            self._lanes[name, kind] = lane
        return lane
