"""Windows as bytes: exact counts, the centroids of all sketches in a few bytes each."""

from __future__ import annotations

import math
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import astuple
from functools import lru_cache
from typing import Any

from chaperon.cluster.wire import LARGEST, WireError, pack, reader, unpack
from chaperon.measure.sample import Key
from chaperon.measure.series import EXEMPLARS, Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import Counts, Happening, Trouble, Window

MOST = 5_000
"""Centroids a sketch may have."""

_CUT = 11
"""Bits of a mean's 23-bit mantissa that are not sent: what is left is good to 0.012 %."""

_LARGEST = 3.4e38
_INTS = 9  # of a series: bytes, whether there is a last, exemplars, count with centroids of three sketches

_Packed = tuple[
    int,
    int,
    int,
    tuple[tuple[str, int, Counts], ...],
    tuple[tuple[tuple[str, str, str], Trouble], ...],
    dict[str, float],
    dict[str, tuple[int, int, int]],
    dict[str, int],
    tuple[tuple[tuple[str, str], float], ...],
    tuple[Happening, ...],
    tuple[Any, ...],
    tuple[bytes, bytes, bytes, bytes, bytes],
]
_read = reader(_Packed)
_read_key = reader(tuple[str, str, str, str, tuple[tuple[str, str], ...]])
_KNOWN = 20_000


@lru_cache(maxsize=_KNOWN)
def _key(raw: Any) -> Key:
    """Return the key that *raw* is; the same ones come again every second."""
    return Key(*_read_key(raw))


def pack_window(window: Window, *, began: float) -> bytes:
    """Return a window as bytes; moments count from *began*, for every machine has its own clock."""
    columns = _Columns()
    for series in window.series.values():
        columns.add(series, began)
    content = (
        window.seq,
        window.at,
        window.users,
        [(label, second, astuple(counts)) for (label, second), counts in window.ledger.items()],
        [(where, astuple(trouble)) for where, trouble in window.errors.items()],
        dict(window.health),
        dict(window.progress),
        dict(window.notes),
        list(window.phases.items()),
        [astuple(happening) for happening in window.happenings],
        [tuple(key) for key in window.series],
        columns.packed(),
    )
    return zlib.compress(pack(content), 1)


def unpack_window(body: bytes, worker: str, *, began: float) -> Window:
    """Return the window in *body*, checked through and through. Raises WireError."""
    (
        seq,
        at,
        users,
        ledger,
        errors,
        health,
        progress,
        notes,
        phases,
        happenings,
        keys,
        planes,
    ) = _read(_inflated(body))
    if seq < 1 or at < 0 or users < 0:
        raise WireError("a window with numbers that cannot be")
    source = _Source(planes)
    series = {_key(key): source.series(began) for key in keys}
    source.close()
    return Window(
        worker=worker,
        seq=seq,
        at=at,
        series=series,
        ledger={(label, second): _sound(counts) for label, second, counts in ledger},
        errors=dict(errors),
        health=health,
        progress=progress,
        users=users,
        notes=notes,
        phases=dict(phases),
        happenings=happenings,
    )


class _Columns:
    """Series taken apart into five columns of numbers."""

    def __init__(self) -> None:
        self._ints, self._exact = array("Q"), array("d")
        self._means, self._weights, self._slowest = array("f"), array("I"), array("f")

    def add(self, series: Series, began: float) -> None:
        last = series.last
        self._ints.extend((series.bytes, last is not None, len(series.slowest)))
        if last is not None:
            self._exact.extend((last[0] - began, last[1]))
        for sketch in (series.good, series.bad, series.response):
            clusters = sketch.clusters
            self._ints.extend((sketch.count, len(clusters)))
            if clusters:
                self._exact.extend((sketch.total, sketch.low, sketch.high))
                self._means.extend([_near(mean) for mean, _ in clusters])
                if sketch.count > len(clusters):  # else each is one sample
                    self._weights.extend([round(weight) for _, weight in clusters])
        for value, moment in series.slowest:
            self._slowest.extend((_near(value), moment - began))

    def packed(self) -> tuple[bytes, ...]:
        half = 1 << (_CUT - 1)
        means = array("I", [(bits + half) >> _CUT << _CUT for bits in array("I", self._means.tobytes())])
        columns: tuple[array[Any], ...] = (self._ints, self._exact, means, self._weights, self._slowest)
        return tuple(map(_planes, columns))


