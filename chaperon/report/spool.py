"""The seconds of every series, kept in a temporary file until the report is made."""

from __future__ import annotations

import struct
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

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
"""Offset of the record before, plus 1, or 0; second; step; bytes that follow; counts: censored (2), bad, sketches."""
_SKETCH = struct.Struct("<HHdd")
"""Means; weights, 0 if each mean is one sample; least and greatest value."""
_NONE = Centroids(())


class Spool:
    """Appends the seconds of series to a temporary file, and reads them again. Every call may block for the file.

    A record refers to the one before it of the same key, so that the memory used grows with
    the number of keys alone. No call raises OSError: if the disk is full, `failure` says so, what
    follows is lost, and there are no histories.
    """

    def __init__(self, *, in_memory: int = IN_MEMORY, limit: int = LIMIT) -> None:
        self.failure: str | None = None
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115  open until the spool is dropped
        weakref.finalize(self, self._file.close)
        self._limit = limit
        self._size = 0
        self._last: dict[Key, int] = {}
        self._merging: dict[Key, tuple[int, Series]] = {}

    def __repr__(self) -> str:
        return f"<Spool of {len(self._last)} keys, {self._size:,} bytes>"

    @property
    def step(self) -> int:
        """How many seconds are merged into one record by now."""
        return int(STEP ** (self._size // self._limit))

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
        return History([partial(self._read, self._last.get(key, 0), recent)])

    def _read(self, link: int, recent: Sequence[SeriesSecond]) -> Iterator[SeriesSecond]:
        """Yield *recent*, then the records of a key, the newest first: *link* is its offset plus 1, 0 for none."""
        yield from recent
        while link and not self._file.closed:
            self._file.seek(link - 1)
            link, at, step, length, censored, response_censored, bad, sketches = _HEAD.unpack(
                self._file.read(_HEAD.size)
            )
            body = self._file.read(length)
            good, place = _unpacked(body, 0)
            response, _ = _unpacked(body, place) if sketches == 2 else (_NONE, 0)
            yield SeriesSecond(at, good, censored, response, response_censored, bad, step)

    def _write(self, records: Sequence[tuple[Key, int, int, Series]]) -> None:
        parts: list[bytes] = []
        last: dict[Key, int] = {}
        size = self._size
        for key, at, step, series in records:
            sketches = [series.good, *([series.response] if series.response else [])]
            body = b"".join(map(_packed, sketches))
            before = last.get(key, self._last.get(key, 0))
            cut, response_cut = series.censored.count, series.response_censored.count
            head = _HEAD.pack(before, at, step, len(body), cut, response_cut, series.bad.count, len(sketches))
            last[key] = size + 1
            parts += [head, body]
            size += len(head) + len(body)
        try:
            self._file.seek(self._size)
            self._file.write(b"".join(parts))
            self._file.flush()
        except OSError as exc:
            self.failure = f"{exc.strerror or exc}"
            return
        self._size = size
        self._last |= last


def _second(at: int, step: int, series: Series) -> SeriesSecond:
    cut, response_cut = series.censored.count, series.response_censored.count
    good, response = series.good.to_centroids(), series.response.to_centroids()
    return SeriesSecond(at, good, cut, response, response_cut, series.bad.count, step)


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
