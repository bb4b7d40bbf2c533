"""Statements that must hold: read from text, judged on the totals."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

from chaperon.clock import seconds
from chaperon.errors import LimitError, PlanError
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.collector import Totals
from chaperon.report.summary import LimitResult

_OPS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_WHAT = re.compile(r"p\d+(?:\.\d+)?|min|mean|max|rate|count|errors|last")
_OP = re.compile(r"<=|>=|==|<|>")
_VALUE = re.compile(r"(\d+(?:\.\d+)?)\s*(%|/s|/m|us|ms|s|m|h)?(?![\w.])")
_LATER = re.compile(r"over\b|during\b|abort\b")
_TIMED = ("min", "mean", "max")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, read.

    *series* None means all requests, *scenario* None the sum over scenarios, *error* None
    every class of error. *value* is in seconds, a share, or a plain number a second.
    """

    text: str
    what: str
    op: str
    value: float
    share: bool = False
    clock: Literal["service", "response"] | None = None
    series: str | None = None
    scenario: str | None = None
    error: str | None = None

    def judge(self, totals: Totals, duration: float) -> LimitResult:
        """Return whether the limit holds; no data breaks it."""
        value = self._value(totals, duration)
        return LimitResult(self.text, value is not None and _OPS[self.op](value, self.value), value)

    def _value(self, totals: Totals, duration: float) -> float | None:
        parts = [series for key, series in sorted(totals.series.items()) if self._means(key)]
        if not parts:
            return None
        whole = parts[0] if len(parts) == 1 else Series.merge_all(parts)
        if self.what == "last":
            return None if whole.last is None else whole.last[1]
        if self.what in ("count", "errors", "rate"):
            return self._counted(whole, totals, duration)
        return self._timed(whole)

    def _counted(self, whole: Series, totals: Totals, duration: float) -> float | None:
        bad = whole.errors
        if self.error is not None:
            listed = totals.errors.items()
            bad = sum(t.count for (s, n, e), t in listed if e == self.error and self._names(s, n, totals))
        number = bad if self.what == "errors" or self.error is not None else whole.count
        if self.share:
            return number / whole.count if whole.count else None
        if self.what == "rate":
            warm = [span for (label, phase), span in totals.phases.items() if phase == WARM_UP and self._of(label)]
            length = duration - max(warm, default=0.0)
            return number / length if length > 0 else None
        return float(number)

    def _timed(self, whole: Series) -> float | None:
        sketch: Sketch = whole.good
        if self.clock == "response" or (self.clock is None and whole.response):
            sketch = whole.response
        if not sketch:
            return None
        if self.what in _TIMED:
            return {"min": sketch.low, "mean": sketch.mean, "max": sketch.high}[self.what]
        return sketch.quantile(float(self.what[1:]) / 100)

    def _of(self, label: str) -> bool:
        return self.scenario in (None, label)

    def _means(self, key: Key) -> bool:
        if key.phase == WARM_UP:
            return False
        if self.series is None:
            return key.is_request
        if self.scenario is not None and key.scenario != self.scenario:
            return False
        if key.name == self.series:
            return True
        return key.kind == "visit" and self.scenario is None and self.series == f"visit {key.scenario}"

    def _names(self, scenario: str, name: str, totals: Totals) -> bool:
        return any(self._means(key) for key in totals.series if (key.scenario, key.name) == (scenario, name))


def parse(text: str) -> Limit:
    """Read a limit such as "p95(GET /) < 300ms" or "errors < 1%".

    Raises LimitError, which shows the character that it stumbled on.
    """
    return _Reader(text).limit()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def limit(self) -> Limit:
        clock = self._clock()
        what = self._what()
        series, scenario, error = self._series()
        op = self._match(_OP, "a comparison: < <= > >= ==").group()
        start = self.at
        found = self._match(_VALUE, "a number, such as 300ms, 1% or 100/s")
        value, share = self._number(found, what, start)
        self._space()
        if _LATER.match(self.text, self.at):
            self._refuse("limits with over, during or abort are not built yet: leave that part out")
        if self.at < len(self.text):
            self._refuse("nothing more was expected here")
        if error is not None and what not in ("errors", "count", "rate"):
            self._refuse("an error class goes with errors, count or rate only", 0)
        return Limit(self.text, what, op, value, share, clock, series, scenario, error)

    def _clock(self) -> Literal["service", "response"] | None:
        self._space()
        clocks: tuple[Literal["service", "response"], ...] = ("service", "response")
        for clock in clocks:
            if self.text.startswith(clock + " ", self.at):
                self.at += len(clock)
                return clock
        return None

    def _what(self) -> str:
        start = self._space()
        what = self._match(_WHAT, "p95 or another percentile, min, mean, max, rate, count, errors or last").group()
        if what[0] == "p" and not 0 < float(what[1:]) <= 100:
            self._refuse("a percentile lies between 0 and 100", start)
        return what

    def _series(self) -> tuple[str | None, str | None, str | None]:
        start = self._space()
        if not self.text.startswith("(", start):
            return None, None, None
        end = self.text.rfind(")")
        if end < 0:
            self._refuse("this bracket is never closed", start)
        inside = self.text[start + 1 : end]
        if "{" in inside and inside.rstrip().endswith("}"):
            self._refuse("limits by tag are not built yet: leave the {…} out", self.text.index("{", start))
        name, colon, error = inside.rpartition(" : ") if " : " in inside else inside.rpartition(": ")
        if not colon:
            name, error = inside, ""
        series, among, scenario = name.rpartition(" in ")
        if not among:
            series, scenario = name, ""
        if not series.strip():
            self._refuse("a series is missing here, as in p95(GET /)", start + 1)
        self.at = end + 1
        return series.strip(), scenario.strip() or None, error.strip() or None

    def _number(self, found: re.Match[str], what: str, start: int) -> tuple[float, bool]:
        number, unit = float(found.group(1)), found.group(2)
        timed = what in _TIMED or what[0] == "p"
        if unit is None:
            return number, False
        if unit == "%":
            if what not in ("errors", "count"):
                self._refuse(f"{what} is not a share: write it without %", start)
            return number / 100, True
        if unit in ("/s", "/m"):
            if what != "rate":
                self._refuse(f"{what} is not a rate: write it without {unit}", start)
            return number / (60.0 if unit == "/m" else 1.0), False
        if not timed and what != "last":
            self._refuse(f"{what} is not a time: write it without {unit}", start)
        try:
            return seconds(found.group(1) + unit), False
        except PlanError as exc:
            self._refuse(str(exc), start)

    def _space(self) -> int:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at

    def _match(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        self._space()
        found = pattern.match(self.text, self.at)
        if found is None:
            self._refuse(f"expected {wanted}")
        self.at = found.end()
        return found

    def _refuse(self, why: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        raise LimitError(f"limit, character {place + 1}: {why}\n  {self.text}\n  {' ' * place}^")
