"""Meter: the recorder for one scenario label, with a cache of the keys of its series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from chaperon.clock import Clock
from chaperon.interrupts import is_interrupt
from chaperon.measure.caps import NAMES
from chaperon.measure.plain_text import LABEL, NAME, encodable
from chaperon.measure.recorder import NAMES_CUT, Recorder
from chaperon.measure.sample import STEADY, Failure, Key, OpenSeries, Sample, SessionActivity

LONG = 100
"""Maximum length, in characters, of a tag's name and of its value."""
CACHES = 500
"""Most combinations of phase and tags whose keys are cached; keys of further ones are built for each sample."""

Naming = Callable[[str], str | None]
"""Maps the name of a series to the name it is recorded under, or to None to leave the series out."""


class Derived(NamedTuple):
    """A series that the environment defines with `metric()`, computed from the samples of other series."""

    name: str
    applies: Callable[[str], bool]
    value: Callable[[Sample], float]


class _CachedKey:
    """The key of a series, None if the environment leaves it out, and what to compute from its samples.

    *open* is where its samples are collected, once there was one.
    """

    __slots__ = ("derived", "key", "open")

    def __init__(self, key: Key | None, derived: tuple[tuple[Key, Callable[[Sample], float]], ...]) -> None:
        self.key = key
        self.derived = derived
        self.open: OpenSeries | None = None


Tags = tuple[tuple[str, str], ...]
"""Sorted (name, value) pairs."""
_KeyCache = dict[tuple[str, str], _CachedKey]


class SeriesSlot:
    """The *name* and *kind* of a series, for `Meter.record_in`, which finds its key again without a look-up.

    It may be used with any meter; it remembers the key for the phase and tags of the last sample.
    """

    __slots__ = ("cached", "keys", "kind", "name")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.keys: _KeyCache | None = None
        self.cached: _CachedKey | None = None

    def __repr__(self) -> str:
        return f"<SeriesSlot {self.name}>"


def with_tags(own: Tags, more: Mapping[str, object]) -> Tags:
    """Return *own* tags updated with *more*, sorted, as text of bounded length. *more* wins on equal names."""
    return tuple(sorted({**dict(own), **{encodable(k, LONG): encodable(v, LONG) for k, v in more.items()}}.items()))


