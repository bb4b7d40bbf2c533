"""The seconds of every series, kept until the report is made: in memory at first, then in a temporary file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from chaperon.measure.precision.centroids import NONE, Centroids
from chaperon.measure.precision.history import Estimates, History, SecondsPart
from chaperon.measure.precision.kept_seconds import KeptSeconds
from chaperon.measure.precision.second_counts import SeriesSecond
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import WINDOW, Sketch
from chaperon.report.spooling.temporary_bytes import TemporaryBytes

IN_MEMORY = 4 << 20
"""Bytes kept in memory; more are kept in a file without a name, which the system removes when the process ends."""
LIMIT = 256 << 20
"""Bytes after which seconds are merged into steps ten times as long, and again after as many more."""
STEP = 10


_BEFORE = struct.Struct("<QQ")
"""What seconds in the file begin with: where those of the key that were written before are."""


class _Link(NamedTuple):
    """Where seconds of a key are in the file; none if *length* is 0."""

    offset: int
    length: int


_NOWHERE = _Link(0, 0)


class _KeySeconds:
    """The seconds of one key up to a moment, as a source of a history: the last ones first.

    *link*: those in the file. *recent*: those in memory, of which the first *most* count. *merging*: samples
    of a step that goes on.
    """

    def __init__(
        self, file: TemporaryBytes, link: _Link, recent: KeptSeconds | None, merging: SeriesSecond | None
    ) -> None:
        self._file = file
        self._link = link
        self._recent = recent
        self._most = 0 if recent is None else len(recent)
        self._merging = merging

    def __repr__(self) -> str:
        return f"<_KeySeconds of {self._most} seconds in memory{', others in a file' if self._link.length else ''}>"

    def __call__(self) -> Iterator[SeriesSecond | SecondsPart]:
        """Yield the seconds. Blocks to read the file."""
        if self._merging is not None:
            yield self._merging
        if self._recent is not None:
            yield SecondsPart(self._recent, self._most)
        link = self._link
        while link.length:
            data = self._file.read(link.offset, link.length)
            link = _Link(*_BEFORE.unpack_from(data))
            kept = KeptSeconds.of_bytes(data[_BEFORE.size :])
            yield SecondsPart(kept, len(kept))


class Spool:
    """Keeps the seconds of series, and gives them back by key. Every call may block for a file.

    The seconds of a key that are in the file begin with the place of those before them, so that the memory used grows
    with the number of keys alone. No call raises OSError: if the disk is full, `failure` says so, what
    follows is lost, and there are no histories.
    """

    def __init__(self, *, in_memory: int = IN_MEMORY, limit: int = LIMIT) -> None:
        self.failure: str | None = None
        self._file = TemporaryBytes()
        self._most_in_memory = in_memory
        self._limit = limit
        self._size = self._in_memory = self._written = 0
        self._recent: dict[Key, KeptSeconds] = {}
        self._last: dict[Key, _Link] = {}
        self._merging: dict[Key, tuple[int, Series]] = {}

    def __repr__(self) -> str:
        return f"<Spool of {len(self.keys)} keys, {self._size:,} bytes>"

    @property
    def step(self) -> int:
        """How many seconds are merged into one record by now."""
        return int(STEP ** (self._size // self._limit))

    @property
    def keys(self) -> list[Key]:
        """The keys there are seconds of; none if some could not be written."""
        return [] if self.failure is not None else list({**self._last, **self._recent, **self._merging})

    def add(self, second: int, many: Mapping[Key, Series]) -> None:
        """Append what each series had in one second; what comes late to an earlier one is added to it."""
        if self.failure is not None:
            return
        step = self.step
        for key, series in many.items():
            if step == 1 and not self._merging:
                self._append(key, second, 1, series)
                continue
            begun, known = self._merging.pop(key, (second, None))
            if known is not None and second // step == begun // step:
                self._merging[key] = begun, Series.merge_all([known, series], WINDOW)
                continue
            if known is not None:
                self._append(key, begun, step, known)
            self._merging[key] = second, series
        if self._in_memory > self._most_in_memory:
            self._write()

    def histories(self, keys: Iterable[Key]) -> Mapping[Key, History]:
        """Return the seconds of *keys* so far: later ones do not change them. Empty if some could not be written."""
        if self.failure is not None:
            return {}
        estimates: Estimates = {}
        return {key: History([self._seconds(key)], estimates) for key in keys}

    def between(self, key: Key, start: float, end: float) -> Iterator[SeriesSecond]:
        """Yield what a key had from second *start* up to second *end*; steps of several seconds by their first one."""
        for part in self._seconds(key)():
            if isinstance(part, SecondsPart):
                yield from part.kept.seconds(part.most, start, end)
            elif start <= part.at < end:
                yield part

    def _seconds(self, key: Key) -> _KeySeconds:
        merging = self._merging.get(key)
        newest = None if merging is None else _second(merging[0], self.step, merging[1])
        return _KeySeconds(self._file, self._last.get(key, _NOWHERE), self._recent.get(key), newest)

    def _append(self, key: Key, at: int, step: int, series: Series) -> None:
        kept = self._recent.get(key)
        if kept is None:
            kept = self._recent[key] = KeptSeconds()
        cut, response_cut = series.censored.count, series.response_censored.count
        good, response, bad = _centroids(series.good), _centroids(series.response), _centroids(series.bad)
        size = kept.append(at, step, good, cut, response, response_cut, series.bad.count, bad)
        self._size += size
        self._in_memory += size

    def _write(self) -> None:
        """Write the seconds in memory to the file, those of one key together."""
        last: dict[Key, _Link] = {}
        parts: list[bytes] = []
        written = self._written
        for key, kept in self._recent.items():
            part = _BEFORE.pack(*self._last.get(key, _NOWHERE)) + kept.to_bytes()
            last[key] = _Link(written, len(part))
            parts.append(part)
            written += len(part)
        try:
            self._file.append(b"".join(parts))
        except OSError as exc:
            self.failure = f"{exc.strerror or exc}"
            return
        self._written, self._in_memory = written, 0
        self._recent = {}
        self._last |= last


def _second(at: int, step: int, series: Series) -> SeriesSecond:
    cut, response_cut = series.censored.count, series.response_censored.count
    good, response, bad = _centroids(series.good), _centroids(series.response), _centroids(series.bad)
    return SeriesSecond(at, good, cut, response, response_cut, series.bad.count, step, bad)


def _centroids(sketch: Sketch) -> Centroids:
    return sketch.to_centroids() if sketch.count else NONE
