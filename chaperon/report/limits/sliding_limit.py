"""Evaluation of a limit over a sliding window."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.limits.limits import NOTHING, Limit, LimitInput, LimitValue


class Sliding:
    """Evaluates one limit each second over the last `limit.over` seconds; the result is the worst value.

    Evaluation starts when the window is full; a shorter run is evaluated once, at its end. A
    window without data breaks the limit if users were busy in it and there was data before it.
    """

    def __init__(self, limit: Limit) -> None:
        assert limit.over is not None
        self.limit = limit
        self._span = math.ceil(limit.over)
        self._parts: dict[int, dict[Key, list[Series]]] = {}
        self._errors: dict[int, Mapping[tuple[str, str, str], int]] = {}
        self._busy: dict[int, bool] = {}
        self._due: dict[int, float] = {}
        self._newest = -1
        self._worst: tuple[LimitValue, int] | None = None
        self._seen = False
        self.broke_at: int | None = None

    def __repr__(self) -> str:
        return f"<Sliding {self.limit.text}>"

    def add(
        self,
        second: int,
        series: Mapping[Key, Sequence[Series]],
        errors: Mapping[tuple[str, str, str], int],
        *,
        busy: bool,
        due: float = 1.0,
    ) -> None:
        """Add the series and errors of one second; a late one is added if it is still within the window.

        *busy*: whether users were busy in it. *due*: for how many seconds of it visits of the selected
        scenarios were due; rates are per second of these.
        """
        if second <= self._newest - self._span:
            return
        mine = self._parts.setdefault(second, {})
        for key, parts in series.items():
            if self.limit.may_cover(key):
                mine.setdefault(key, []).extend(parts)
        self._errors[second] = dict(Counter(self._errors.get(second, {})) + Counter(errors))
        self._busy[second] = busy or self._busy.get(second, False)
        self._due[second] = max(due, self._due.get(second, 0.0))
        if second <= self._newest:
            return
        self._newest = second
        for old in [s for s in self._parts if s <= second - self._span]:
            del self._parts[old], self._errors[old], self._busy[old], self._due[old]
        if second >= self._span - 1:
            self._evaluate(second)

    def result(self) -> LimitResult:
        """Return the result so far: the worst value."""
        if self._worst is None:
            return self.limit.result(self._measure() if self._parts else NOTHING)
        measured, _ = self._worst
        return self.limit.result(measured, self.broke_at)

    def _evaluate(self, second: int) -> None:
        measured = self._measure()
        if measured.nothing_bad:
            return
        if measured.value is None:
            if self.limit.what == "rate" and not any(self._due.values()):
                return  # no visit was due: only visits that started earlier ended
            if not self._seen or not any(self._busy.values()):
                return  # before the first data, or in a pause
            measured = LimitValue(None, f"no data for {self._span} s")
        self._seen = True
        if self._worst is None or self.limit.worse(measured, self._worst[0]):
            self._worst = measured, second
        if self.broke_at is None and not self.limit.holds(measured.value):
            self.broke_at = second

    def _measure(self) -> LimitValue:
        series: dict[Key, list[Series]] = {}
        errors: Counter[tuple[str, str, str]] = Counter()
        for second in sorted(self._parts):
            for key, parts in self._parts[second].items():
                series.setdefault(key, []).extend(parts)
            errors.update(self._errors[second])
        return self.limit.reading_for(series).measure(LimitInput(series, errors, sum(self._due.values())))
