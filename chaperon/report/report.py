"""The report: frozen, read by every output."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from chaperon.errors import NoSuchSeries
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts
from chaperon.report.rows import Row, generator_part_of, shown_value, sum_rows
from chaperon.report.totals import SecondRow, WorkerStats
from chaperon.report.validity.generator_part import GeneratorPart, is_marked


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
        return found[0] if len(found) == 1 else sum_rows("", found[0].name, found[0].kind, found)

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
        return None if self.own is None else generator_part_of(row, p / 100, self.own, response=response)

    def falsified(self, row: Row, p: float, *, response: bool = False) -> bool:
        """Whether a tenth or more of a percentile of a row may be the generator's own: what is marked in the table."""
        times = row.response if response else row.service
        part = self.generator_part(row, p, response=response)
        return times is not None and is_marked(shown_value(times, p / 100), part)

    @property
    def requests(self) -> Row:
        """All requests of all scenarios as one row."""
        traffic = [r for r in self.rows if Key("", r.name, r.kind).is_request]
        return sum_rows("", "requests", "http", traffic, self.duration)

    @property
    def visits(self) -> VisitCounts:
        """The ledger over all entries."""
        total = VisitCounts()
        for counts in self.ledger.values():
            total.add(counts)
        return total


def error_rows(errors: Mapping[ErrorKey, ErrorCount]) -> tuple[ErrorRow, ...]:
    """Return the classes of errors, the most frequent first."""
    rows = [
        ErrorRow(scenario, name, error, t.count, t.first, t.last, t.sample)
        for (scenario, name, error), t in errors.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.count, r.scenario, r.series, r.error)))
