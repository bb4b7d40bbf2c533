"""Comparison: what changed from one run, or group of runs, to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaperon.errors import UsageError
from chaperon.report.comparison.as_json import comparison_dict
from chaperon.report.comparison.as_junit import comparison_junit
from chaperon.report.comparison.as_markdown import comparison_csv, comparison_markdown
from chaperon.report.comparison.as_page import comparison_html
from chaperon.report.comparison.change import adjusted, change_of
from chaperon.report.comparison.comparable import is_closed, refusals, warnings
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.difference import LEAST_RUNS, log_ratio
from chaperon.report.comparison.figure import ERRORS, GATES, Figure, Margins, parse_figure
from chaperon.report.comparison.measured_run import MeasuredRun, RunSource, measure_runs
from chaperon.report.comparison.words import rate_sentence
from chaperon.report.limits.limits import Limit
from chaperon.report.limits.selection import ALL, Selection, similar_names
from chaperon.report.outputs.file_output import write_text
from chaperon.report.outputs.json import json_text
from chaperon.report.rows import UNTIMED

ONE_EACH = "one run each: differences between runs of the same build are not seen; give three or more a side"
SHOWN = ("p50", "p95", "p99", ERRORS)
"""The figures of each series that are compared without deciding."""


class Comparison(ComparedRuns):
    """What changed from the *first* runs to the *second*.

    *changes* has the figures that decide, then those of every series. *refused* are the reasons why
    the runs cannot be compared; there are no changes then. With *strict*, a figure that decides and is
    UNKNOWN fails. Every output that `chaperon compare` writes can be written to a path, "-" for standard output;
    these methods raise OutputError and OSError.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as values that JSON can represent, times in seconds; what `--json` writes."""
        return comparison_dict(self)

    def to_json(self, path: str | Path) -> None:
        """Write `to_dict` to *path* as JSON."""
        write_text(path, json_text(self.to_dict(), path))

    def to_markdown(self, path: str | Path) -> None:
        """Write the comparison to *path* as Markdown."""
        write_text(path, comparison_markdown(self))

    def to_csv(self, path: str | Path) -> None:
        """Write every figure to *path* as CSV, one row a figure."""
        write_text(path, comparison_csv(self))

    def to_html(self, path: str | Path) -> None:
        """Write the page of the comparison to *path*. Blocks while it reads the runs again."""
        write_text(path, comparison_html(self))

    def to_junit(self, path: str | Path) -> None:
        """Write the figures that decide to *path* as JUnit XML."""
        write_text(path, comparison_junit(self))


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
