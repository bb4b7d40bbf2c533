"""Limits (k6: thresholds): statements about series that must hold."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.precision.confidence import samples_needed
from chaperon.measure.quantity import count_text
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.report.format import AT_LEAST, number_text, time_text
from chaperon.report.limits.limit_result import MAXIMUM, LimitResult
from chaperon.report.limits.selection import ALL, Selection, similar_names
from chaperon.report.limits.units import BARE, TIME_UNITS, ambiguity, unit_of
from chaperon.report.percentiles import Bounds, Population
from chaperon.report.totals import Totals

_OPS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
TIMED = ("min", "mean", "max")
ALL_WARM = "all its samples are of the warm-up, which limits leave out"
"""What is said of a limit that would have data but for the warm-up."""


class LimitInput(NamedTuple):
    """What a limit is evaluated on.

    *series*: the parts of each series, by key. *errors*: counts by (scenario, series, error class).
    *length*: seconds in which visits were due.
    """

    series: Mapping[Key, Sequence[Series]]
    errors: Mapping[tuple[str, str, str], int]
    length: float


class LimitValue(NamedTuple):
    """The value of a limit's statistic, None without data, and a remark on it.

    For a percentile that lies among censored samples *value* is the bound that is harder to
    hold, possibly infinity, and *at_least* the lower bound. *nothing_bad* says that the limit
    speaks of samples in error and there are none, so that it holds. *unit* is that of recorded
    values, "" if they have none; None for times and counts. *interval* is the 95 % interval of a percentile.
    """

    value: float | None
    note: str | None = None
    at_least: float | None = None
    nothing_bad: bool = False
    unit: str | None = None
    is_maximum: bool = False
    interval: tuple[float, float] | None = None


NOTHING = LimitValue(None)


@lazy_dataclass(frozen=True, slots=True)
class Limit:
    """One parsed limit.

    - *what*: the statistic: "p95", "min", "mean", "max", "rate", "count", "errors" or "last".
    - *op*, *value*: the comparison; the value is in seconds, a fraction (if *share*), per second, or a number.
    - *population*: whose times: "good" (of a percentile: and censored), "bad", or "all" samples.
    - *clock*: which times: "service", "response", or None for response times where they exist.
    - *selection*: the series it covers. *readings*: all interpretations of the text, the most literal
      first; `reading_for` picks the first one that covers an existing series.
    - *over*: length in seconds of a sliding window over which it must hold, None for the whole run.
    - *during*: the phase it is about. *abort*: whether it stops the run, no earlier than *after* seconds.
    - *unit*: the unit written behind the number, "" without one.
    - *independent*: whether a percentile is known by the number of its samples alone, as if they were independent.
    """

    text: str
    what: str
    op: str
    value: float
    share: bool = False
    clock: Literal["service", "response"] | None = None
    population: Literal["good", "bad", "all"] = "good"
    selection: Selection = ALL
    readings: tuple[Selection, ...] = ()
    over: float | None = None
    during: str | None = None
    abort: bool = False
    after: float | None = None
    unit: str = ""
    independent: bool = False

    def evaluate(self, totals: Totals, duration: float) -> LimitResult:
        """Return the result over the run of *duration* seconds, or over the phase. A limit without data breaks."""
        chosen = self.reading_for(totals.series)
        measured = chosen.measure(chosen._input(totals, duration))
        if measured.value is None and measured.note is None and not any(map(chosen.covers, totals.series)):
            warm = any(key.phase == WARM_UP and chosen.selection.covers(key) for key in totals.series)
            note = ALL_WARM if warm and self.during is None else similar_names(self.selection, totals.series)
            measured = LimitValue(None, note or None)
        if measured.value is None and self.during is not None:
            phases = dict.fromkeys(phase for _, phase in totals.phases)
            if not any(map(self._includes_phase, phases)):
                measured = LimitValue(None, f"there was no phase {self.during!r}, only: {', '.join(phases) or 'none'}")
        return self.result(measured)

    def result(self, measured: LimitValue, at: int | None = None) -> LimitResult:
        """Return the result for a measured value; *at* is the second in which it was measured."""
        if measured.nothing_bad:
            return LimitResult(self.text, True, None, "–", measured.note)
        held = self.holds(measured.value)
        at = None if held else at
        unit = measured.unit if measured.unit is not None else "s" if self.is_timed or self.unit in TIME_UNITS else ""
        prefix, interval = MAXIMUM if measured.is_maximum else "", measured.interval
        if measured.at_least is not None:
            shown = f"{prefix}{AT_LEAST}{self.value_text(measured.at_least)}"
            return LimitResult(self.text, held, None, shown, measured.note, at, measured.at_least, unit, interval)
        shown = f"{prefix}{self.value_text(measured.value, measured.unit)}"
        return LimitResult(self.text, held, measured.value, shown, measured.note, at, unit=unit, interval=interval)

    @property
    def is_timed(self) -> bool:
        """Whether the statistic is a time, unless it is of recorded values."""
        return self.what in TIMED or self.what[0] == "p"

    def holds(self, value: float | None) -> bool:
        """Return whether a value is within the limit. None and infinity never are."""
        return value is not None and value < math.inf and _OPS[self.op](value, self.value)

    def worse(self, one: LimitValue, other: LimitValue) -> bool:
        """Return whether *one* is further on the wrong side of the limit than *other*. A missing value is the worst."""
        if one.value is None or other.value is None:
            return other.value is not None
        if one.value == other.value:  # both may be infinite
            return (one.at_least or 0.0) > (other.at_least or 0.0)
        return one.value < other.value if self.op in (">", ">=") else one.value > other.value

    def measure(self, data: LimitInput) -> LimitValue:
        """Return the value of the limit's statistic."""
        keys = [key for key in sorted(data.series) if self.covers(key)]
        parts = [series for key in keys for series in data.series[key]]
        if not parts:
            return NOTHING
        whole = Series.sum_of(parts)
        if self.what in ("count", "errors", "rate"):
            return LimitValue(self._count_value(whole, data))
        if self.what == "last":
            return self._in_unit(LimitValue(None if whole.last is None else whole.last[1]), unit_of(keys) or "")
        unit = unit_of(keys)
        return self._in_unit(self._time_value(whole, unit), unit)

    def _in_unit(self, found: LimitValue, unit: str | None) -> LimitValue:
        """Return a value of series whose values have *unit* (None: times) in the unit of the limit."""
        if unit is None:
            if not self.unit and self.value >= BARE:
                note = ambiguity(f"{self.value:g}")
                return found._replace(note=f"{note}; {found.note}" if found.note else note)
            return found
        if not self.unit or found.value is None:
            return found._replace(unit=unit)
        if unit and unit not in TIME_UNITS:
            return LimitValue(None, f"its values are in {unit}, not in a time: write the number without {self.unit}")
        scale = TIME_UNITS.get(unit, 1.0)
        ends = found.interval
        interval = None if ends is None else (ends[0] * scale, ends[1] * scale)
        return found._replace(value=found.value * scale, interval=interval)

    def covers(self, key: Key) -> bool:
        """Return whether the limit covers a series: selection and phase match."""
        if self.during is None and key.phase == WARM_UP:
            return False
        if self.during is not None and not self._includes_phase(key.phase):
            return False
        return self.selection.covers(key)

    def may_cover(self, key: Key) -> bool:
        """Return whether any reading of the limit covers a series."""
        return any(replace(self, selection=each).covers(key) for each in self.readings or (self.selection,))

    def reading_for(self, keys: Iterable[Key]) -> Limit:
        """Return the limit with the first of its readings that covers any of *keys*, else with the last one."""
        if len(self.readings) < 2:
            return self
        known = list(keys)
        for each in self.readings:
            if any(map(each.covers, known)):
                return replace(self, selection=each)
        return self

    def value_text(self, value: float | None, unit: str | None = None) -> str:
        """Return a value as text in the unit of this limit, or in *unit*, that of recorded values."""
        if value is None:
            return "no data"
        if unit is not None:
            return f"{number_text(value)} {unit}".rstrip()
        if self.share:
            return f"{value:.2%}"
        if self.what in ("rate", "count", "errors"):
            return number_text(value) + ("/s" if self.what == "rate" else "")
        return time_text(value)

    def _input(self, totals: Totals, duration: float) -> LimitInput:
        errors = {where: error.count - error.warm for where, error in totals.errors.items()}
        series = {key: (each,) for key, each in totals.series.items()}
        if self.during is None:
            return LimitInput(series, errors, self._length(totals, duration))
        lengths: dict[str, float] = {}
        for (label, phase), span in totals.phases.items():
            if self._includes_phase(phase) and self._includes_label(label):
                lengths[label] = lengths.get(label, 0.0) + span
        return LimitInput(series, errors, max(lengths.values(), default=0.0))

    def _length(self, totals: Totals, duration: float) -> float:
        """Return for how many seconds visits were due; if no window has that figure, *duration* without the warm-up."""
        due = self.seconds_due(totals.due)
        if due is not None:
            return due
        warm = [
            span for (label, phase), span in totals.phases.items() if phase == WARM_UP and self._includes_label(label)
        ]
        return duration - max(warm, default=0.0)

    def seconds_due(self, due: Mapping[str, float]) -> float | None:
        """Return for how many seconds visits of the selected scenarios were due, None if *due* has none of them.

        *due* is seconds by scenario label.
        """
        return max((span for label, span in due.items() if self._includes_label(label)), default=None)

    def _includes_label(self, label: str) -> bool:
        """Return whether the limit covers a scenario label or one nested in it: "mix/shop" is nested in "mix"."""
        return self.selection.scenario is None or f"{self.selection.scenario}/".startswith(f"{label}/")

    def _includes_phase(self, phase: str) -> bool:
        """Return whether a phase is the limit's phase or a variant of it: "steady at 200/s" is one of "steady"."""
        assert self.during is not None
        return phase == self.during or phase.startswith(f"{self.during} ")

    def _count_value(self, whole: Series, data: LimitInput) -> float | None:
        number = whole.errors if self.what == "errors" else whole.count
        if self.selection.error is not None:
            names = {(key.scenario, key.name) for key in data.series if self.covers(key)}
            error, errors = self.selection.error, data.errors
            number = sum(n for (s, name, e), n in errors.items() if e == error and (s, name) in names)
        if self.share:
            return number / whole.count if whole.count else None
        if self.what == "rate":
            return number / data.length if data.length > 0 else None
        return float(number)

    def times_of(self, whole: Series) -> Population:
        """Return the samples of a series whose percentiles the limit is about, by its clock and its population."""
        if self.population != "good":
            return Population.of_bad(whole) if self.population == "bad" else Population.of_all(whole)
        population = Population.response(whole)
        if self.clock == "service" or (self.clock is None and not population):
            population = Population.service(whole)
        return population

    def _time_value(self, whole: Series, unit: str | None) -> LimitValue:
        """Return the value of a statistic of times, or of recorded values in *unit*."""
        population = self.times_of(whole)
        if not population:
            return LimitValue(None, "no sample is in error", nothing_bad=True) if self.population == "bad" else NOTHING
        if self.independent:
            population = Population(population.good, population.censored)
        good, cut = population.good, population.censored.count
        if self.what in TIMED:
            value = {"min": good.low, "mean": good.mean, "max": good.high}[self.what] if good else None
            whose = "good samples" if self.population == "good" else "samples that ended"
            return LimitValue(value, f"of {whose} only: {cut:,} more were cut before they ended" if cut else None)
        q = float(self.what[1:]) / 100
        bounds, few = population.bounds(q), None
        if bounds is None:
            few = self._why_maximum(population, q, unit)
            bounds = population.quantile(1.0)
            assert bounds is not None
        found = None if few or self.over is not None else population.interval(q)
        interval = None if found is None else (found.low, found.high)
        if bounds.lower == bounds.upper:
            return LimitValue(bounds.upper, few, is_maximum=few is not None, interval=interval)
        if self.op in (">", ">="):
            used, worst = "lower", bounds.lower
        else:
            used, worst = "upper", bounds.upper
        notes = [few] if few else []
        notes.append(f"{cut:,} of {population.count:,} samples were cut before they ended")
        if _OPS[self.op](bounds.lower, self.value) != _OPS[self.op](bounds.upper, self.value):
            notes.append(f"the value lies {_between(bounds)}, evaluated by the {used} bound")
        return LimitValue(worst, "; ".join(notes), bounds.at_least, is_maximum=few is not None, interval=interval)

    def _why_maximum(self, population: Population, q: float, unit: str | None) -> str:
        """Return why the maximum is used, and the percentile where there are samples enough were they independent."""
        why = f"{samples_text(population, q)}: the maximum is used instead"
        found = population.quantile(q) if population.count >= samples_needed(q) else None
        if found is None:
            return why
        sign, value = ("", found.value) if found.at_least is None else (AT_LEAST, found.at_least)
        return f"{self.what} of the samples is {sign}{self.value_text(value, unit)}; {why}"


def samples_text(population: Population, q: float) -> str:
    """Return how many samples there are for the quantile *q*, and how many are needed."""
    count, effective, needed = population.count, population.effective(q), samples_needed(q)
    if count < needed:
        return f"{count:,} of {needed:,} samples needed"
    return f"{count_text(count, 'sample')} that resemble their neighbours count as {effective:,} of {needed:,} needed"


def _between(bounds: Bounds) -> str:
    if bounds.upper == math.inf:
        return f"at {time_text(bounds.lower)} or above"
    return f"between {time_text(bounds.lower)} and {time_text(bounds.upper)}"
