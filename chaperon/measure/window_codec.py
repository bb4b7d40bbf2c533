"""Encoding of windows as bytes: counts exactly, the centroids of sketches in a few bytes each."""

from __future__ import annotations

import math
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from struct import calcsize
from typing import Any, Literal

from chaperon.errors import WindowTooLarge, WireError
from chaperon.measure.exchange import Exchange
from chaperon.measure.sample import Key
from chaperon.measure.series import EXEMPLARS, Series
from chaperon.measure.sketch import Sketch, packed_doubles
from chaperon.measure.strict_msgpack import LARGEST, MOST_COUNT, pack, reader, unpack
from chaperon.measure.window import ErrorCount, RunEvent, VisitCounts, Window
from chaperon.signed import Signed

MOST = 5_000
"""Most centroids of a sketch."""

ENVELOPE = 4_096
"""Bytes of a message reserved for the fields around the encoded window."""

_CUT = 11
"""Bits of a mean's 23-bit mantissa that are not sent: the relative error of the rest is at most 0.012 %."""

_LARGEST = 3.4e38
_SKETCHES = 5
_INTS = 3 + 2 * _SKETCHES  # of a series: bytes, whether there is a last, exemplars; count and centroids of each sketch

_Packed = tuple[
    int,
    int,
    int,
    tuple[tuple[str, int, VisitCounts], ...],
    tuple[tuple[tuple[str, str, str], ErrorCount], ...],
    dict[str, Signed],
    dict[str, tuple[int, int, int]],
    dict[str, int],
    tuple[tuple[tuple[str, str], float], ...],
    dict[str, float],
    tuple[RunEvent, ...],
    tuple[object, ...],
    tuple[str, ...],
    dict[str, str],
    tuple[Exchange, ...],
    tuple[bytes, bytes, bytes, bytes, bytes],
]
_read = reader(_Packed)
_read_key = reader(tuple[str, str, str, str, tuple[tuple[str, str], ...]])
_KNOWN = 20_000


@lru_cache(maxsize=_KNOWN)
def _key(raw: Any) -> Key:
    """Return *raw* as a checked key. Cached: the same keys arrive every second."""
    return Key(*_read_key(raw))


def _keys(raw: Sequence[Any]) -> list[Key]:
    try:
        return list(map(_key, raw))
    except TypeError:  # it has no hash
        raise WireError("a window with a series whose name is not a list of texts") from None


def pack_window(window: Window, *, began: float) -> bytes:
    """Return a window as compressed bytes. Moments are sent relative to *began*, since clocks differ between hosts.

    Raises WindowTooLarge if the window exceeds the maximum size of a message.
    """
    columns = _Columns()
    for series in (*window.series.values(), *window.generator.values()):
        columns.add(series, began)
    content = (
        window.seq,
        window.at,
        window.users,
        [(label, second, counts) for (label, second), counts in window.ledger.items()],
        list(window.errors.items()),
        dict(window.health),
        dict(window.progress),
        dict(window.notes),
        list(window.phases.items()),
        dict(window.due),
        list(window.happenings),
        [tuple(key) for key in window.series],
        list(window.generator),
        dict(window.unreached),
        list(window.exchanges),
        columns.packed(),
    )
    raw = pack(content)
    if len(raw) > LARGEST:
        raise WindowTooLarge(f"a window of {len(raw):,} bytes exceeds the limit of {LARGEST:,} for a message")
    body = zlib.compress(raw, 1)
    if len(body) > LARGEST - ENVELOPE:
        raise WindowTooLarge(f"a window of {len(body):,} compressed bytes exceeds the limit of {LARGEST - ENVELOPE:,}")
    return body


def unpack_window(body: bytes, worker: str, *, began: float) -> Window:
    """Return the window in *body*, from *worker*, with moments relative to *began*. Raises WireError if not valid."""
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
        due,
        happenings,
        keys,
        own,
        unreached,
        exchanges,
        planes,
    ) = _read(_inflated(body))
    if seq < 1:
        raise WireError("a window with the number 0")
    parts = _series(planes, len(keys) + len(own), began)
    series = dict(zip(_keys(keys), parts[: len(keys)], strict=True))
    generator = dict(zip(own, parts[len(keys) :], strict=True))
    if len(series) != len(keys) or len(generator) != len(own):
        raise WireError("a window with a series listed twice")
    for key, one in series.items():
        if key.kind != "gauge" and (one.good.low < 0 or one.bad.low < 0 or one.censored.low < 0):
            raise WireError("a window with a time below 0")
    counted = {(label, second): counts for label, second, counts in ledger}
    wrong, times = dict(errors), dict(phases)
    if len(counted) != len(ledger) or len(wrong) != len(errors) or len(times) != len(phases):
        raise WireError("a window with a count listed twice")
    window = Window(
        worker=worker,
        seq=seq,
        at=at,
        series=series,
        ledger=counted,
        errors=wrong,
        health=health,
        progress=progress,
        users=users,
        notes=notes,
        phases=times,
        due=due,
        happenings=happenings,
        generator=generator,
        unreached=unreached,
        exchanges=exchanges,
    )
    object.__setattr__(window, "body", body)  # not an argument: `replace` must not copy it
    return window


