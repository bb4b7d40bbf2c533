"""Statements that must hold, judged on what is known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from chaperon.measure.confidence import known_from
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.report.collector import Totals
from chaperon.report.figures import number_text, time_text
from chaperon.report.summary import LimitResult

_OPS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
TIMED = ("min", "mean", "max")


class Evidence(NamedTuple):
    """What a limit is judged on: series, how often each error was listed, over how many seconds."""

    series: Mapping[Key, Sequence[Series]]
    errors: Mapping[tuple[str, str, str], int]
    length: float


class Finding(NamedTuple):
    """The value a limit is about, with what has to be said of it."""

    value: float | None
    note: str | None = None


NOTHING = Finding(None)


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, read.

    *series* None means all requests, *scenario* None the sum over scenarios, *error* None
    every class of error. *value* is in seconds, a share, or a plain number a second. It must
    hold *over* every so many seconds, None for the whole run, or *during* a phase. Where it
    is to *abort* the run, it does so no earlier than *after* so many seconds.
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
    tags: tuple[tuple[str, str], ...] = ()
    over: float | None = None
    during: str | None = None
    abort: bool = False
    after: float | None = None

    def judge(self, totals: Totals, duration: float) -> LimitResult:
        """Return whether the limit holds over the whole run, or its phase; no data breaks it."""
        finding = self.finding(self._evidence(totals, duration))
        if finding.value is None and self.during is not None:
            phases = dict.fromkeys(phase for _, phase in totals.phases)
            if not any(map(self._spans, phases)):
                finding = Finding(None, f"no phase was {self.during!r}: there were {', '.join(phases) or 'none'}")
        return self.result(finding)

    def result(self, finding: Finding, at: int | None = None) -> LimitResult:
        """Return what a finding means; *at* is the second in which it was made."""
        held = self.holds(finding.value)
        shown = self.shown(finding.value)
        return LimitResult(self.text, held, finding.value, shown, finding.note, None if held else at)

    def holds(self, value: float | None) -> bool:
        """Whether a value is within the limit."""
        return value is not None and _OPS[self.op](value, self.value)

    def worse(self, one: float, other: float) -> bool:
        """Whether *one* is further on the wrong side than *other*."""
        return one < other if self.op in (">", ">=") else one > other

    def finding(self, evidence: Evidence) -> Finding:
        """Return the value that the limit is about."""
        parts = [series for key in sorted(evidence.series) if self.means(key) for series in evidence.series[key]]
        if not parts:
            return NOTHING
        whole = Series.sum_of(parts)
        if self.what == "last":
            return Finding(None if whole.last is None else whole.last[1])
        if self.what in ("count", "errors", "rate"):
            return Finding(self._counted(whole, evidence))
        return self._timed(whole)

    def means(self, key: Key) -> bool:
        """Whether a series is one of those that the limit is about."""
        if self.during is None and key.phase == WARM_UP:
            return False
        if self.during is not None and not self._spans(key.phase):
            return False
        if self.scenario is not None and key.scenario != self.scenario:
            return False
        if self.tags and not set(self.tags) <= set(key.tags):
            return False
        if self.series is None:
            return key.is_request
        if key.name == self.series:
            return True
        return key.kind == "visit" and self.scenario is None and self.series == f"visit {key.scenario}"

    def shown(self, value: float | None) -> str:
        """Return a value as a person would write it into this limit."""
        if value is None:
            return "no data"
        if self.share:
            return f"{value:.2%}"
        if self.what in ("rate", "count", "errors", "last"):
            return number_text(value) + ("/s" if self.what == "rate" else "")
        return time_text(value)

    def _evidence(self, totals: Totals, duration: float) -> Evidence:
        errors = {where: trouble.count - trouble.warm for where, trouble in totals.errors.items()}
        series = {key: (each,) for key, each in totals.series.items()}
        mine = {where: span for where, span in totals.phases.items() if self.scenario in (None, where[0])}
        if self.during is None:
            warm = max((span for (_, phase), span in mine.items() if phase == WARM_UP), default=0.0)
            return Evidence(series, errors, duration - warm)
        lengths: dict[str, float] = {}
        for (label, phase), span in mine.items():
            if self._spans(phase):
                lengths[label] = lengths.get(label, 0.0) + span
        return Evidence(series, errors, max(lengths.values(), default=0.0))

    def _spans(self, phase: str) -> bool:
        """Whether the limit's phase is this one, or a kind of which this is one: steady, steady at 200/s."""
        assert self.during is not None
        return phase == self.during or phase.startswith(f"{self.during} ")

    def _counted(self, whole: Series, evidence: Evidence) -> float | None:
        number = whole.errors if self.what == "errors" else whole.count
        if self.error is not None:
            names = {(key.scenario, key.name) for key in evidence.series if self.means(key)}
            number = sum(n for (s, name, e), n in evidence.errors.items() if e == self.error and (s, name) in names)
        if self.share:
            return number / whole.count if whole.count else None
        if self.what == "rate":
            return number / evidence.length if evidence.length > 0 else None
        return float(number)

    def _timed(self, whole: Series) -> Finding:
        sketch: Sketch = whole.good
        if self.clock == "response" or (self.clock is None and whole.response):
            sketch = whole.response
        if not sketch:
            return NOTHING
        if self.what in TIMED:
            return Finding({"min": sketch.low, "mean": sketch.mean, "max": sketch.high}[self.what])
        q = float(self.what[1:]) / 100
        if sketch.count < known_from(q):
            return Finding(sketch.high, f"{sketch.count:,} of {known_from(q):,} samples needed: the maximum counts")
        return Finding(sketch.quantile(q))
