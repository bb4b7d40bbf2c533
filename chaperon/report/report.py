"""The report: frozen, read by every output."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from difflib import get_close_matches
from heapq import nlargest
from importlib import import_module
from pathlib import Path
from typing import Any

from chaperon import exit_codes
from chaperon.errors import NoSuchSeries
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.exchange import Exchange
from chaperon.measure.sample import Key
from chaperon.measure.series import EXEMPLARS, Series
from chaperon.measure.window import ErrorCount, ErrorKey, RunEvent, VisitCounts
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.rows import Row, generator_part_of, requests_of, shown_value, sum_rows, total_of
from chaperon.report.totals import SecondRow, WorkerStats
from chaperon.report.validity.generator_part import GeneratorPart, is_marked


class Verdict(enum.Enum):
    """The verdict of a run: PASS, FAIL (a limit broke), INVALID (its figures cannot be trusted) or ABORTED."""

    PASS = "PASS"
    FAIL = "FAIL"
    INVALID = "INVALID"
    ABORTED = "ABORTED"

    @property
    def exit_code(self) -> int:
        """The exit code of a command that executed the run: 0, 4, 5 or 130."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.PASS: exit_codes.PASS,
    Verdict.FAIL: exit_codes.FAIL,
    Verdict.INVALID: exit_codes.INVALID,
    Verdict.ABORTED: exit_codes.ABORTED,
}


@lazy_dataclass(frozen=True, slots=True)
class SlowRequest:
    """One of the slowest requests: *took* is its service time, *at* its end, in seconds from the start of the run."""

    scenario: str
    name: str
    took: float
    at: float


@lazy_dataclass(frozen=True, slots=True)
class ErrorRow:
    """The errors of one class in one series.

    *count* is their number, *warm* of them in the warm-up, which the rows of tables leave out. *first* and
    *last* are seconds from the start of the run, *sample* is the message of the first one.
    *where* is the author's line that raised its exception, such as "shop.py:2 in helper", None if there is none.
    *exchanges* are the first requests that failed so, at most three, with what was sent and what came back.
    """

    scenario: str
    series: str
    error: str
    count: int
    first: float
    last: float
    sample: str
    where: str | None = None
    exchanges: tuple[Exchange, ...] = ()
    warm: int = 0

    @property
    def when(self) -> str:
        """When they occurred: "0.0 to 1.9 s", with the number of those in the warm-up if there are some."""
        return f"{self.first:.1f} to {self.last:.1f} s" + (f", {self.warm:,} in the warm-up" if self.warm else "")


