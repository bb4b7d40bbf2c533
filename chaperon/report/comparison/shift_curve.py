"""The quantile-shift curve: by what factor each quantile of the times differs between two runs, or groups of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from chaperon.report.comparison.change import change_of
from chaperon.report.comparison.figure import Figure
from chaperon.report.comparison.measured_run import MeasuredRun

GRID = (*(n / 20 for n in range(1, 19)), 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
"""The quantiles of a curve."""


class ShiftPoint(NamedTuple):
    """The natural logarithm of the ratio of the quantile *q* of the second run to that of the first.

    *low* to *high* is its 95 % interval, by MOVER as of every figure. It is of this quantile alone, not of all
    at once.
    """

    q: float
    value: float
    low: float
    high: float


def shift_curve(figure: Figure, first: Sequence[MeasuredRun], second: Sequence[MeasuredRun]) -> list[ShiftPoint]:
    """Return the curve of the times that the percentile *figure* is of, without the quantiles that are unknown.

    One run a side, or at least three. Blocks to read a file.
    """
    if figure.is_share:
        raise ValueError(f"{figure.text} is no time")
    each = [(q, replace(figure, limit=replace(figure.limit, what=f"p{100 * q:g}"))) for q in GRID]
    for run in (*first, *second):
        run.read_ahead(figure, GRID)
    points = []
    for q, one in each:
        outcome = change_of(one, first, second, 0.0, gated=False).outcome
        if outcome is not None:
            points.append(ShiftPoint(q, *outcome.found[:3]))
    return points
