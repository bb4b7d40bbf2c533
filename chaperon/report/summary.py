"""The report: frozen, read by every output."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chaperon.errors import ChaperonError
from chaperon.measure.confidence import Interval
from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import Counts, Happening, Trouble, TroubleKey
from chaperon.report.collector import SecondRow, WorkerTally

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


class NoSuchSeries(ChaperonError, KeyError):
    """The report has no series of that name."""

    __str__ = Exception.__str__


@dataclass(frozen=True)
class Row:
    """All that is known of one series of one scenario, or of one name over all of them.

    Times are in seconds. *count*, *rate* (a second) and *bytes* include errors; *min*,
    *mean*, *max* and the percentiles are of good samples, and None without any.
    """

    scenario: str
    name: str
    kind: str
    series: Series
    duration: float

    def __repr__(self) -> str:
        return f"<Row {self.scenario} «{self.name}»: {self.count}, {self.errors} in error>"

    @property
    def count(self) -> int:
        return self.series.count

    @property
    def errors(self) -> int:
        return self.series.errors

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
        """The service times of bad samples."""
        return self.series.bad

    @property
    def response(self) -> Sketch | None:
        """The times from when the good samples were due; None where nothing was due."""
        return self.series.response or None

    def percentile(self, p: float) -> float | None:
        """Return the time that *p* percent of the good samples did not exceed.

        None where there are too few samples to know: 72 are needed for p95, 368 for p99.
        """
        return self.good.known(p / 100)

    def interval(self, p: float) -> Interval | None:
        """Return where that time lies with 95 % confidence, or None where there are too few samples to know."""
        return self.good.interval(p / 100)

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
    second in which a limit broke that is judged while the run goes on.
    """

    limit: str
    held: bool
    value: float | None
    shown: str = ""
    note: str | None = None
    at: int | None = None


@dataclass(frozen=True)
class Report:
    """The frozen result of a run, or of one so far (*finished* is False).

    *aborted* says why it was ended early, if it was. *series* has every key apart, with its
    phase and its tags; *phases* is by (scenario, phase) how long the load was in it;
    *happenings* stand beside the worker they are from. No text of a run's report holds its
    secrets: *redact* has replaced them, and a series is found by its name before that too.
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
    ledger: Mapping[str, Counts]
    limits: tuple[LimitResult, ...]
    seconds: tuple[SecondRow, ...]
    workers: tuple[WorkerTally, ...]
    notes: Mapping[str, int]
    finished: bool = True
    warnings: tuple[str, ...] = ()
    aborted: str | None = None
    series: Mapping[Key, Series] = field(default_factory=dict)
    phases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    happenings: tuple[tuple[str, Happening], ...] = ()
    redact: Callable[[str], str] = field(default=str, repr=False, compare=False)

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

    @property
    def requests(self) -> Row:
        """All requests of all scenarios as one row."""
        traffic = [r for r in self.rows if Key("", r.name, r.kind).is_request]
        return _summed("", "requests", "http", traffic, self.duration)

    @property
    def visits(self) -> Counts:
        """The ledger over all entries."""
        total = Counts()
        for counts in self.ledger.values():
            total.add(counts)
        return total


_ORDER = ("step", "call", "task", "visit", "check", "value", "count", "gauge")


def rows_of(
    series: Mapping[Key, Series], duration: float, phases: Mapping[tuple[str, str], float] | None = None
) -> tuple[Row, ...]:
    """Return one row per (scenario, name): requests first, then the other kinds.

    Warm-up is left out, its time as well: *phases* says how long it was.
    """
    parts: dict[tuple[str, str, str], list[Series]] = {}
    for key in sorted(series):
        if key.phase != WARM_UP:
            parts.setdefault((key.scenario, key.name, key.kind), []).append(series[key])
    warm = {label: span for (label, phase), span in (phases or {}).items() if phase == WARM_UP}
    rows = [
        Row(scenario, name, kind, Series.sum_of(many), max(duration - warm.get(scenario, 0.0), 0.0))
        for (scenario, name, kind), many in parts.items()
    ]
    return tuple(sorted(rows, key=lambda r: (r.scenario, _place(r.kind), r.kind, r.name)))


def _place(kind: str) -> int:
    return _ORDER.index(kind) + 1 if kind in _ORDER else 0


def _summed(scenario: str, name: str, kind: str, rows: Sequence[Row], duration: float = 0.0) -> Row:
    merged = Series.merge_all([r.series for r in rows])
    return Row(scenario, name, kind, merged, rows[0].duration if rows else duration)


def error_rows(errors: Mapping[TroubleKey, Trouble]) -> tuple[ErrorRow, ...]:
    """Return the classes of errors, the most frequent first."""
    rows = [
        ErrorRow(scenario, name, error, t.count, t.first, t.last, t.sample)
        for (scenario, name, error), t in errors.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.count, r.scenario, r.series, r.error)))