@lazy_dataclass(frozen=True)
class Report:
    """The immutable result of a run, or of a run so far (*finished* is false).

    - *verdict*, *reasons*, *warnings*: the verdict, why it is not PASS, and what else is notable. A PASS has a
      reason where errors did not count: no limit covers them.
    - *aborted*: why the run was stopped early, None if it was not.
    - *started*: ISO 8601, UTC. *duration*: seconds.
    - *rows*: one per scenario, name and kind; `report["GET /"]` finds one by name.
    - *series*: all series by key, with phase and tags.
    - *phases*: by (scenario, phase), seconds of the load in that phase. *due*: by scenario, seconds
      in which its visits were due.
    - *happenings*: (worker, event) pairs.
    - *own*: an estimate of the delay added by the generator, see `generator_part`.
    - *began*: the start of the run on the clock of its samples, in seconds.

    The secrets of the run are replaced in every text. *redact* is the function that replaced them;
    names given to the report are redacted likewise before the search.
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
    began: float = 0.0

    def __repr__(self) -> str:
        return f"<Report {self.verdict.value} of {self.environment}, {self.duration:.1f} s>"

    @property
    def headline(self) -> str:
        """The verdict in words, with the errors that a PASS does not cover: "PASS, no limit covers errors: …"."""
        return ", ".join([self.verdict.value, *(self.reasons if self.verdict is Verdict.PASS else ())])

    @property
    def reasons_below(self) -> tuple[str, ...]:
        """The reasons that stand below the headline: all those of a verdict other than PASS."""
        return () if self.verdict is Verdict.PASS else self.reasons

    def __getitem__(self, wanted: str | tuple[str, str]) -> Row:
        """Return a row by name, or by (name, scenario). Raises NoSuchSeries.

        A name alone that occurs in several scenarios returns the sum of their rows.
        """
        name, scenario = (wanted, None) if isinstance(wanted, str) else wanted
        names, scenarios = {name, self.redact(name)}, {None} if scenario is None else {scenario, self.redact(scenario)}
        found = [r for r in self.rows if r.name in names and (None in scenarios or r.scenario in scenarios)]
        if not found and name.startswith("visit ") and scenario is None:
            found = [r for r in self.rows if r.kind == "visit" and r.scenario == name[6:]]
        if not found:
            near = get_close_matches(name, sorted({r.name for r in self.rows}), 3)
            hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else "no series has a similar name"
            raise NoSuchSeries(f"no series {name!r}{f' in {scenario!r}' if scenario else ''}: {hint}")
        return found[0] if len(found) == 1 else sum_rows("", found[0].name, found[0].kind, found)

    def __contains__(self, wanted: object) -> bool:
        try:
            self[wanted]  # type: ignore[index]
        except (NoSuchSeries, ValueError, TypeError, AttributeError):
            return False
        return True

    def generator_part(self, row: Row, p: float, *, response: bool = False) -> float | None:
        """Return the part of percentile *p* (0 to 100) of a row, in seconds, that may be delay of the generator.

        An upper estimate from the lateness of visit starts, and of the event loop while requests were
        in flight. It is not subtracted from any figure. None if it is unknown: with simulated time, or
        without requests. *response* selects the response time instead of the service time.
        """
        return None if self.own is None else generator_part_of(row, p / 100, self.own, response=response)

    def falsified(self, row: Row, p: float, *, response: bool = False) -> bool:
        """Return whether a tenth or more of percentile *p* of a row may be delay of the generator (mark: *)."""
        times = row.response if response else row.service
        part = self.generator_part(row, p, response=response)
        return times is not None and is_marked(shown_value(times, p / 100), part)

    def slowest(self, n: int = EXEMPLARS) -> list[SlowRequest]:
        """Return the *n* slowest requests of the run, the slowest first; failed ones count, the warm-up does not.

        Ten are kept of each series, so the result is exact up to n = 10.
        """
        rows = requests_of(self.rows)
        kept = [SlowRequest(r.scenario, r.name, took, at - self.began) for r in rows for took, at in r.slowest]
        return nlargest(n, kept, key=lambda request: request.took)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can represent, times in seconds; what `--json` writes.

        `report.schema.json` in the package `chaperon.report` describes it.
        """
        values: dict[str, Any] = _output("json").as_dict(self)
        return values

    def to_json(self, path: str | Path) -> None:
        """Write `to_dict` to *path*, whole or not at all, as JSON; "-" is standard output.

        Raises OutputError and OSError.
        """
        _output("json").write_plain(self.to_dict(), path)

    def table(self, *, by: Sequence[str] = (), merge: bool = False, width: int = 120) -> str:
        """Return the tables that a command prints, as text without colours of at most *width* columns.

        *by* adds tables split by "phase" or by the values of a tag, *merge* adds series of one name in several
        entries up.
        """
        text: str = _output("console").table_text(self, by, merge=merge, width=width)
        return text

    @property
    def requests(self) -> Row:
        """The requests of all scenarios as one row."""
        return sum_rows("", "requests", "http", requests_of(self.rows), self.duration)

    @property
    def totals(self) -> tuple[Row, ...]:
        """The requests of each scenario as one row named "all requests", and last, with the scenario "", of all."""
        scenarios = dict.fromkeys(row.scenario for row in requests_of(self.rows))
        each = [total_of([row for row in self.rows if row.scenario == name], name) for name in scenarios]
        return (*each, total_of(self.rows, "", self.duration))

    @property
    def visits(self) -> VisitCounts:
        """The visit counts of all entries together."""
        total = VisitCounts()
        for counts in self.ledger.values():
            total.add(counts)
        return total


def _output(name: str) -> Any:
    """Return a module of `report.outputs`; it is imported by name when it is used, because it imports this one."""
    return import_module(f"chaperon.report.outputs.{name}")


def error_rows(
    errors: Mapping[ErrorKey, ErrorCount], exchanges: Mapping[ErrorKey, Sequence[Exchange]]
) -> tuple[ErrorRow, ...]:
    """Return one row per series and error class, the most frequent first."""
    rows = [
        ErrorRow(*place, t.count, t.first, t.last, t.sample, t.where or None, tuple(exchanges.get(place, ())), t.warm)
        for place, t in errors.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.count, r.scenario, r.series, r.error)))
