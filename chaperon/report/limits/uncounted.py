"""Errors that no limit covers, and that therefore do not affect the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from chaperon.measure.quantity import count_text
from chaperon.measure.sample import WARM_UP, Key
from chaperon.report.format import listed_text, share_text
from chaperon.report.limits.limits import Limit
from chaperon.report.totals import Totals

UNCOUNTED = "no limit covers"
"""The beginning of the sentences about such errors."""
NO_EFFECT = "no effect on the verdict"
"""The end of the sentence about their numbers, unless the run is strict."""
_KINDS = ("request", "check", "task", "visit", "cleanup")
_CLEANUP = "step cleanup"
"""The series of failures that are in no visit: its visits are over."""


class UncountedErrors(NamedTuple):
    """Errors that no limit covers, in two sentences: their numbers, and their shares; "" if limits cover all."""

    numbers: str = ""
    shares: str = ""


ALL_COUNTED = UncountedErrors()


def uncounted_errors(limits: Sequence[Limit], totals: Totals) -> UncountedErrors:
    """Return "no limit covers 42 failed requests and 7 failed checks", and their shares.

    Errors of requests, checks, tasks, visits and `cleanup` are covered where a limit on `errors`, or on their error
    class, covers them. Warm-up is left out.
    """
    chosen = [limit.reading_for(totals.series) for limit in limits]
    speaking = [limit for limit in chosen if limit.what == "errors" or limit.selection.error is not None]
    failed: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for key, series in totals.series.items():
        kind = "request" if key.is_request else "cleanup" if key.name == _CLEANUP else key.kind
        if key.phase == WARM_UP or kind not in _KINDS:
            continue
        made[kind] += series.count
        failed[kind] += max(series.errors - _covered(speaking, key, totals), 0) if series.errors else 0
    kinds = [kind for kind in _KINDS if failed[kind]]
    if not kinds:
        return ALL_COUNTED
    numbers = listed_text([count_text(failed[kind], f"failed {kind}") for kind in kinds])
    shares = listed_text([f"{share_text(failed[kind], made[kind])} of {count_text(2, kind)[2:]}" for kind in kinds])
    which = "these errors" if speaking else "errors"
    return UncountedErrors(f"{UNCOUNTED} {numbers}", f"{UNCOUNTED} {which}: {shares} failed")


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
