"""The seconds of every series, kept in a temporary file until the report is made."""

from __future__ import annotations

import math
import os
import struct
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import IO

from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.history import History, SeriesSecond
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import WINDOW, Sketch

IN_MEMORY = 4 << 20
"""Bytes kept in memory; more are kept in a file without a name, which the system removes when the process ends."""
LIMIT = 256 << 20
"""Bytes after which seconds are merged into steps ten times as long, and again after as many more."""
STEP = 10

_HEAD = struct.Struct("<QIIIIIII")
"""Offset and length of the record before, length 0 for none; second; step; counts: censored (2), bad; sketches.

The last is the sum of 1 if there is a sketch of response times, and 2 if there is one of bad samples, besides the one
of good samples.
"""
_RESPONSE, _BAD = 1, 2
_SKETCH = struct.Struct("<HHdd")
"""Means; weights, 0 if each mean is one sample; least and greatest value."""
_NONE = Centroids(())
_NOWHERE = 0, 0


_Link = tuple[int, int]
"""Offset and length of a record; its length is 0 for none."""


class _Storage:
    """Bytes that are appended and read anywhere: in memory up to a size, then in a file without a name."""

    def __init__(self, in_memory: int) -> None:
        self._most = in_memory
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def append(self, data: bytes) -> None:
        """Append *data*. Blocks to write; raises OSError."""
        if self._file is None:
            self._memory += data
            if len(self._memory) <= self._most:
                return
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  open until the storage is dropped
            weakref.finalize(self, file.close)
            data, self._file = bytes(self._memory), file
        self._memory = bytearray()
        left = memoryview(data)
        while left:  # a write may be partial
            left = left[self._file.write(left) :]

    def read(self, link: _Link) -> bytes:
        """Return what was appended at an offset, with a length. Blocks to read."""
        offset, length = link
        if self._file is None:
            return bytes(self._memory[offset : offset + length])
        return os.pread(self._file.fileno(), length, offset)


class Spool:
    """Appends the seconds of series to a temporary file, and reads them again. Every call may block for the file.

    A record refers to the one before it of the same key, so that the memory used grows with
    the number of keys alone. No call raises OSError: if the disk is full, `failure` says so, what
    follows is lost, and there are no histories.
    """

    def __init__(self, *, in_memory: int = IN_MEMORY, limit: int = LIMIT) -> None:
        self.failure: str | None = None
        self._storage = _Storage(in_memory)
        self._limit = limit
        self._size = 0
        self._last: dict[Key, _Link] = {}
        self._merging: dict[Key, tuple[int, Series]] = {}

    def __repr__(self) -> str:
        return f"<Spool of {len(self._last)} keys, {self._size:,} bytes>"

    @property
    def step(self) -> int:
        """How many seconds are merged into one record by now."""
        return int(STEP ** (self._size // self._limit))

    @property
    def keys(self) -> list[Key]:
        """The keys there are seconds of; none if some could not be written."""
        return [] if self.failure is not None else list({**self._last, **self._merging})

    def add(self, second: int, many: Mapping[Key, Series]) -> None:
        """Append what each series had in one second; what comes late to an earlier one is added to it."""
        if self.failure is not None:
            return
        step = self.step
        if step == 1 and not self._merging:
            self._write([(key, second, 1, series) for key, series in many.items()])
            return
        whole = []
        for key, series in many.items():
            begun, known = self._merging.pop(key, (second, None))
            if known is not None and second // step == begun // step:
                self._merging[key] = begun, Series.merge_all([known, series], WINDOW)
                continue
            if known is not None:
                whole.append((key, begun, step, known))
            self._merging[key] = second, series
        self._write(whole)

    def history(self, key: Key) -> History | None:
        """Return the seconds of a key so far: later ones do not change it. None if some could not be written."""
        if self.failure is not None:
            return None
        merging = self._merging.get(key)
        recent = () if merging is None else (_second(merging[0], self.step, merging[1]),)
        return History([partial(self._read, self._last.get(key, _NOWHERE), recent)])

    def between(self, key: Key, start: float, end: float) -> Iterator[SeriesSecond]:
        """Yield what a key had from second *start* up to second *end*; steps of several seconds by their first one."""
        merging = self._merging.get(key)
        recent = () if merging is None else (_second(merging[0], self.step, merging[1]),)
        kept = (second for second in recent if start <= second.at < end)
        return self._read(self._last.get(key, _NOWHERE), kept, start, end)

    def _read(
        self, link: _Link, recent: Iterable[SeriesSecond], start: float = 0.0, end: float = math.inf
    ) -> Iterator[SeriesSecond]:
        """Yield *recent*, then the records of a key from the one at *link* back to the first, of a stretch of the run.

        What comes late for a second stands behind younger ones, so that each record is looked at.
        """
        yield from recent
        while link[1]:
            record = self._storage.read(link)
            *before, at, step, censored, response_censored, bad, sketches = _HEAD.unpack_from(record)
            link = before[0], before[1]
            if not start <= at < end:
                continue
            good, place = _unpacked(record, _HEAD.size)
            response, place = _unpacked(record, place) if sketches & _RESPONSE else (_NONE, place)
            bad_times, _ = _unpacked(record, place) if sketches & _BAD else (_NONE, place)
            yield SeriesSecond(at, good, censored, response, response_censored, bad, step, bad_times)

    def _write(self, records: Sequence[tuple[Key, int, int, Series]]) -> None:
        parts: list[bytes] = []
        last: dict[Key, _Link] = {}
        size = self._size
        for key, at, step, series in records:
            others = [(kind, each) for kind, each in ((_RESPONSE, series.response), (_BAD, series.bad)) if each]
            kinds = sum(kind for kind, _ in others)
            body = b"".join(map(_packed, (series.good, *(each for _, each in others))))
            before = last.get(key, self._last.get(key, _NOWHERE))
            cut, response_cut = series.censored.count, series.response_censored.count
            head = _HEAD.pack(*before, at, step, cut, response_cut, series.bad.count, kinds)
            last[key] = size, len(head) + len(body)
            parts += [head, body]
            size += len(head) + len(body)
        try:
            self._storage.append(b"".join(parts))
        except OSError as exc:
            self.failure = f"{exc.strerror or exc}"
            return
        self._size = size
        self._last |= last


def _second(at: int, step: int, series: Series) -> SeriesSecond:
    cut, response_cut = series.censored.count, series.response_censored.count
    good, response = series.good.to_centroids(), series.response.to_centroids()
    return SeriesSecond(at, good, cut, response, response_cut, series.bad.count, step, series.bad.to_centroids())


def _packed(sketch: Sketch) -> bytes:
    kept = sketch.to_centroids()
    head = _SKETCH.pack(len(kept.means), len(kept.weights), kept.low, kept.high)
    return head + array("d", kept.means).tobytes() + array("I", kept.weights).tobytes()


def _unpacked(body: bytes, place: int) -> tuple[Centroids, int]:
    number, weighed, low, high = _SKETCH.unpack_from(body, place)
    place += _SKETCH.size
    means, weights = array("d"), array("I")
    means.frombytes(body[place : place + 8 * number])
    place += 8 * number
    weights.frombytes(body[place : place + 4 * weighed])
    place += 4 * weighed
    return Centroids(means, weights, low, high) if number else _NONE, place
