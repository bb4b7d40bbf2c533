"""The report: frozen, read by every output."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chaperon.errors import NoSuchSeries
from chaperon.measure.confidence import Interval
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts
from chaperon.report.collector import SecondRow, WorkerStats
from chaperon.report.percentiles import Bounds, Population
from chaperon.report.validity.generator_part import GeneratorPart, is_marked, percentile_shift

if TYPE_CHECKING:
    from tdigest import TDigest


PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


class Verdict(enum.Enum):
    """What the run comes to."""

    PASS = "PASS"
    FAIL = "FAIL"
    INVALID = "INVALID"
    ABORTED = "ABORTED"

    @property
    def exit_code(self) -> int:
        """What a command that performed the run exits with."""
        return {"PASS": 0, "FAIL": 4, "INVALID": 5, "ABORTED": 130}[self.value]


@dataclass(frozen=True)
class Row:
    """All that is known of one series of one scenario, or of one name over all of them.

    Times are in seconds. *count*, *rate* (a second) and *bytes* include errors; *min*,
    *mean*, *max* are of good samples, and None without any. Percentiles are of good and
    censored samples: None where they fall among the censored ones (`at_least` says more), or
    where there are too few samples.
    """

    scenario: str
    name: str
    kind: str
    series: Series
    duration: float
    """For how many seconds visits were due, without warm-up: what *rate* counts over."""

    def __repr__(self) -> str:
        return f"<Row {self.scenario} «{self.name}»: {self.count}, {self.errors} in error>"

    @property
    def count(self) -> int:
        return self.series.count

    @property
    def errors(self) -> int:
        """How many samples were in error: bad or censored."""
        return self.series.errors

    @property
    def censored(self) -> int:
        """How many samples were cut before they ended: timed out or interrupted."""
        return self.series.censored.count

    @property
    def never_begun(self) -> int:
        """How many visits were due and never began; they are not in *count*."""
        return max(self.series.response_censored.count - self.series.censored.count, 0)

    @property
    def rate(self) -> float:
        return self.count / self.duration if self.duration > 0 else 0.0

    @property
    def bytes(self) -> int:
        return self.series.bytes

    @property
    def total(self) -> float:
        """The sum of all values: what a count counted."""
        return self.series.total

    @property
    def last(self) -> float | None:
        """The newest value: what a gauge says now."""
        return self.series.last[1] if self.series.last else None

    @property
    def slowest(self) -> list[tuple[float, float]]:
        """The few greatest values, each with the moment it was recorded."""
        return self.series.slowest

    @property
    def min(self) -> float | None:
        return self.good.low if self.good else None

    @property
    def mean(self) -> float | None:
        return self.good.mean

    @property
    def max(self) -> float | None:
        return self.good.high if self.good else None

    @property
    def good(self) -> Sketch:
        """The service times of good samples, or the values."""
        return self.series.good

    @property
    def bad(self) -> Sketch:
        """The service times of bad samples: those that ended in error."""
        return self.series.bad

    @property
    def service(self) -> Population:
        """The service times of good and censored samples, or the values."""
        return Population.service(self.series)

    @property
    def response(self) -> Population | None:
        """The times from when the good and censored samples were due; None where nothing was due."""
        return Population.response(self.series) or None

    def percentile(self, p: float) -> float | None:
        """Return the time in seconds that *p* percent of the good and censored samples did not exceed.

        None where there are too few samples to know (72 are needed for p95, 368 for p99), and
        where the bounds of the percentile differ because it falls among censored samples.
        """
        return self.service.known(p / 100)

    def at_least(self, p: float) -> float | None:
        """Return the lower bound, in seconds, of a percentile that falls among censored samples; else None."""
        return self.service.at_least(p / 100)

    def bounds(self, p: float) -> Bounds | None:
        """Return the bounds of a percentile, in seconds, or None where there are too few samples to know it."""
        return self.service.bounds(p / 100)

    def interval(self, p: float) -> Interval | None:
        """Return where a percentile lies with 95 % confidence, or None where there are too few samples to know."""
        return self.service.interval(p / 100)

    @property
    def p50(self) -> float | None:
        return self.percentile(50)

    @property
    def p90(self) -> float | None:
        return self.percentile(90)

    @property
    def p95(self) -> float | None:
        return self.percentile(95)

    @property
    def p99(self) -> float | None:
        return self.percentile(99)

    @property
    def p999(self) -> float | None:
        return self.percentile(99.9)

    def tdigest(self) -> TDigest:
        """Return the good samples as a `tdigest.TDigest`."""
        return self.good.tdigest()


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One class of error of one series; *first* and *last* are seconds from the start."""

    scenario: str
    series: str
    error: str
    count: int
    first: float
    last: float
    sample: str


