"""Series as columns of numbers: counts exactly, the centroids of sketches in a few bytes each."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Literal

from chaperon.errors import WireError
from chaperon.measure.series import EXEMPLARS, Series
from chaperon.measure.sketch import Sketch

MOST = 5_000
"""Most centroids of a sketch."""

_SENT = 3
"""Bytes of a mean that are sent, of eight: with 12 bits of its mantissa the relative error is at most 0.012 %."""
_LOWER = int(sys.byteorder == "little")
"""How many of the two halves of a double come before its upper one."""

_LARGEST = 3.4e38
_SKETCHES = 5
_TIMES = 3
"""How many of the sketches are of the samples themselves, the first ones: the others are of response times."""


class SeriesColumns:
    """Series as whole numbers, *counts*, and four columns of numbers: exact floats, means, weights, slowest samples.

    The counts of a series are its bytes and its shape: from the lowest bit whether it has a newest sample, which of its
    five sketches have samples, and in the bits above how many slowest samples there are. Those of each sketch that has
    samples follow: how many samples, how many centroids.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self._exact, self._means = array("d"), array("d")
        self._weights, self._slowest = array("I"), array("f")

    def __repr__(self) -> str:
        return f"<SeriesColumns of {len(self.counts)} counts>"

    def add(self, series: Series, began: float) -> None:
        """Add a series, with moments relative to *began*."""
        last = series.last
        shape = len(series.slowest) << 1 + _SKETCHES
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
                    self._weights.extend([int(weight + 0.5) for _, weight in clusters])
        self.counts[start:start] = (series.bytes, shape)
        for value, moment in series.slowest:
            self._slowest.extend((_clamped(value), moment - began))

    def packed(self) -> tuple[bytes, ...]:
        """Return the four columns as bytes."""
        upper = array("I", self._means.tobytes())[_LOWER::2]
        means = _shuffled(array("I", [bits + 128 & 0xFFFFFF00 for bits in upper]))[_LOWER * len(upper) :]
        return self._exact.tobytes(), means[: _SENT * len(upper)], _shuffled(self._weights), _shuffled(self._slowest)


def unpack_series(
    counts: tuple[int, ...], columns: Sequence[bytes], number: int, began: float
) -> tuple[list[Series], list[int]]:
    """Return *number* series decoded from their columns, and the places of those that have a time below 0.

    Raises WireError unless they use up every column exactly.
    """
    means, weights, tops = _means(columns[1]), _numbers("I", _unshuffled(columns[2], 4)), _unshuffled(columns[3], 4)
    try:
        exact = _numbers("d", columns[0])
    except TypeError:  # not as many bytes as numbers have
        raise WireError("a truncated column") from None
    if not (_finite("d", columns[0]) and _finite("d", means) and _finite("f", tops)):
        raise WireError("a window with a number that is not finite")
    try:
        made, negative, used = _decoded(counts, exact, tops, means, weights, began)
    except (ValueError, IndexError):
        raise WireError("a window with numbers missing") from None
    if len(made) != number or used != (len(counts), len(exact), len(tops), len(means), len(weights)):
        raise WireError("a window with numbers missing, or left over")
    return made, negative


def _decoded(
    counts: tuple[int, ...], exact: list[float], tops: bytes, means: bytes, weights: list[int], began: float
) -> tuple[list[Series], list[int], tuple[int, int, int, int, int]]:
    """Return the series, the places of those with a time below 0, and how much of each column they claim.

    That is more than there is if some is missing. A master does this for every series of every window: it makes no
    call that it can do without, and leaves single samples and the slowest ones as bytes until they are needed.
    """
    made: list[Series] = []
    negative: list[int] = []
    nothing = Sketch()
    at = sums = slow = first = weight = 0  # read positions in counts, exact, tops, means, weights
    while at < len(counts):
        size, shape = counts[at], counts[at + 1]
        at += 2
        exemplars = shape >> 1 + _SKETCHES
        if exemplars > EXEMPLARS:
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
            sums += 3
            if low > high:
                raise WireError("a sketch with low above high")
            if low < 0 and place < _TIMES:
                negative.append(len(made))
            end = first + 8 * length
            theirs = means[first:end]
            first = end
            if count == length:
                sketches.append(Sketch.of_packed_values(theirs, total=total, low=low, high=high))
            else:
                portions = weights[weight : weight + length]
                weight += length
                if min(portions) < 1 or sum(portions) != count:
                    raise WireError("a sketch with weights that do not sum to its count")
                middles = _within(_numbers("d", theirs), low, high)
                sketches.append(Sketch.of(middles, portions, count, total=total, low=low, high=high))
        end = slow + 8 * exemplars
        made.append(Series.of(sketches, size, last, tops[slow:end], began))
        slow = end
    return made, negative, (at, sums, slow, first, weight)


def _within(means: list[float], low: float, high: float) -> list[float]:
    """Return the means of centroids, of which those that rounding has moved beyond *low* or *high* are moved back."""
    before = means[0]
    for mean in means:  # mypyc: half the time of a loop over places
        if mean < before:
            raise WireError("a sketch with unsorted centroids")
        before = mean
    if means[0] < low or means[-1] > high:
        return [min(max(mean, low), high) for mean in means]
    return means


def _means(shuffled: bytes) -> bytes:
    """Return means, of which only the highest bytes are sent, as the bytes of doubles."""
    length = len(shuffled) // _SENT
    if len(shuffled) != _SENT * length:
        raise WireError("a truncated column")
    raw, highest = bytearray(8 * length), (8 - _SENT) * _LOWER
    for place in range(_SENT):
        raw[highest + place :: 8] = shuffled[place * length : (place + 1) * length]
    return bytes(raw)


def _finite(kind: Literal["d", "f"], column: bytes) -> bool:
    """Return whether all numbers of a column are finite.

    Those whose first byte is neither 7F nor FF are, as of the usual ones: the bytes are searched, no number is made.
    """
    size = 8 if kind == "d" else 4
    first = column[(size - 1) * _LOWER :: size]
    return (0x7F not in first and 0xFF not in first) or all(map(math.isfinite, _numbers(kind, column)))


def _clamped(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)


def _shuffled(values: array[Any]) -> bytes:
    """Return the numbers with their bytes regrouped by position (byte shuffle), which compresses better."""
    raw, size = values.tobytes(), values.itemsize
    return b"".join(raw[place::size] for place in range(size))


def _unshuffled(shuffled: bytes, size: int) -> bytes:
    """Return numbers of *size* bytes from what `_shuffled` made of them."""
    if not shuffled:
        return shuffled  # as most are of weights
    if len(shuffled) % size:
        raise WireError("a truncated column")
    raw, length = bytearray(len(shuffled)), len(shuffled) // size
    for place in range(size):
        raw[place::size] = shuffled[place * length : (place + 1) * length]
    return bytes(raw)


def _numbers(kind: Literal["d", "f", "I"], raw: bytes) -> list[Any]:
    return memoryview(raw).cast(kind).tolist()
