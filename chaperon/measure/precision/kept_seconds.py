"""The seconds of one series in columns of numbers: small to keep, quick to count in."""

from __future__ import annotations

import math
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from chaperon.measure.precision.centroids import NONE, Centroids
from chaperon.measure.precision.second_counts import SecondCounts, SeriesSecond, Times

_HEAD = struct.Struct("<IIII")
"""The lengths of the columns of lengths, ends, means and weights; the last column is that of the counts."""
_COUNTS, _LENGTHS = 5, 6
_ROW = 8 * _COUNTS + 2 * _LENGTHS
"""Bytes of a second without a sample."""
_MOST_WEIGHT = 0xFFFFFFFF
_COLUMNS: dict[Times, tuple[int, ...]] = {"service": (0,), "response": (2,), "bad": (4,), "all": (0, 4)}
"""Where the lengths of a population are in those of a second."""
_CENSORED: dict[Times, int] = {"service": 2, "all": 2, "response": 3, "bad": 0}
"""Where the number of its censored samples is in the counts of a second; 0 for nowhere."""


class KeptSeconds:
    """Seconds of one series, appended one by one; a second may occur more than once.

    Each has five counts (second, step, and the numbers of censored samples by service and by
    response time and of bad samples) and three sketches (good samples by service and by response
    time, bad samples). The centroids of all sketches stand in one column of means and one of
    weights: without objects a second takes some 60 bytes, and 8 for each of its samples.
    """

    __slots__ = ("_counts", "_ends", "_lengths", "_means", "_weights")

    def __init__(self) -> None:
        self._counts = array("Q")
        self._lengths = array("H")
        self._ends = array("d")
        self._means = array("d")
        self._weights = array("I")

    def __repr__(self) -> str:
        return f"<KeptSeconds of {len(self)} seconds>"

    def __len__(self) -> int:
        return len(self._counts) // _COUNTS

    def append(
        self,
        at: int,
        step: int,
        good: Centroids,
        censored: int,
        response: Centroids,
        response_censored: int,
        bad: int,
        bad_times: Centroids,
    ) -> int:
        """Append one second and return the number of bytes by which this grows.

        The parameters are the fields of `SeriesSecond`, which is not made here: this is done for each series in
        each second of a run.
        """
        self._counts.fromlist([at, step, censored, response_censored, bad])
        lengths: list[int] = []
        size = _ROW
        for each in (good, response, bad_times):
            means = each.means
            lengths.append(len(means))
            lengths.append(len(each.weights))
            if means:
                self._means += array("d", means)
                self._ends.fromlist([each.low, each.high])
                size += 16 + 8 * len(means)
            if each.weights:
                self._weights += _whole_numbers(each.weights)
                size += 4 * len(each.weights)
        self._lengths.fromlist(lengths)
        return size

    def to_bytes(self) -> bytes:
        """Return all seconds as bytes, for `of_bytes` on the same machine."""
        head = _HEAD.pack(len(self._lengths), len(self._ends), len(self._means), len(self._weights))
        columns: tuple[array[Any], ...] = (self._lengths, self._ends, self._means, self._weights, self._counts)
        return head + b"".join([column.tobytes() for column in columns])

    @classmethod
    def of_bytes(cls, data: bytes) -> KeptSeconds:
        """Return the seconds of `to_bytes`."""
        kept = cls()
        place = _HEAD.size
        columns: tuple[array[Any], ...] = (kept._lengths, kept._ends, kept._means, kept._weights)
        for column, length in zip(columns, _HEAD.unpack_from(data), strict=True):
            end = place + length * column.itemsize
            column.frombytes(data[place:end])
            place = end
        kept._counts.frombytes(data[place:])
        return kept

    def seconds(self, most: int | None = None, start: float = 0.0, end_at: float = math.inf) -> Iterator[SeriesSecond]:
        """Yield the seconds from *start* up to *end_at*, the one appended last first; of the first *most* alone."""
        number = len(self) if most is None else most
        counts, lengths, ends = self._counts.tolist(), self._lengths.tolist(), self._ends.tolist()
        places = self._places(lengths, number)
        for row in range(number - 1, -1, -1):
            found = []
            wanted = start <= counts[row * _COUNTS] < end_at
            for column in (4, 2, 0):
                means, weights = lengths[row * _LENGTHS + column], lengths[row * _LENGTHS + column + 1]
                if not means:
                    found.append(NONE)
                    continue
                at, weighed, end = places[0] - means, places[1] - weights, places[2] - 2
                if wanted:
                    low, high = ends[end], ends[end + 1]
                    found.append(Centroids(self._means[at : places[0]], self._weights[weighed : places[1]], low, high))
                places = [at, weighed, end]
            if not wanted:
                continue
            at_second, step, cut, response_cut, bad = counts[row * _COUNTS : (row + 1) * _COUNTS]
            yield SeriesSecond(at_second, found[2], cut, found[1], response_cut, bad, step, found[0])

    def count_in(self, into: SecondCounts, of: Times, most: int | None = None) -> None:
        """Add the samples of a population *of* the first *most* seconds, by default of all, to *into*.

        As `SeriesSecond.count_in`, without making an object of each second.
        """
        number = len(self) if most is None else most
        counts, lengths, ends = self._counts.tolist(), self._lengths.tolist(), self._ends.tolist()
        columns, censored = _COLUMNS[of], _CENSORED[of]
        means, bounds = self._means, into.bounds
        at, weighed, end = self._places(lengths, number)
        for row in range(number - 1, -1, -1):
            cut = counts[row * _COUNTS + censored] if censored else 0
            samples, above = 0, [float(cut)] * len(bounds)
            for column in (4, 2, 0):
                length, weights = lengths[row * _LENGTHS + column], lengths[row * _LENGTHS + column + 1]
                if not length:
                    continue
                stop = at
                at, weighed, end = at - length, weighed - weights, end - 2
                if column not in columns:
                    continue
                if not weights:
                    samples += length
                    for place, bound in enumerate(bounds):
                        above[place] += stop - bisect_right(means, bound, at, stop)
                    continue
                heavy = self._weights[weighed : weighed + weights]
                whole = Centroids(means[at:stop], heavy, ends[end], ends[end + 1])
                samples += whole.count
                for place, bound in enumerate(bounds):
                    above[place] += whole.above(bound)
            if samples + cut:
                into.add(counts[row * _COUNTS], counts[row * _COUNTS + 1], samples + cut, above)

    def _places(self, lengths: list[int], number: int) -> list[int]:
        """Return the ends of the first *number* seconds in the columns of means, weights and ends."""
        if number == len(self):
            return [len(self._means), len(self._weights), len(self._ends)]
        mine = lengths[: number * _LENGTHS]
        means = mine[::2]
        return [sum(means), sum(mine[1::2]), 2 * sum([length > 0 for length in means])]


def _whole_numbers(weights: Sequence[int]) -> array[int]:
    try:
        return array("I", weights)
    except OverflowError:  # only a file that was changed has as many
        return array("I", [min(weight, _MOST_WEIGHT) for weight in weights])