@dataclass(frozen=True, slots=True)
class LimitResult:
    """Whether a limit held, by which value: seconds for times, a share for percentages.

    *shown* is the value as a person reads it, *note* what has to be said of it, *at* the
    second in which a limit broke that is judged while the run goes on. Where the value is a
    percentile that falls among censored samples it is None, and *at_least* is its lower bound.
    """

    limit: str
    held: bool
    value: float | None
    shown: str = ""
    note: str | None = None
    at: int | None = None
    at_least: float | None = None


@dataclass(frozen=True)
class Report:
    """The frozen result of a run, or of one so far (*finished* is False).

    *aborted* says why it was ended early, if it was. *series* has every key apart, with its
    phase and its tags; *phases* is by (scenario, phase) how long the load was in it, *due* by
    scenario for how long its visits were due; *happenings* stand beside the worker they are
    from. No text of a run's report holds its secrets: *redact* has replaced them, and a series
    is found by its name before that too. *own* is what the run knows of its own lateness; see
    `generator_part`.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    started: str
    duration: float
    environment: str
    chaperon: str
    seed: int
    rows: tuple[Row, ...]
    errors: tuple[ErrorRow, ...]
    ledger: Mapping[str, VisitCounts]
    limits: tuple[LimitResult, ...]
    seconds: tuple[SecondRow, ...]
    workers: tuple[WorkerStats, ...]
    notes: Mapping[str, int]
    finished: bool = True
    warnings: tuple[str, ...] = ()
    aborted: str | None = None
    series: Mapping[Key, Series] = field(default_factory=dict)
    phases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    due: Mapping[str, float] = field(default_factory=dict)
    happenings: tuple[tuple[str, RunEvent], ...] = ()
    redact: Callable[[str], str] = field(default=str, repr=False, compare=False)
    own: GeneratorPart | None = None

    def __repr__(self) -> str:
        return f"<Report {self.verdict.value} of {self.environment}, {self.duration:.1f} s>"

    def __getitem__(self, wanted: str | tuple[str, str]) -> Row:
        """Return a series by name, or by (name, scenario); raises NoSuchSeries."""
        name, scenario = (wanted, None) if isinstance(wanted, str) else wanted
        names, scenarios = {name, self.redact(name)}, {None} if scenario is None else {scenario, self.redact(scenario)}
        found = [r for r in self.rows if r.name in names and (None in scenarios or r.scenario in scenarios)]
        if not found and name.startswith("visit ") and scenario is None:
            found = [r for r in self.rows if r.kind == "visit" and r.scenario == name[6:]]
        if not found:
            near = get_close_matches(name, sorted({r.name for r in self.rows}), 3)
            hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else "nothing is named like it"
            raise NoSuchSeries(f"no series {name!r}{f' in {scenario!r}' if scenario else ''}: {hint}")
        return found[0] if len(found) == 1 else _summed("", found[0].name, found[0].kind, found)

    def __contains__(self, wanted: object) -> bool:
        try:
            self[wanted]  # type: ignore[index]
        except (NoSuchSeries, ValueError, TypeError, AttributeError):
            return False
        return True

    def generator_part(self, row: Row, p: float, *, response: bool = False) -> float | None:
        """Return how many seconds of a percentile of a row may be the generator's own.

        An upper estimate from the lateness of starts, and of the event loop while requests were
        out; it is subtracted from nothing. None where nothing was seen: on simulated time, or without a request.
        """
        return None if self.own is None else part_of(row, p / 100, self.own, response=response)

    def falsified(self, row: Row, p: float, *, response: bool = False) -> bool:
        """Whether a tenth or more of a percentile of a row may be the generator's own: what is marked in the table."""
        times = row.response if response else row.service
        part = self.generator_part(row, p, response=response)
        return times is not None and is_marked(shown(times, p / 100), part)

    @property
    def requests(self) -> Row:
        """All requests of all scenarios as one row."""
        traffic = [r for r in self.rows if Key("", r.name, r.kind).is_request]
        return _summed("", "requests", "http", traffic, self.duration)

    @property
    def visits(self) -> VisitCounts:
        """The ledger over all entries."""
        total = VisitCounts()
        for counts in self.ledger.values():
            total.add(counts)
        return total


