"""A limit while the run goes on: whether it is broken so far, or about to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaperon.measure.quantity import count_text
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.limits.limits import Limit, LimitInput
from chaperon.report.limits.selection import similar_names
from chaperon.report.limits.sliding_limit import Sliding
from chaperon.report.totals import LimitState

NEAR = 0.1
"""A limit is about to break if its value is at most this share of the bound away from it."""
EXPECTED_WITHIN = 50
"""Visits after which a series that a limit is about should have come."""
BATCH = 32
"""Seconds that are merged into the sum at once."""


class LiveLimit:
    """Evaluates a limit on the closed seconds so far. A limit on a phase has no state before the end.

    *sliding* evaluates the limit if it has a window of its own.
    """

    def __init__(self, limit: Limit, sliding: Sliding | None = None) -> None:
        self.limit = limit
        self._sliding = sliding
        self._readings = [replace(limit, selection=each, readings=()) for each in limit.readings or (limit.selection,)]
        self._keys: list[set[Key]] = [set() for _ in self._readings]
        self._parts: list[list[Series]] = [[] for _ in self._readings]
        self._found = limit.during is not None or limit.population == "bad"
        self._others: set[Key] = set()

    def __repr__(self) -> str:
        return f"<LiveLimit {self.limit.text}>"

    def add(self, series: Mapping[Key, Sequence[Series]]) -> None:
        """Add the series of a second."""
        if not self._found:
            self._found = any(each.selection.covers(key) for each in self._readings for key in series)
            self._others = set() if self._found else {*self._others, *series}
        if self._sliding is not None or self.limit.during is not None:
            return
        for reading, keys, parts in zip(self._readings, self._keys, self._parts, strict=True):
            covered = [key for key in series if key in keys or reading.covers(key)]
            keys.update(covered)
            if covered:
                parts.append(Series.sum_of([part for key in covered for part in series[key]]))
            if len(parts) > BATCH:
                parts[:] = [Series.merge_all(parts)]

    def state(self, errors: Mapping[tuple[str, str, str], int], length: float, visits: int = 0) -> LimitState:
        """Return the state of the limit so far.

        *errors* are counts by (scenario, series, error class), *length* the seconds in which visits were due,
        *visits* the number of visits that have ended.
        """
        limit, result = self.limit, self.result(errors, length)
        if not self._found and visits >= EXPECTED_WITHIN:
            near = similar_names(limit.selection, self._others)
            return LimitState(limit.text, f"no data after {count_text(visits, 'visit')}", "missing", near)
        if result is None or (result.value is None and result.at_least is None):
            return LimitState(limit.text, "judged at the end" if limit.during is not None else "no data yet", "open")
        if limit.what in ("count", "errors") and not limit.share and limit.op in (">", ">=", "=="):
            # a number that grows until the end
            return LimitState(limit.text, result.shown, "held" if result.held and limit.op != "==" else "open")
        if not result.held:
            return LimitState(limit.text, result.shown, "broken")
        return LimitState(limit.text, result.shown, "near" if self._is_near(result.value) else "held")

    def result(self, errors: Mapping[tuple[str, str, str], int], length: float) -> LimitResult | None:
        """Return the result so far; None without data. Parameters are as for `state`."""
        if self._sliding is not None:
            return self._sliding.result()
        for reading, keys, parts in zip(self._readings, self._keys, self._parts, strict=True):
            if keys:
                parts[:] = [Series.sum_of(parts)]
                series: dict[Key, Sequence[Series]] = {min(keys): parts}
                if reading.selection.error is not None:  # counted by the names of the series
                    series = {**dict.fromkeys(keys, ()), **series}
                return self.limit.result(reading.measure(LimitInput(series, errors, length)))
        return None

    def _is_near(self, value: float | None) -> bool:
        bound = self.limit.value
        if value is None or self.limit.op == "==":
            return False
        return value >= bound * (1 - NEAR) if self.limit.op in ("<", "<=") else value <= bound * (1 + NEAR)
