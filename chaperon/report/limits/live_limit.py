"""A limit while the run goes on: whether it is broken so far, or about to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaperon.measure.precision.history import History
from chaperon.measure.quantity import count_text
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.limits.limits import Limit, LimitInput
from chaperon.report.limits.selection import similar_names
from chaperon.report.limits.sliding_limit import Sliding
from chaperon.report.spooling.spool import Spool
from chaperon.report.totals import LimitState

NEAR = 0.1
"""A limit is about to break if its value is at most this share of the bound away from it."""
EXPECTED_WITHIN = 50
"""Visits after which a series that a limit is about should have come."""
BATCH = 32
"""Seconds that are merged into the sum at once."""
KEPT = 256 << 10
"""Bytes of the seconds that are kept one by one for a percentile; then ten are merged into one, and so on."""
FRESH, GROWTH = 5, 20
"""How much seconds depend on each other is estimated after this many more, and after one in `GROWTH` of the run."""
_SUM = Key("", "")


class LiveLimit:
    """Evaluates a limit on the closed seconds so far. A limit on a phase has no state before the end.

    A percentile needs as many samples as at the end, for which its seconds are kept. *sliding* evaluates the limit
    if it has a window of its own.
    """

    def __init__(self, limit: Limit, sliding: Sliding | None = None) -> None:
        self.limit = limit
        self._sliding = sliding
        self._readings = [
            _ReadingSoFar(replace(limit, selection=each, readings=())) for each in limit.readings or (limit.selection,)
        ]
        self._found = limit.during is not None or limit.population == "bad"
        self._others: set[Key] = set()

    def __repr__(self) -> str:
        return f"<LiveLimit {self.limit.text}>"

    def add(self, second: int, series: Mapping[Key, Sequence[Series]]) -> None:
        """Add the series of a second, or what came late for one."""
        if not self._found:
            self._found = any(each.limit.selection.covers(key) for each in self._readings for key in series)
            self._others = set() if self._found else {*self._others, *series}
        if self._sliding is None and self.limit.during is None:
            for reading in self._readings:
                reading.add(second, series)

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
        for reading in self._readings:
            if reading.keys:
                return self.limit.result(reading.limit.measure(LimitInput(reading.series(), errors, length)))
        return None

    def _is_near(self, value: float | None) -> bool:
        bound = self.limit.value
        if value is None or self.limit.op == "==":
            return False
        return value >= bound * (1 - NEAR) if self.limit.op in ("<", "<=") else value <= bound * (1 + NEAR)


class _ReadingSoFar:
    """The samples so far that one reading of a limit covers, as one series.

    That of a percentile has its seconds as well. Their dependence is estimated from those up to a moment that is a
    few seconds ago, a twentieth of the run at most, because that reads them all.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.keys: set[Key] = set()
        self._parts: list[Series] = []
        self._spool = Spool(limit=KEPT) if limit.what[0] == "p" and not limit.independent else None
        self._history: History | None = None
        self._newest, self._read = -1, -1

    def __repr__(self) -> str:
        return f"<_ReadingSoFar of {count_text(len(self.keys), 'series', 'series')}>"

    def add(self, second: int, series: Mapping[Key, Sequence[Series]]) -> None:
        """Add those of the series of a second that are covered."""
        self._newest = max(self._newest, second)
        covered = [key for key in series if key in self.keys or self.limit.covers(key)]
        if not covered:
            return
        self.keys.update(covered)
        found = Series.sum_of([part for key in covered for part in series[key]])
        self._parts.append(found)
        if len(self._parts) > BATCH:
            self._parts = [Series.merge_all(self._parts)]
        if self._spool is not None:
            self._spool.add(second, {_SUM: found})

    def series(self) -> dict[Key, Sequence[Series]]:
        """Return the sum under one of its keys, which stand for it by their names where errors are counted."""
        self._parts = [Series.sum_of(self._parts)]
        whole = self._parts if self._spool is None else [self._parts[0].with_history(self._seconds(self._spool))]
        series: dict[Key, Sequence[Series]] = {min(self.keys): whole}
        if self.limit.selection.error is not None:  # counted by the names of the series
            return {**dict.fromkeys(self.keys, ()), **series}
        return series

    def _seconds(self, spool: Spool) -> History | None:
        if self._history is None or self._newest - self._read >= max(FRESH, self._newest // GROWTH):
            self._history, self._read = spool.histories([_SUM]).get(_SUM), self._newest
        return self._history
