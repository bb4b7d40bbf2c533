"""Errors that no limit speaks of, and that therefore do not affect the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.measure.quantity import count_text
from chaperon.measure.sample import WARM_UP, Key
from chaperon.report.limits.limits import Limit
from chaperon.report.totals import Totals

UNCOUNTED = "no limit speaks of"
"""The beginning of the line about such errors."""
_KINDS = ("check", "task", "visit")


def uncounted_errors(limits: Sequence[Limit], totals: Totals) -> str:
    """Return "no limit speaks of errors: 42 failed requests and 7 failed checks did not count"; "" if all count.

    Errors of requests, checks, tasks and visits count where a limit on `errors`, or on their error
    class, covers them. Warm-up is left out.
    """
    chosen = [limit.reading_for(totals.series) for limit in limits]
    speaking = [limit for limit in chosen if limit.what == "errors" or limit.selection.error is not None]
    numbers: dict[str, int] = {}
    for key, series in totals.series.items():
        kind = "request" if key.is_request else key.kind
        if key.phase == WARM_UP or not series.errors or kind not in ("request", *_KINDS):
            continue
        left = series.errors - _covered(speaking, key, totals)
        if left > 0:
            numbers[kind] = numbers.get(kind, 0) + left
    parts = [count_text(numbers[kind], f"failed {kind}") for kind in ("request", *_KINDS) if kind in numbers]
    if not parts:
        return ""
    listed = " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), parts[-1]])
    return f"{UNCOUNTED} {'these errors' if speaking else 'errors'}: {listed} did not count"


def _covered(speaking: Sequence[Limit], key: Key, totals: Totals) -> int:
    """Return how many errors of a series the limits speak of: all of them, or those of some classes."""
    covering = [limit for limit in speaking if limit.covers(key)]
    classes = {limit.selection.error for limit in covering}
    if None in classes:
        return totals.series[key].errors
    return sum(
        error.count - error.warm
        for (scenario, name, kind), error in totals.errors.items()
        if (scenario, name) == (key.scenario, key.name) and kind in classes
    )
