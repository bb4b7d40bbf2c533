"""The samples of a series second by second, from which the precision of its percentiles is estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.long_run import Dependence, dependence


class SeriesSecond(NamedTuple):
    """The samples of one series in the *step* seconds from second *at* of the run.

    *good* and *response*: the samples without an error, by service and by response time.
    *censored*, *response_censored*: the number of samples cut before they ended. *bad*: the
    number of samples that ended in an error, *bad_times* their service times.
    """

    at: int
    good: Centroids
    censored: int
    response: Centroids
    response_censored: int
    bad: int = 0
    step: int = 1
    bad_times: Centroids = Centroids(())

    def counted(self, of: Times) -> tuple[tuple[Centroids, ...], int]:
        """Return the times of a population of samples, and how many more were cut before they ended."""
        match of:
            case "response":
                return (self.response,), self.response_censored
            case "bad":
                return (self.bad_times,), 0
            case "all":
                return (self.good, self.bad_times), self.censored
            case "service":
                return (self.good,), self.censored


Times = Literal["service", "response", "all", "bad"]
"""A population of samples: good and censored ones by service or by response time, all of them, or bad ones alone."""
Source = Callable[[], Iterable[SeriesSecond]]
"""Returns the seconds of one key in any order; a second may occur more than once. May block to read a file."""


class History:
    """The seconds of one series, from one or more sources. Estimates are cached, so the sources must not change."""

    __slots__ = ("_known", "sources")

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._known: dict[tuple[Times, float], Dependence | None] = {}

    def __repr__(self) -> str:
        return f"<History of {len(self.sources)} keys>"

    @classmethod
    def merge_all(cls, many: Iterable[History | None]) -> History | None:
        """Return the history of the sum of several series, None unless each has one."""
        parts = list(many)
        whole = [part for part in parts if part is not None]
        if not whole or len(whole) < len(parts):
            return None
        return cls([source for part in whole for source in part.sources])

    def breathing(self, breathe: Callable[[], object]) -> History:
        """Return the same history, which calls *breathe* after each second that it reads, so that others can run."""
        return History([partial(_breathing, source, breathe) for source in self.sources])

    def seconds(self) -> Iterator[SeriesSecond]:
        """Yield the seconds of every key."""
        for source in self.sources:
            yield from source()

    def dependence(
        self, value: Callable[[float], float], q: float, others: Iterable[float] = (), *, of: Times = "service"
    ) -> Dependence | None:
        """Return the dependence of a population *of* samples at quantile *q*, or None if too few seconds have some.

        *value* returns the value of a quantile. The *others* are estimated and cached at the same
        time, since reading the seconds costs most. May block to read a file.
        """
        if (of, q) not in self._known:
            self._read({each: value(each) for each in (q, *others)}, of)
        return self._known[of, q]

    def counts(self) -> tuple[dict[int, int], int]:
        """Return how many samples each second has, errors included, and how many seconds stand together.

        May block to read a file.
        """
        found: dict[int, int] = {}
        step = 1
        for second in self.seconds():
            found[second.at] = found.get(second.at, 0) + second.good.count + second.censored + second.bad
            step = max(step, second.step)
        return found, step

    def error_dependence(self) -> Dependence | None:
        """Return the dependence of the samples as the share of errors has it, or None if too few seconds have samples.

        May block to read a file.
        """
        pairs: dict[int, tuple[float, float]] = {}
        step = 1
        for second in self.seconds():
            errors, count = pairs.get(second.at, (0.0, 0.0))
            bad = second.bad + second.censored
            pairs[second.at] = errors + bad, count + second.good.count + bad
            step = max(step, second.step)
        total = sum(count for _, count in pairs.values())
        share = sum(errors for errors, _ in pairs.values()) / total if total else 0.0
        return dependence(pairs, 1 - share, step)

    def _read(self, values: Mapping[float, float], of: Times) -> None:
        """Count, in each second, the samples above each of *values*, by quantile.

        A censored sample counts as above every value: it is only known that it took longer than
        until it was cut.
        """
        bounds = list(values.values())
        sums: dict[int, list[float]] = {}  # by second: the number of samples, then those above each value
        step = 1
        for second in self.seconds():
            parts, cut = second.counted(of)
            count = cut + sum(part.count for part in parts)
            if not count:
                continue
            step = max(step, second.step)
            found = [count, *[cut + sum(above) for above in zip(*(p.above_each(bounds) for p in parts), strict=True)]]
            known = sums.get(second.at)
            sums[second.at] = found if known is None else [a + b for a, b in zip(known, found, strict=True)]
        for place, q in enumerate(values, 1):
            pairs = {at: (sums[at][place], sums[at][0]) for at in sorted(sums)}
            self._known[of, q] = dependence(pairs, q, step)


def _breathing(source: Source, breathe: Callable[[], object]) -> Iterator[SeriesSecond]:
    for second in source():
        yield second
        breathe()
