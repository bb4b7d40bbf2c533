"""The seconds in which a percentile was beyond its limit: when a service was slow, not only that it was."""

from __future__ import annotations

from dataclasses import replace

from chaperon.measure.series import Series
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.limits.limits import Limit
from chaperon.report.totals import Totals
from chaperon.report.validity.seconds import format_seconds


def with_broken_seconds(limit: Limit, result: LimitResult, totals: Totals) -> LimitResult:
    """Return the result of a limit with a note on the seconds whose own percentile was beyond it.

    Results that held, of other statistics, over a sliding window, and of recorded values stay as they are, and so does
    one without the samples of each second. May block to read a file.
    """
    if (
        result.held
        or result.unit != "s"
        or limit.what[0] != "p"
        or limit.op not in ("<", "<=")
        or limit.over is not None
    ):
        return result
    chosen = limit.reading_for(totals.series)
    parts = [totals.series[key] for key in sorted(totals.series) if chosen.covers(key)]
    population = chosen.times_of(Series.sum_of(parts)) if parts else None
    if not population or population.history is None:
        return result
    above = population.history.seconds_above(limit.value, float(limit.what[1:]) / 100, of=population.of)
    if not above:
        return result
    note = f"beyond it in {format_seconds(above)}"
    return replace(result, note=f"{result.note}; {note}" if result.note else note)
