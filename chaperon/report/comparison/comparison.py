"""Comparison: what changed from one run, or group of runs, to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaperon.errors import UsageError
from chaperon.report.comparison.change import FigureChange, adjusted, change_of
from chaperon.report.comparison.comparable import is_closed, refusals, warnings
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.comparison.difference import LEAST_RUNS, log_ratio
from chaperon.report.comparison.figure import ERRORS, GATES, Figure, Margins, parse_figure
from chaperon.report.comparison.measured_run import MeasuredRun, RunSource, measure_runs
from chaperon.report.comparison.words import rate_sentence
from chaperon.report.limits.limits import Limit
from chaperon.report.limits.selection import ALL, Selection, similar_names
from chaperon.report.rows import UNTIMED

ONE_EACH = "one run each: differences between runs of the same build are not seen; give three or more a side"
SHOWN = ("p50", "p95", "p99", ERRORS)
"""The figures of each series that are compared without deciding."""


@dataclass(frozen=True)
class Comparison:
    """What changed from the *first* runs to the *second*.

    *changes* has the figures that decide, then those of every series. *refused* are the reasons why
    the runs cannot be compared; there are no changes then. With *strict*, a figure that decides and is
    UNKNOWN fails.
    """

    first: tuple[MeasuredRun, ...]
    second: tuple[MeasuredRun, ...]
    changes: tuple[FigureChange, ...] = ()
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    strict: bool = False

    def __repr__(self) -> str:
        return f"<Comparison {self.word}: {len(self.first)} and {len(self.second)} runs>"

    def __getitem__(self, name: str) -> FigureChange:
        """Return the change of a figure by its text, such as "p95(GET /)". Raises KeyError."""
        for each in self.changes:
            if each.figure.text == name:
                return each
        raise KeyError(f"{name!r} is not compared: {', '.join(each.figure.text for each in self.changes) or 'nothing'}")

    @property
    def phase(self) -> str | None:
        """The phase that was compared, None: all but the warm-up."""
        return self.first[0].phase

    @property
    def gated(self) -> tuple[FigureChange, ...]:
        """The figures that decide."""
        return tuple(each for each in self.changes if each.gated)

    @property
    def change(self) -> ChangeKind:
        """SLOWER if a figure that decides is, else UNKNOWN if one is, else FASTER if one is, else SAME."""
        kinds = {each.change for each in self.gated}
        if self.refused or not kinds:
            return ChangeKind.UNKNOWN
        return next(
            k for k in (ChangeKind.SLOWER, ChangeKind.UNKNOWN, ChangeKind.FASTER, ChangeKind.SAME) if k in kinds
        )

    @property
    def word(self) -> str:
        """The change in capital letters, "NOT COMPARABLE" if the runs cannot be compared."""
        return "NOT COMPARABLE" if self.refused else self.change.name

    @property
    def exit_code(self) -> int:
        """5 if the runs cannot be compared, 4 if a figure that decides is slower (*strict*: or UNKNOWN), else 0."""
        if self.refused:
            return 5
        return 4 if self.change is ChangeKind.SLOWER or (self.strict and self._has_unknown) else 0

    @property
    def _has_unknown(self) -> bool:
        return any(each.change is ChangeKind.UNKNOWN for each in self.gated)


def compare(
    first: RunSource | Sequence[RunSource],
    second: RunSource | Sequence[RunSource],
    *,
    gates: Sequence[str] = (),
    margins: Mapping[str, float] | None = None,
    phase: str | None = None,
    strict: bool = False,
) -> Comparison:
    """Return what changed from the *first* runs to the *second*: one a side, or three or more.

    A run is the path of a run file, or what `read_run` returned. *gates* are the figures that decide, such
    as "p95(GET /)"; by default p50, p95, p99 and errors of all requests. *margins* are the changes allowed,
    by figure or statistic: {"p95": 0.1} allows a tenth of the time, {"errors": 0.005} half a point.
    *phase* is compared alone; by default "steady" if all runs have it, else all but the warm-up. Blocks
    while it reads the files. Raises RunFileError and UsageError.
    """
    own = Margins({parse_figure(name).text: share for name, share in (margins or {}).items()})
    figures = [parse_figure(text) for text in dict.fromkeys(gates or GATES)]
    one, other = measure_runs(first, second, phase=phase)
    if (len(one), len(other)) != (1, 1) and min(len(one), len(other)) < LEAST_RUNS:
        raise UsageError(f"give one run a side, or {LEAST_RUNS} or more: there are {len(one)} and {len(other)}")
    runs = [*one, *other]
    refused = refusals(runs)
    if refused:
        return Comparison(tuple(one), tuple(other), refused=tuple(refused), strict=strict)
    check_gates(figures, runs)
    others = _of_each_series(runs, {each.text for each in figures})
    own.check([*figures, *others])
    changes = [
        change_of(each, one, other, own.of(each), gated=gated)
        for gated, many in ((True, figures), (False, others))
        for each in many
    ]
    said = [*([ONE_EACH] if len(runs) == 2 else []), *_rate_warnings(one, other), *warnings(runs)]
    return Comparison(tuple(one), tuple(other), tuple(adjusted(changes)), (), tuple(said), strict)


def check_gates(figures: Sequence[Figure], runs: Sequence[MeasuredRun]) -> None:
    """Raise UsageError if no run has a series of a figure that decides."""
    for figure in figures:
        if any(run.covers(figure) for run in runs):
            continue
        selection = figure.limit.selection
        if selection == ALL:
            raise UsageError(f"the runs have no requests, so {figure.text} is unknown: give --gate, as 'p50(visit)'")
        similar = similar_names(selection, runs[0].report.series) or "no sample has these tags"
        raise UsageError(f"no run has a series for {figure.text}: {similar}")


def _of_each_series(runs: Sequence[MeasuredRun], gated: set[str]) -> list[Figure]:
    """Return the figures of every series with times, without those that decide."""
    places = dict.fromkeys(
        (row.name, row.scenario) for run in runs for row in run.report.rows if row.kind not in UNTIMED
    )
    scenarios: dict[str, set[str]] = {}
    for name, scenario in places:
        scenarios.setdefault(name, set()).add(scenario)
    found = []
    for name, scenario in places:
        alone = len(scenarios[name]) == 1 and name != f"visit {scenario}"
        selection = Selection(name, None if alone else scenario)
        series = name if alone else f"{name} in {scenario}"
        found += [
            Figure(f"{what}({series})", Limit(f"{what}({series})", what, "<", 1.0, selection=selection))
            for what in SHOWN
        ]
    return [each for each in found if each.text not in gated]


def _rate_warnings(one: Sequence[MeasuredRun], other: Sequence[MeasuredRun]) -> list[str]:
    """Return what happened to the rate of a load by users, which falls as times grow."""
    if len(one) > 1 or not is_closed(one[0]):
        return []
    rates = one[0].rate(), other[0].rate()
    if rates[0] is None or rates[1] is None or min(rates[0].low, rates[1].low) <= 0.0:
        return []
    found = log_ratio(rates[0], rates[1])
    return [rate_sentence(rates[0].value, rates[1].value, found)] if found.low > 0 or found.high < 0 else []
