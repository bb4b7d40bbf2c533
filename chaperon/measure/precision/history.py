"""The samples of a series second by second, from which the precision of its percentiles is estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from chaperon.measure.precision.kept_seconds import KeptSeconds
from chaperon.measure.precision.long_run import Dependence, dependence, dependences
from chaperon.measure.precision.second_counts import SecondCounts, SeriesSecond, Times


class SecondsPart(NamedTuple):
    """The first *most* seconds of some that are kept: more may be appended to them later."""

    kept: KeptSeconds
    most: int


Source = Callable[[], Iterable[SeriesSecond | SecondsPart]]
"""Returns the seconds of one key in any order; a second may occur more than once. May block to read a file."""
Estimates = dict[tuple[tuple[Source, ...], Times, float, float], Dependence | None]
"""Dependences by sources, population, quantile and its value: several sums of the same series share them."""


class History:
    """The seconds of one series, from one or more sources. Estimates are cached, so the sources must not change.

    *estimates* are those of all series of a run, None for a history by itself.
    """

    __slots__ = ("_estimates", "_known", "sources")

    def __init__(self, sources: Sequence[Source], estimates: Estimates | None = None) -> None:
        self.sources = tuple(sources)
        self._known: dict[tuple[Times, float], Dependence | None] = {}
        self._estimates: Estimates = {} if estimates is None else estimates

    def __repr__(self) -> str:
        return f"<History of {len(self.sources)} keys>"

    @classmethod
    def merge_all(cls, many: Iterable[History | None]) -> History | None:
        """Return the history of the sum of several series, None unless each has one."""
        parts = list(many)
        whole = [part for part in parts if part is not None]
        if not whole or len(whole) < len(parts):
            return None
        return cls([source for part in whole for source in part.sources], whole[0]._estimates)

    def breathing(self, breathe: Callable[[], object]) -> History:
        """Return the same history, which calls *breathe* after each second that it reads, so that others can run."""
        return History([partial(_breathing, source, breathe) for source in self.sources])

    def seconds(self) -> Iterator[SeriesSecond]:
        """Yield the seconds of every key."""
        for source in self.sources:
            yield from _one_by_one(source)

    def dependence(
        self, value: Callable[[float], float], q: float, others: Iterable[float] = (), *, of: Times = "service"
    ) -> Dependence | None:
        """Return the dependence of a population *of* samples at quantile *q*, or None if too few seconds have some.

        *value* returns the value of a quantile. The *others* are estimated and cached at the same
        time, since reading the seconds costs most. May block to read a file.
        """
        if (of, q) not in self._known:
            self._estimate({each: value(each) for each in (q, *others)}, of)
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

    def seconds_above(self, value: float, q: float, *, of: Times = "service") -> list[int]:
        """Return the seconds whose own quantile *q* is greater than *value*, in order. May block to read a file.

        Of seconds that are kept together all are, or none.
        """
        found = self._counted([value], of)
        rows = sorted(zip(found.seconds, found.counts, found.above, strict=True))
        above: list[int] = []
        for place, (at, count, (beyond,)) in enumerate(rows):
            following = rows[place + 1][0] if place + 1 < len(rows) else at + found.step
            if beyond > (1.0 - q) * count:
                above += range(at, min(at + found.step, following))
        return above

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

    def _estimate(self, values: Mapping[float, float], of: Times) -> None:
        """Estimate the dependence at quantiles whose *values* are given, those that are not known yet."""
        wanted = [q for q, value in values.items() if (self.sources, of, q, value) not in self._estimates]
        if wanted:
            found = dependences(self._counted([values[q] for q in wanted], of), wanted)
            for q, each in zip(wanted, found, strict=True):
                self._estimates[self.sources, of, q, values[q]] = each
        for q, value in values.items():
            self._known[of, q] = self._estimates[self.sources, of, q, value]

    def _counted(self, bounds: Sequence[float], of: Times) -> SecondCounts:
        """Return the samples in each second, and those above each of *bounds*."""
        counts = SecondCounts(bounds)
        for source in self.sources:
            for part in source():
                if isinstance(part, SecondsPart):
                    part.kept.count_in(counts, of, part.most)
                else:
                    part.count_in(counts, of)
        return counts


def _breathing(source: Source, breathe: Callable[[], object]) -> Iterator[SeriesSecond]:
    for second in _one_by_one(source):
        yield second
        breathe()


def _one_by_one(source: Source) -> Iterator[SeriesSecond]:
    for part in source():
        if isinstance(part, SecondsPart):
            yield from part.kept.seconds(part.most)
        else:
            yield part