class _Columns:
    """Series as five columns of numbers: integers, exact floats, means, weights, slowest samples."""

    def __init__(self) -> None:
        self._ints, self._exact = array("Q"), array("d")
        self._means, self._weights, self._slowest = array("f"), array("I"), array("f")

    def add(self, series: Series, began: float) -> None:
        last = series.last
        self._ints.extend((series.bytes, last is not None, len(series.top) // 2))
        if last is not None:
            self._exact.extend((last[0] - began, last[1]))
        for sketch in series.sketches:
            clusters = sketch.clusters
            self._ints.extend((sketch.count, len(clusters)))
            if clusters:
                self._exact.extend((sketch.total, sketch.low, sketch.high))
                self._means.extend([_clamped(mean) for mean, _ in clusters])
                if sketch.count > len(clusters):  # else each centroid is one sample
                    self._weights.extend([round(weight) for _, weight in clusters])
        for value, moment in series.slowest:
            self._slowest.extend((_clamped(value), moment - began))

    def packed(self) -> tuple[bytes, ...]:
        half = 1 << (_CUT - 1)
        means = array("I", [(bits + half) >> _CUT << _CUT for bits in array("I", self._means.tobytes())])
        columns: tuple[array[Any], ...] = (self._ints, self._exact, means, self._weights, self._slowest)
        return tuple(map(_planes, columns))


def _series(planes: Sequence[bytes], number: int, began: float) -> list[Series]:
    """Return *number* series decoded from five columns. Raises WireError unless they use up every column exactly."""
    ints, exact, means = _column("Q", planes[0]), _column("d", planes[1]), _column("f", planes[2])
    weights, slowest = _column("I", planes[3]), _column("f", planes[4])
    if not (_finite(exact) and _finite(means) and _finite(slowest)):
        raise WireError("a window with a number that is not finite")
    if ints and max(ints) > MOST_COUNT:
        raise WireError(f"a window with a count beyond {MOST_COUNT:,}")
    if len(ints) != _INTS * number or len(slowest) % 2:
        raise WireError("a window with numbers missing")
    slowest[1::2] = [moment + began for moment in slowest[1::2]]
    try:
        made, used = _decoded(ints, exact, slowest, means, weights, began)
    except (ValueError, IndexError):
        raise WireError("a window with numbers missing") from None
    if used != (len(exact), len(slowest), len(means), len(weights)):
        raise WireError("a window with numbers missing, or left over")
    return made


def _decoded(
    ints: list[int],
    exact: list[float],
    slowest: list[float],
    means: list[float],
    weights: list[int],
    began: float,
) -> tuple[list[Series], tuple[int, int, int, int]]:
    """Return the series, and how many numbers of each column they claim: more than there are if some are missing.

    A master does this for every series of every window: it makes no call that it can do without.
    """
    made, nothing = [], Sketch()
    sums = at = first = weight = 0  # read positions in the columns exact, slowest, means, weights
    for place in range(0, len(ints), _INTS):
        exemplars = 2 * ints[place + 2]
        if exemplars > 2 * EXEMPLARS:
            raise WireError("a series with too many exemplars")
        last = None
        if ints[place + 1]:
            last = exact[sums] + began, exact[sums + 1]
            sums += 2
        sketches = []
        for spot in range(place + 3, place + _INTS, 2):
            length = ints[spot + 1]
            if not length:
                sketches.append(nothing)
                continue
            count, end = ints[spot], first + length
            if length > MOST or count < length:
                raise WireError("a sketch with more centroids than samples, or too many")
            weighted = None
            if count > length:
                weighted = weights[weight : weight + length]
                weight += length
            total, low, high = exact[sums], exact[sums + 1], exact[sums + 2]
            sketches.append(_sketch(means[first:end], weighted, count, total, low, high))
            sums, first = sums + 3, end
        made.append(Series.of(sketches, ints[place], last, _array(slowest[at : at + exemplars])))
        at += exemplars
    return made, (sums, at, first, weight)


def _array(values: list[float]) -> array[float]:
    return array("d", packed_doubles(values))


def _sketch(means: list[float], weights: list[int] | None, count: int, total: float, low: float, high: float) -> Sketch:
    if low > high or (weights and (min(weights) < 1 or sum(weights) != count)):
        raise WireError("a sketch with low above high, or with weights that do not sum to its count")
    before = means[0]
    for mean in means:  # mypyc: such a loop takes a third of the time of a comparison with the sorted list
        if mean < before:
            raise WireError("a sketch with unsorted centroids")
        before = mean
    if means[0] < low:
        end = bisect_left(means, low)
        means[:end] = [low] * end
    if means[-1] > high:
        start = bisect_right(means, high)
        means[start:] = [high] * (len(means) - start)
    return Sketch.of(means, weights, count, total=total, low=low, high=high)


def _finite(column: list[float]) -> bool:
    # a sum with infinities is not finite; the sum of large finite numbers may overflow, so these are checked singly
    return math.isfinite(sum(column)) or all(map(math.isfinite, column))


def _clamped(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)


def _planes(values: array[Any]) -> bytes:
    """Return the numbers with their bytes regrouped by position (byte shuffle), which compresses better."""
    raw, size = values.tobytes(), values.itemsize
    return b"".join(raw[place::size] for place in range(size))


def _column(kind: Literal["Q", "d", "f", "I"], planes: bytes) -> list[Any]:
    size = calcsize(kind)
    if len(planes) % size:
        raise WireError("a truncated column")
    raw, length = bytearray(len(planes)), len(planes) // size
    for place in range(size):
        raw[place::size] = planes[place * length : (place + 1) * length]
    return memoryview(raw).cast(kind).tolist()


def _inflated(body: bytes) -> Any:
    if len(body) > LARGEST:
        raise WireError("a window that is too large")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(body, LARGEST)
    except zlib.error as exc:
        raise WireError(f"a window that is not valid zlib data: {exc}") from exc
    if not inflater.eof:
        raise WireError("a window that is truncated or too large")
    return unpack(raw)
