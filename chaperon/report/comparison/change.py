"""The change of one figure between two runs, or two groups of runs, with its decision and its sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.comparison.decision import (
    SHORTEST,
    ChangeKind,
    Decision,
    decide_ratio,
    decide_share,
    holm,
    time_margin,
)
from chaperon.report.comparison.difference import (
    LEAST_RUNS,
    Difference,
    between_runs,
    deviation,
    difference,
    difference_of_groups,
    log_ratio,
    log_ratio_of_groups,
)
from chaperon.report.comparison.estimate import Estimate, logarithm, mean_estimate
from chaperon.report.comparison.figure import Figure
from chaperon.report.comparison.measured_run import MeasuredRun
from chaperon.report.comparison.words import error_sentence, time_sentence, value_text
from chaperon.report.format import AT_LEAST

NOTHING = "–"
"""Stands for a value of which nothing is known."""
CHANCE = "among {n} figures that decide, this may be chance"
Runs = Sequence[MeasuredRun]


class Outcome(NamedTuple):
    """What is known of a change of a figure.

    *first* and *second* are its values (seconds, or a share of errors), of groups their geometric
    mean or, for errors, their mean. *found* is the difference of logarithms, or of shares.
    *between* is the standard deviation between runs of one build, of logarithms or of shares; None
    with one run a side.
    """

    first: float
    second: float
    found: Difference
    between: float | None
    decision: Decision


@lazy_dataclass(frozen=True, slots=True)
class FigureChange:
    """What happened to one figure.

    *outcome* is None if it cannot be compared; *sentence* says why, or how it changed and what could not have
    been seen. *gated*: whether it decides. *measured* are the values of both sides where there is no outcome, each
    None if it is unknown. *at_least* are their lower bounds where they lie among samples that were cut.
    """

    figure: Figure
    gated: bool
    outcome: Outcome | None
    sentence: str
    measured: tuple[float | None, float | None] = (None, None)
    at_least: tuple[float | None, float | None] = (None, None)

    @property
    def values(self) -> tuple[float | None, float | None]:
        """The values of both sides (seconds, or a share of errors), known or not how they may differ by chance."""
        return self.measured if self.outcome is None else (self.outcome.first, self.outcome.second)

    @property
    def shown(self) -> tuple[str, str]:
        """The values of both sides as text: "≥30.0s" for a lower bound, "–" where nothing is known."""
        one, other = (
            _shown(self.figure, value, bound) for value, bound in zip(self.values, self.at_least, strict=True)
        )
        return one, other

    @property
    def difference(self) -> float | None:
        """The ratio of the values of a time − 1 (0.1: 10 % slower), of a share of errors their difference.

        None where one is unknown.
        """
        first, second = self.values
        if first is None or second is None:
            return None
        if self.figure.is_share:
            return second - first
        return second / first - 1 if first > 0.0 else None

    @property
    def change(self) -> ChangeKind:
        """How the figure changed, UNKNOWN if it cannot be compared."""
        return ChangeKind.UNKNOWN if self.outcome is None else self.outcome.decision.change


def change_of(figure: Figure, first: Runs, second: Runs, margin: float, *, gated: bool) -> FigureChange:
    """Return the change of a figure, of one run a side or at least three. May block to read files."""
    many = min(len(first), len(second)) >= LEAST_RUNS
    reason = next((why for run in (*first, *second) if (why := _missing(run, figure, many=many)) is not None), None)
    if reason is not None:
        return _not_compared(figure, first, second, reason, gated=gated)
    one, other = _values(figure, first), _values(figure, second)
    means = _mean(figure, one), _mean(figure, other)
    if not many:
        found, between = _of_estimates(figure, _estimates(figure, first)[0], _estimates(figure, second)[0]), None
    elif figure.is_share:
        found, between = _of_shares(figure, first, second), deviation(one, other)
    else:
        found, between = log_ratio_of_groups(one, other, _seconds(first, second)), between_runs(one, other)
    return _decided(figure, means, found, between, margin, gated=gated)


def change_since(figure: Figure, before: Runs, run: MeasuredRun, margin: float) -> FigureChange:
    """Return the change of a figure from the mean of the runs *before*, at least two, to one *run*.

    The margin is at least twice the deviation between the runs before. May block to read files.
    """
    reason = next((why for each in (*before, run) if (why := each.unknown(figure)) is not None), None)
    if reason is not None:
        return _not_compared(figure, before, [run], reason, gated=True)
    (last,), values = _estimates(figure, [run]), _values(figure, before)
    if figure.is_share:
        found, between = difference(mean_estimate(_estimates(figure, before)), last), deviation(values)
    else:
        mean = mean_estimate([logarithm(each) for each in _estimates(figure, before)])
        found, between = difference(mean, logarithm(last)), between_runs(values)
    return _decided(figure, (_mean(figure, values), last.value), found, between, margin, gated=True)


def _not_compared(figure: Figure, first: Runs, second: Runs, reason: str, *, gated: bool) -> FigureChange:
    measured = _measured(figure, first), _measured(figure, second)
    sentence = f"{figure.text} cannot be compared: {reason}"
    change = FigureChange(
        figure, gated, None, sentence, measured, (_at_least(figure, first), _at_least(figure, second))
    )
    if change.shown == (NOTHING, NOTHING):
        return change
    return replace(change, sentence=f"{sentence}; measured: {change.shown[0]} → {change.shown[1]}")


def _shown(figure: Figure, value: float | None, at_least: float | None) -> str:
    if value is None:
        return NOTHING if at_least is None else f"{AT_LEAST}{value_text(at_least, share=False)}"
    return value_text(value, share=figure.is_share)


def _decided(
    figure: Figure, means: tuple[float, float], found: Difference, between: float | None, margin: float, *, gated: bool
) -> FigureChange:
    if figure.is_share:
        decision = decide_share(found, max(margin, 2 * (between or 0.0)))
    else:
        decision = decide_ratio(found, time_margin(margin, *means, between or 0.0))
    outcome = Outcome(*means, found, between, decision)
    return FigureChange(figure, gated, outcome, _sentence(figure, outcome))


def adjusted(changes: Sequence[FigureChange]) -> list[FigureChange]:
    """Return *changes* with those of the gated figures decided together, by Holm.

    A figure that is slower, or faster, for itself alone may be so by chance among several: its change is
    then UNKNOWN.
    """
    known = [
        (place, each.figure, each.outcome)
        for place, each in enumerate(changes)
        if each.gated and each.outcome is not None and each.outcome.found.seconds >= SHORTEST
    ]
    above = holm([outcome.found.p_above(_bound(figure, outcome)) for _, figure, outcome in known])
    below = holm([outcome.found.p_below(-_bound(figure, outcome)) for _, figure, outcome in known])
    found = list(changes)
    for (place, figure, outcome), up, down in zip(known, above, below, strict=True):
        certain = {ChangeKind.SLOWER: up, ChangeKind.FASTER: down}
        if not certain.get(outcome.decision.change, True):
            weaker = outcome._replace(decision=outcome.decision._replace(change=ChangeKind.UNKNOWN))
            sentence = f"{_sentence(figure, weaker)}; {CHANCE.format(n=len(known))}"
            found[place] = replace(changes[place], outcome=weaker, sentence=sentence)
    return found


def _bound(figure: Figure, outcome: Outcome) -> float:
    """Return the margin on the scale of the difference."""
    return outcome.decision.margin if figure.is_share else math.log1p(outcome.decision.margin)


def _sentence(figure: Figure, outcome: Outcome) -> str:
    say = error_sentence if figure.is_share else time_sentence
    return say(figure.text, outcome.first, outcome.second, outcome.found, outcome.decision)


def _of_estimates(figure: Figure, first: Estimate, second: Estimate) -> Difference:
    return difference(first, second) if figure.is_share else log_ratio(first, second)


def _of_shares(figure: Figure, first: Runs, second: Runs) -> Difference:
    """Return the difference of shares of errors, with the wider of the intervals between and within runs.

    Runs without any error do not vary; how many errors they may have is known from the runs themselves.
    """
    between = difference_of_groups(_values(figure, first), _values(figure, second), _seconds(first, second))
    within = difference(mean_estimate(_estimates(figure, first)), mean_estimate(_estimates(figure, second)))
    low, high = min(between.low, within.low), max(between.high, within.high)
    return between._replace(low=low, high=high, freedom=min(between.freedom, within.freedom))


def _estimates(figure: Figure, runs: Runs) -> list[Estimate]:
    return [found for run in runs if (found := run.estimate(figure)) is not None]


def _values(figure: Figure, runs: Runs) -> list[float]:
    return [value for run in runs if (value := run.value(figure)) is not None]


def _seconds(first: Runs, second: Runs) -> int:
    return int(min(run.length for run in (*first, *second)))


def _missing(run: MeasuredRun, figure: Figure, *, many: bool) -> str | None:
    """Return why a figure of a run cannot be compared: with *many* runs a side a percentile needs no interval."""
    if many and not figure.is_share and (run.value(figure) or 0.0) > 0.0:
        return None
    return run.unknown(figure)


def _measured(figure: Figure, runs: Runs) -> float | None:
    """Return the mean of a figure, None if a run does not have it, or one of several times is 0."""
    values = _values(figure, runs)
    if len(values) < len(runs) or not values:
        return None
    if len(values) == 1:
        return values[0]
    return _mean(figure, values) if figure.is_share or min(values) > 0.0 else None


def _at_least(figure: Figure, runs: Runs) -> float | None:
    """Return the lower bound of a percentile of one run, None of several, or where its value is known."""
    return runs[0].at_least(figure) if len(runs) == 1 else None


def _mean(figure: Figure, values: Sequence[float]) -> float:
    return fmean(values) if figure.is_share else math.exp(fmean(map(math.log, values)))
