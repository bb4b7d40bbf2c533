"""Meter: the recorder for one scenario label, with a cache of the keys of its series."""

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
"""Maximum length, in characters, of a tag's name and of its value."""
BOOKS = 500
"""Most combinations of phase and tags whose keys are cached; keys of further ones are built for each sample."""

Naming = Callable[[str], str | None]
"""Maps the name of a series to the name it is recorded under, or to None to leave the series out."""


class Derived(NamedTuple):
    """A series that the environment defines with `metric()`, computed from the samples of other series."""

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
    """Return *own* tags updated with *more*, sorted, as text of bounded length. *more* wins on equal names."""
    return tuple(sorted({**dict(own), **{encodable(k, LONG): encodable(v, LONG) for k, v in more.items()}}.items()))


class Meter:
    """Records the samples of one session, adding scenario label, phase and tags to each key.

    *phase* and *tags* apply to all samples recorded until they are changed. Meters made by
    `fork` share one cache of keys.
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
        """Return a meter for another session, with the same phase and tags."""
        other = Meter(self.recorder, self.clock, self.scenario, naming=self._naming, derived=self._derived)
        other.phase, other.tags = self.phase, self.tags
        other._lanes, other._books, other._inner = self._lanes, self._books, self._inner
        return other

    def inner(self, label: str) -> Meter:
        """Return a meter for a scenario called from this one. Its label is "outer/inner"."""
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
        """Return a meter with *tags* added to the tags of this one. The new ones win on equal names."""
        other = self.fork()
        other.set_phase(self.phase, with_tags(self.tags, tags))
        return other

    def set_phase(self, phase: str, tags: Tags | None = None) -> None:
        """Set the phase, and the tags unless None, of the samples that follow."""
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
        """Record one sample of this scenario, unless the environment leaves its series out; see `Sample`.

        *tags* replace the tags of the meter. A derived metric that raises is counted as a note.
        """
        # mypyc: nine parameters instead of a Key and a Sample, which compiled callers would have to create.
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
                except BaseException as exc:  # an error in the author's metric must not fail the visit
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