def shown(times: Population, q: float) -> float | None:
    """Return the quantile *q* as it is shown: itself, or its lower bound; None where there are too few samples."""
    bounds = times.bounds(q)
    return None if bounds is None else bounds.value if bounds.value is not None else bounds.lower


def part_of(row: Row, q: float, own: GeneratorPart, *, response: bool = False) -> float | None:
    """Return how many seconds of the quantile *q* of a row may be the generator's own, None where unknown."""
    times = row.response if response else row.service
    if row.kind in UNTIMED or not times:
        return None
    of = own.response if response else own.service

    def value(share: float) -> float:
        found = times.quantile(share)
        return found.lower if found is not None else 0.0

    return percentile_shift(value, lambda share: of(share, row.scenario, row.kind), q)


UNTIMED = ("check", "value", "count", "gauge")
"""Kinds whose values are no times."""
_ORDER = ("step", "call", "task", "visit", "check", "value", "count", "gauge")


def rows_of(
    series: Mapping[Key, Series],
    duration: float,
    phases: Mapping[tuple[str, str], float] | None = None,
    due: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """Return one row per (scenario, name): requests first, then the other kinds.

    Warm-up is left out, its time as well: *phases* says how long it was. *due* says for how
    long visits were due, which is what rates count over.
    """
    parts: dict[tuple[str, str, str], list[Series]] = {}
    for key in sorted(series):
        if key.phase != WARM_UP:
            parts.setdefault((key.scenario, key.name, key.kind), []).append(series[key])
    rows = [
        Row(scenario, name, kind, Series.sum_of(many), due_length(scenario, duration, phases or {}, due or {}))
        for (scenario, name, kind), many in parts.items()
    ]
    return tuple(sorted(rows, key=lambda r: (r.scenario, _place(r.kind), r.kind, r.name)))


def due_length(label: str, duration: float, phases: Mapping[tuple[str, str], float], due: Mapping[str, float]) -> float:
    """Return for how many seconds visits of a scenario label were due, without its warm-up.

    A label within another, "outer/inner", has the length of the outer one. Where *due* says
    nothing of a label it is the *duration* of the run but for its warm-up, as in *phases*.
    """
    outer = label
    while "/" in outer and outer not in due:
        outer = outer.rpartition("/")[0]
    if outer in due:
        return due[outer]
    return max(duration - phases.get((outer, WARM_UP), 0.0), 0.0)


def _place(kind: str) -> int:
    return _ORDER.index(kind) + 1 if kind in _ORDER else 0


def _summed(scenario: str, name: str, kind: str, rows: Sequence[Row], duration: float = 0.0) -> Row:
    merged = Series.merge_all([r.series for r in rows])
    return Row(scenario, name, kind, merged, max((r.duration for r in rows), default=duration))


def error_rows(errors: Mapping[ErrorKey, ErrorCount]) -> tuple[ErrorRow, ...]:
    """Return the classes of errors, the most frequent first."""
    rows = [
        ErrorRow(scenario, name, error, t.count, t.first, t.last, t.sample)
        for (scenario, name, error), t in errors.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.count, r.scenario, r.series, r.error)))