class Meter:
    """Records the samples of one session, adding scenario label, phase and tags to each key.

    *measuring* is the number of blocks and requests that are being timed now, steps and tasks left out.
    *last_reply* is the HTTP response that was recorded last in the step that runs, see `SessionClients.explain_check`.
    *phase* and *tags* apply to all samples recorded until they are changed. Meters made by
    `fork`, each *like* the one before, share one cache of keys.
    """

    __slots__ = (
        "_caches",
        "_derived",
        "_keys",
        "_naming",
        "_nested",
        "_slots",
        "activity",
        "clock",
        "last_reply",
        "measuring",
        "now",
        "phase",
        "recorder",
        "scenario",
        "tags",
    )

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        scenario: str,
        *,
        naming: Naming | None = None,
        derived: Sequence[Derived] = (),
        like: Meter | None = None,
    ) -> None:
        self.recorder = recorder
        self.clock = clock
        self.now: Callable[[], float] = clock.now
        self.scenario = scenario
        self.measuring = 0
        self.last_reply: Any = None
        self._naming = naming
        self._derived = derived
        self.phase: str = STEADY if like is None else like.phase
        self.tags: Tags = () if like is None else like.tags
        self.activity: SessionActivity = SessionActivity() if like is None else like.activity
        self._keys: _KeyCache = {} if like is None else like._keys
        self._caches: dict[tuple[str, Tags], _KeyCache] = {(STEADY, ()): self._keys} if like is None else like._caches
        self._nested: dict[str, Meter] = {} if like is None else like._nested
        self._slots: dict[tuple[str, str], SeriesSlot] = {} if like is None else like._slots

    def fork(self) -> Meter:
        """Return a meter for another session, with the same phase and tags."""
        return Meter(self.recorder, self.clock, self.scenario, naming=self._naming, derived=self._derived, like=self)

    def inner(self, label: str) -> Meter:
        """Return a meter for a scenario called from this one. Its label is "outer/inner"."""
        first = self._nested.get(label)
        if first is None:
            own = encodable(f"{self.scenario}/{label}", NAME)
            first = Meter(self.recorder, self.clock, own, naming=self._naming, derived=self._derived)
            if len(self._nested) < NAMES:
                self._nested[label] = first
        other = first.fork()
        other.activity = self.activity
        other.set_phase(self.phase, self.tags)
        return other

    def tagged(self, tags: Mapping[str, object]) -> Meter:
        """Return a meter with *tags* added to the tags of this one. The new ones win on equal names."""
        other = self.fork()
        other.set_phase(self.phase, with_tags(self.tags, tags))
        return other

    def set_phase(self, phase: str, tags: Tags | None = None) -> None:
        """Set the phase, and the tags unless None, of the samples that follow."""
        if phase == self.phase and (tags is None or tags is self.tags or tags == self.tags):
            return
        self.phase = phase
        if tags is not None:
            self.tags = tags
        self._keys = self._cache_for(self.phase, self.tags)

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
        cache = self._keys if tags is None else self._cache_for(self.phase, tags)
        cached = cache.get((name, kind))
        if cached is None:
            cached = self._make_key(cache, name, kind, self.tags if tags is None else tags)
        self._record(cached, name, kind, start, end, failure, bytes, due, value)

    def slot(self, name: str, kind: str) -> SeriesSlot:
        """Return the slot of a series, one for all meters that are forks of another; beyond a number, a new one."""
        found = self._slots.get((name, kind))
        if found is None:
            found = SeriesSlot(name, kind)
            if len(self._slots) < NAMES:
                self._slots[name, kind] = found
        return found

    def record_in(
        self,
        slot: SeriesSlot,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        """Record one sample of the series of a slot; see `record`."""
        keys, cached = self._keys, slot.cached
        if cached is None or slot.keys is not keys:
            cached = keys.get((slot.name, slot.kind))
            if cached is None:
                cached = self._make_key(keys, slot.name, slot.kind, self.tags)
            slot.keys, slot.cached = keys, cached
        self._record(cached, slot.name, slot.kind, start, end, failure, bytes, due, value)

    def _record(
        self,
        cached: _CachedKey,
        name: str,
        kind: str,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        key, derived, series, recorder = cached.key, cached.derived, cached.open, self.recorder
        recorder.activity = self.activity
        if key is not None:
            if series is None:
                recorder.record_fields(key, start, end, failure, bytes, due, value)
                cached.open = recorder.open_series(key)
            else:
                recorder.record_open(series, start, end, failure, bytes, due, value)
        elif kind == "http":
            recorder.left_out += 1
        if derived:
            sample = Sample(key or Key(self.scenario, name, kind, self.phase), start, end, failure, bytes, due, value)
            for own, compute in derived:
                try:
                    figure = float(compute(sample))
                except BaseException as exc:  # an error in the author's metric must not fail the visit
                    if is_interrupt(exc):
                        raise
                    self.recorder.count_exception(f"samples metric({own.name!r}) could not compute", exc)
                else:
                    self.recorder.record_fields(own, start, end, None, 0, None, figure)

    def amend(self, name: str, start: float, end: float, before: str | None, failure: Failure) -> bool:
        """Record *failure* in place of the outcome of a request; see `Recorder.amend`.

        Return True also if the environment leaves the series out.
        """
        cached = self._keys.get((name, "http")) or self._make_key(self._keys, name, "http", self.tags)
        return cached.key is None or self.recorder.amend(cached.key, start, end, before, failure)

    def exchange_key(self, name: str, kind: str, error: str) -> Key | None:
        """Return the key of the exchange of a sample just recorded, None if it is not to be kept.

        *error* is the error class, "" for a good sample.
        """
        cached = self._keys.get((name, kind))
        if cached is None or cached.key is None:
            return None
        key = cached.key
        return key if self.recorder.exchanges.wants(key.scenario, key.name, error) else None

    def _cache_for(self, phase: str, tags: Tags) -> _KeyCache:
        """Return the key cache of a phase with tags. Beyond `CACHES` of them it is a new one at each call."""
        cache = self._caches.get((phase, tags))
        if cache is None:
            cache = {}
            if len(self._caches) < CACHES:
                self._caches[phase, tags] = cache
        return cache

    def _make_key(self, cache: _KeyCache, name: str, kind: str, tags: Tags) -> _CachedKey:
        """Apply the naming rules to a series, make its keys and put them into *cache*, unless that is full."""
        kept: str | None = name
        try:
            if self._naming is not None:
                kept = self._naming(name)
        except BaseException as exc:
            if is_interrupt(exc):
                raise
            self.recorder.count_exception("series that keep their name, for a rule of metrics= failed", exc)
        if isinstance(kept, str) and len(kept) > NAME:
            self.recorder.count_note(NAMES_CUT)
        key = Key(self.scenario, encodable(kept, NAME), encodable(kind, LABEL), self.phase, tags)
        cached = _CachedKey(
            None if kept is None else key,
            tuple(
                [
                    (Key(self.scenario, encodable(d.name, NAME), "value", self.phase, tags), d.value)
                    for d in self._derived
                    if d.applies(name)
                ]
            ),
        )
        if len(cache) < 2 * NAMES:
            cache[name, kind] = cached
        return cached
