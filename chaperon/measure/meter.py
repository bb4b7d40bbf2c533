"""Where the samples of one scenario go: keys are named once, then only looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chaperon.clock import Clock
from chaperon.interrupts import is_interrupt
from chaperon.measure.exception_text import class_name
from chaperon.measure.plain_text import LABEL, NAME, encodable
from chaperon.measure.recorder import NAMES, NAMES_CUT, Recorder
from chaperon.measure.sample import STEADY, Failure, Key, Sample

LONG = 100
"""Characters of a tag's name, and of its value."""
BOOKS = 500
"""How many combinations of phase with tags are kept at hand; the rest are looked up anew each time."""

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


Tags = tuple[tuple[str, str], ...]
"""Sorted (name, value) pairs."""
_Lanes = dict[tuple[str, str], _Lane]


def with_tags(own: Tags, more: Mapping[str, object]) -> Tags:
    """Return *own* tags with *more*, as text of bounded length; later ones win."""
    return tuple(sorted({**dict(own), **{encodable(k, LONG): encodable(v, LONG) for k, v in more.items()}}.items()))


class Meter:
    """The recorder as one session of a scenario label sees it.

    *phase* and *tags* are those of whatever is taken until they change. Meters that came
    of one another by `fork` share what they know of the keys.
    """

    __slots__ = ("_books", "_derived", "_inner", "_lanes", "_naming", "clock", "phase", "recorder", "scenario", "tags")

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
        self.phase = STEADY
        self.tags: Tags = ()
        self._naming = naming
        self._derived = derived
        self._lanes: _Lanes = {}
        self._books: dict[tuple[str, Tags], _Lanes] = {(STEADY, ()): self._lanes}
        self._inner: dict[str, Meter] = {}

    def fork(self) -> Meter:
        """Return a meter for another session, which starts with the same phase and tags."""
        other = Meter(self.recorder, self.clock, self.scenario, naming=self._naming, derived=self._derived)
        other.phase, other.tags = self.phase, self.tags
        other._lanes, other._books, other._inner = self._lanes, self._books, self._inner
        return other

    def inner(self, label: str) -> Meter:
        """Return a meter for a scenario that runs within this one: it is labelled "outer/inner"."""
        first = self._inner.get(label)
        if first is None:
            own = encodable(f"{self.scenario}/{label}", NAME)
            first = Meter(self.recorder, self.clock, own, naming=self._naming, derived=self._derived)
            if len(self._inner) < NAMES:
                self._inner[label] = first
        other = first.fork()
        other.set_phase(self.phase, self.tags)
        return other

    def tagged(self, tags: Mapping[str, object]) -> Meter:
        """Return a meter that counts to *tags* besides its own; later ones win."""
        other = self.fork()
        other.set_phase(self.phase, with_tags(self.tags, tags))
        return other

    def set_phase(self, phase: str, tags: Tags | None = None) -> None:
        """Count what follows to *phase*, and to *tags* if there are any given."""
        if phase == self.phase and (tags is None or tags == self.tags):
            return
        self.phase = phase
        if tags is not None:
            self.tags = tags
        self._lanes = self._book(self.phase, self.tags)

    def record(
        self,
        name: str,
        kind: str,
        start: float,
        end: float,
        failure: Failure | None = None,
        bytes: int = 0,
        due: float | None = None,
        value: float | None = None,
        tags: Tags | None = None,
    ) -> None:
        """Record one sample under this scenario, unless the environment leaves its series out.

        *tags* stand in place of the meter's own.
        """
        lanes = self._lanes if tags is None else self._book(self.phase, tags)
        lane = lanes.get((name, kind))
        if lane is None:
            lane = self._lane(lanes, name, kind, self.tags if tags is None else tags)
        key, derived = lane
        if key is not None:
            self.recorder.record_fields(key, start, end, failure, bytes, due, value)
        elif kind == "http":
            self.recorder.left_out += 1
        if derived:
            sample = Sample(key or Key(self.scenario, name, kind, self.phase), start, end, failure, bytes, due, value)
            for own, compute in derived:
                try:
                    figure = float(compute(sample))
                except BaseException as exc:  # of the author's, and no reason to fail a visit
                    if is_interrupt(exc):
                        raise
                    self.recorder.count_note(f"samples metric({own.name!r}) could not compute: {class_name(exc)}")
                else:
                    self.recorder.record_fields(own, start, end, None, 0, None, figure)

    def _book(self, phase: str, tags: Tags) -> _Lanes:
        book = self._books.get((phase, tags))
        if book is None:
            book = {}
            if len(self._books) < BOOKS:
                self._books[phase, tags] = book
        return book

    def _lane(self, lanes: _Lanes, name: str, kind: str, tags: Tags) -> _Lane:
        kept: str | None = name
        try:
            if self._naming is not None:
                kept = self._naming(name)
        except BaseException as exc:
            if is_interrupt(exc):
                raise
            self.recorder.count_note(f"series that keep their name, for a rule of metrics= failed: {class_name(exc)}")
        if isinstance(kept, str) and len(kept) > NAME:
            self.recorder.count_note(NAMES_CUT)
        key = Key(self.scenario, encodable(kept, NAME), encodable(kind, LABEL), self.phase, tags)
        lane = _Lane(
            None if kept is None else key,
            tuple(
                (Key(self.scenario, encodable(d.name, NAME), "value", self.phase, tags), d.value)
                for d in self._derived
                if d.applies(name)
            ),
        )
        if len(lanes) < 2 * NAMES:
            lanes[name, kind] = lane
        return lane
