"""Encoding of windows as bytes: counts exactly, the centroids of sketches in a few bytes each."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from functools import lru_cache
from struct import calcsize
from typing import Any, Literal

from chaperon.errors import WindowTooLarge, WireError
from chaperon.measure.exchange import Exchange
from chaperon.measure.sample import Key
from chaperon.measure.series import EXEMPLARS, Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.strict_msgpack import LARGEST, pack, reader, unpack
from chaperon.measure.window import ErrorCount, RunEvent, VisitCounts, Window
from chaperon.signed import Signed

MOST = 5_000
"""Most centroids of a sketch."""

ENVELOPE = 4_096
"""Bytes of a message reserved for the fields around the encoded window."""

_SENT = 3
"""Bytes of a mean that are sent, of eight: with 12 bits of its mantissa the relative error is at most 0.012 %."""
_LOWER = int(sys.byteorder == "little")
"""How many of the two halves of a double come before its upper one."""

_LARGEST = 3.4e38
_put_double = struct.Struct("d").pack_into
_SKETCHES = 5

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
    bytes,
    tuple[str, ...],
    dict[str, str],
    tuple[Exchange, ...],
    tuple[int, ...],
    tuple[bytes, bytes, bytes, bytes],
]
_read = reader(_Packed)
_read_key = reader(tuple[str, str, str, str, tuple[tuple[str, str], ...]])
_KNOWN = 20_000
_KNOWN_LISTS, _LISTED = 4_096, 16_384
"""How many lists of names are kept, of at most how many bytes."""


@lru_cache(maxsize=_KNOWN)
def _key(raw: Any) -> Key:
    """Return *raw* as a checked key. Cached: the same key is in the lists of many workers."""
    return Key(*_read_key(raw))


@lru_cache(maxsize=_KNOWN_LISTS)
def _keys(packed: bytes) -> tuple[Key, ...]:
    """Return the keys of a window's series. Cached: the windows of a worker have the same series every second."""
    names = unpack(packed)
    try:
        keys = tuple(map(_key, names))
    except TypeError:  # no list, or one of values that have no hash
        raise WireError("a window with a series whose name is not a list of texts") from None
    if len(set(keys)) != len(keys):
        raise WireError("a window with a series listed twice")
    return keys


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
        pack([tuple(key) for key in window.series]),
        list(window.generator),
        dict(window.unreached),
        list(window.exchanges),
        columns.counts,
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
        names,
        own,
        unreached,
        exchanges,
        counts,
        planes,
    ) = _read(_inflated(body))
    if seq < 1:
        raise WireError("a window with the number 0")
    keys = _keys(names) if len(names) <= _LISTED else _keys.__wrapped__(names)
    parts = _series(counts, planes, len(keys) + len(own), began)
    series = dict(zip(keys, parts[: len(keys)], strict=True))
    generator = dict(zip(own, parts[len(keys) :], strict=True))
    if len(generator) != len(own):
        raise WireError("a window with a series listed twice")
    for key, one in series.items():
        if (one.good.low < 0 or one.bad.low < 0 or one.censored.low < 0) and key.kind != "gauge":
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
    """Series as whole numbers, *counts*, and four columns of numbers: exact floats, means, weights, slowest samples.

    The counts of a series are its bytes and its shape: from the lowest bit whether it has a newest sample, which of its
    five sketches have samples, and in the bits above how many slowest samples there are. Those of each sketch that has
    samples follow: how many samples, how many centroids.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self._exact, self._means = array("d"), array("d")
        self._weights, self._slowest = array("I"), array("f")

    def add(self, series: Series, began: float) -> None:
        last = series.last
        shape = len(series.top) // 2 << 1 + _SKETCHES
        if last is not None:
            shape |= 1
            self._exact.extend((last[0] - began, last[1]))
        start = len(self.counts)
        for place, sketch in enumerate(series.sketches):
            clusters = sketch.clusters
            if clusters:
                shape |= 2 << place
                self.counts += (sketch.count, len(clusters))
                self._exact.extend((sketch.total, sketch.low, sketch.high))
                self._means.extend([_clamped(mean) for mean, _ in clusters])
                if sketch.count > len(clusters):  # else each centroid is one sample
                    self._weights.extend([round(weight) for _, weight in clusters])
        self.counts[start:start] = (series.bytes, shape)
        for value, moment in series.slowest:
            self._slowest.extend((_clamped(value), moment - began))

    def packed(self) -> tuple[bytes, ...]:
        upper = array("I", self._means.tobytes())[_LOWER::2]
        means = _planes(array("I", [bits + 128 & 0xFFFFFF00 for bits in upper]))[_LOWER * len(upper) :]
        return self._exact.tobytes(), means[: _SENT * len(upper)], _planes(self._weights), _planes(self._slowest)


def _series(counts: tuple[int, ...], planes: Sequence[bytes], number: int, began: float) -> list[Series]:
    """Return *number* series decoded from their columns. Raises WireError unless they use up every column exactly."""
    packed = _means(planes[1])
    try:
        exact, means = _numbers("d", planes[0]), _numbers("d", packed)
    except TypeError:  # not as many bytes as numbers have
        raise WireError("a truncated column") from None
    weights, top = _column("I", planes[2]), _column("f", planes[3])
    if not (_finite(exact) and _finite(means) and _finite(top)):
        raise WireError("a window with a number that is not finite")
    if len(top) % 2:
        raise WireError("a window with numbers missing")
    top[1::2] = [moment + began for moment in top[1::2]]
    # in one piece: an array of each list, or the bytes of each, takes three times as long
    tops = array("d", struct.pack(f"{len(top)}d", *top))
    try:
        made, used = _decoded(counts, exact, tops, means, packed, weights, began)
    except (ValueError, IndexError):
        raise WireError("a window with numbers missing") from None
    if len(made) != number or used != (len(counts), len(exact), len(top), len(means), len(weights)):
        raise WireError("a window with numbers missing, or left over")
    return made


def _decoded(
    counts: tuple[int, ...],
    exact: list[float],
    tops: array[float],
    means: list[float],
    packed: bytearray,
    weights: list[int],
    began: float,
) -> tuple[list[Series], tuple[int, int, int, int, int]]:
    """Return the series, and how many numbers of each column they claim: more than there are if some are missing.

    A master does this for every series of every window: it makes no call that it can do without.
    """
    made, nothing = [], Sketch()
    at = sums = slow = first = weight = 0  # read positions in counts, exact, tops, means, weights
    while at < len(counts):
        size, shape = counts[at], counts[at + 1]
        at += 2
        exemplars = 2 * (shape >> 1 + _SKETCHES)
        if exemplars > 2 * EXEMPLARS:
            raise WireError("a series with too many exemplars")
        last = None
        if shape & 1:
            last = exact[sums] + began, exact[sums + 1]
            sums += 2
        sketches = []
        for place in range(_SKETCHES):
            if not shape & (2 << place):
                sketches.append(nothing)
                continue
            count, length = counts[at], counts[at + 1]
            at += 2
            if not 0 < length <= MOST or count < length:
                raise WireError("a sketch with more centroids than samples, or too many")
            total, low, high = exact[sums], exact[sums + 1], exact[sums + 2]
            sums, end = sums + 3, first + length
            _check_means(means, packed, first, end, low, high)
            if count == length:
                sketches.append(Sketch.of_values(bytes(packed[8 * first : 8 * end]), total=total, low=low, high=high))
            else:
                theirs = weights[weight : weight + length]
                weight += length
                if min(theirs) < 1 or sum(theirs) != count:
                    raise WireError("a sketch with weights that do not sum to its count")
                sketches.append(Sketch.of(means[first:end], theirs, count, total=total, low=low, high=high))
            first = end
        made.append(Series.of(sketches, size, last, tops[slow : slow + exemplars]))
        slow += exemplars
    return made, (at, sums, slow, first, weight)


def _check_means(means: list[float], packed: bytearray, first: int, end: int, low: float, high: float) -> None:
    """Check the centroids of a sketch; those that rounding has moved below *low* or above *high* are moved back."""
    if low > high:
        raise WireError("a sketch with low above high")
    before = means[first]
    for mean in means[first:end]:  # mypyc: half the time of a loop over places
        if mean < before:
            raise WireError("a sketch with unsorted centroids")
        before = mean
    place = first
    while place < end and means[place] < low:
        means[place] = low
        _put_double(packed, 8 * place, low)
        place += 1
    place = end - 1
    while place >= first and means[place] > high:
        means[place] = high
        _put_double(packed, 8 * place, high)
        place -= 1


def _means(planes: bytes) -> bytearray:
    """Return means, of which only the highest bytes are sent, as the bytes of doubles."""
    length = len(planes) // _SENT
    if len(planes) != _SENT * length:
        raise WireError("a truncated column")
    raw, highest = bytearray(8 * length), (8 - _SENT) * _LOWER
    for place in range(_SENT):
        raw[highest + place :: 8] = planes[place * length : (place + 1) * length]
    return raw


def _finite(column: list[float]) -> bool:
    # a sum with infinities is not finite; the sum of large finite numbers may overflow, so these are checked singly
    return math.isfinite(sum(column)) or all(map(math.isfinite, column))


def _clamped(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)


def _planes(values: array[Any]) -> bytes:
    """Return the numbers with their bytes regrouped by position (byte shuffle), which compresses better."""
    raw, size = values.tobytes(), values.itemsize
    return b"".join(raw[place::size] for place in range(size))


def _column(kind: Literal["f", "I"], planes: bytes) -> list[Any]:
    if not planes:
        return []  # as most are of weights
    size = calcsize(kind)
    if len(planes) % size:
        raise WireError("a truncated column")
    raw, length = bytearray(len(planes)), len(planes) // size
    for place in range(size):
        raw[place::size] = planes[place * length : (place + 1) * length]
    return _numbers(kind, raw)


def _numbers(kind: Literal["d", "f", "I"], raw: bytes | bytearray) -> list[Any]:
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