class _Source:
    """Five columns of numbers, read series by series."""

    def __init__(self, planes: Sequence[bytes]) -> None:
        ints, exact, means, weights, slowest = planes
        columns = [_column("Q", ints), _column("d", exact), _column("f", means), _column("f", slowest)]
        if not all(map(_finite, columns)):
            raise WireError("a window with what is no number")
        self._ints, self._exact, self._means, self._slowest = map(_Reel, columns)
        self._weights = _Reel(_column("I", weights))
        self._nothing = Sketch()

    def series(self, began: float) -> Series:
        size, has_last, exemplars, good, goods, bad, bads, response, responses = self._ints.take(_INTS)
        last = None
        if has_last:
            moment, value = self._exact.take(2)
            last = (moment + began, value)
        sketches = self._sketch(good, goods), self._sketch(bad, bads), self._sketch(response, responses)
        if exemplars > EXEMPLARS:
            raise WireError("a series with too many exemplars")
        pairs = self._slowest.take(2 * exemplars)
        slowest = [(pairs[i], pairs[i + 1] + began) for i in range(0, len(pairs), 2)]
        return Series.of(sketches, size, last, slowest)

    def close(self) -> None:
        for reel in (self._ints, self._exact, self._means, self._weights, self._slowest):
            reel.close()

    def _sketch(self, count: int, length: int) -> Sketch:
        if not length:
            return self._nothing
        if length > MOST:
            raise WireError("a sketch that is too large")
        total, low, high = self._exact.take(3)
        means = self._means.take(length)
        weights = self._weights.take(length) if count > length else None
        if low > high or count < length or (weights and (min(weights) < 1 or sum(weights) != count)):
            raise WireError("a sketch that does not add up")
        if means != sorted(means):
            raise WireError("a sketch out of order")
        if means[0] < low:
            means[: bisect_left(means, low)] = [low] * bisect_left(means, low)
        if means[-1] > high:
            means[bisect_right(means, high) :] = [high] * (length - bisect_right(means, high))
        return Sketch.of(means, weights, total=total, low=low, high=high)


class _Reel:
    """Numbers that are taken from the front."""

    def __init__(self, column: array[Any]) -> None:
        self._numbers: list[Any] = column.tolist()
        self._at = 0

    def take(self, length: int) -> list[Any]:
        taken = self._numbers[self._at : self._at + length]
        if len(taken) != length:
            raise WireError("a window with numbers missing")
        self._at += length
        return taken

    def close(self) -> None:
        if self._at != len(self._numbers):
            raise WireError("a window with numbers left over")


def _finite(column: array[Any]) -> bool:
    try:
        return math.isfinite(math.fsum(column))
    except (ValueError, OverflowError):  # infinities of both signs; a sum beyond what a float holds
        return all(map(math.isfinite, column))


def _near(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)


def _sound(counts: Counts) -> Counts:
    if min(astuple(counts)) < 0:
        raise WireError("a ledger with less than nothing")
    return counts


def _planes(values: array[Any]) -> bytes:
    """Return the bytes of numbers sorted by their place: alike bytes side by side compress well."""
    raw, size = values.tobytes(), values.itemsize
    return b"".join(raw[place::size] for place in range(size))


def _column(kind: str, planes: bytes) -> array[Any]:
    column = array(kind)
    size = column.itemsize
    if len(planes) % size:
        raise WireError("a column that is cut off")
    raw, length = bytearray(len(planes)), len(planes) // size
    for place in range(size):
        raw[place::size] = planes[place * length : (place + 1) * length]
    column.frombytes(bytes(raw))
    return column


def _inflated(body: bytes) -> Any:
    if len(body) > LARGEST:
        raise WireError("a window that is too large")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(body, LARGEST)
    except zlib.error as exc:
        raise WireError(f"not compressed as a window is: {exc}") from exc
    if not inflater.eof:
        raise WireError("a window that is cut off or too large")
    return unpack(raw)
