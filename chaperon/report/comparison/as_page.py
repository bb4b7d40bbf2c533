"""A comparison as the page: all its runs on one time axis, and the quantile-shift curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaperon.report.comparison.as_json import comparison_dict
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.figure import Figure, parse_figure
from chaperon.report.comparison.measured_run import MeasuredRun
from chaperon.report.comparison.shift_curve import shift_curve
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.page.document import comparison_html_of
from chaperon.report.page.payload import phases_of, series_columns
from chaperon.report.page.steps import Point, RunSteps, Step
from chaperon.report.redaction.redaction import redacted

SCHEMA = "chaperon-comparison-page/1"
DRAWN = 100
"""Series of runs that have charts, all runs together, the busiest ones."""
CURVES = 10
"""Series that have a quantile-shift curve, besides all requests: the busiest ones, and those that decide."""
ALL = ""
"""The group of the figures of all requests."""


def comparison_html(comparison: ComparedRuns) -> str:
    """Return the page of a comparison. Blocks while it reads the runs again, second by second."""
    sides = ["/".join(redacted(run.name) for run in group) for group in (comparison.first, comparison.second)]
    title = f"{comparison.word} · {' → '.join(sides)}"
    return comparison_html_of(comparison_payload(comparison), title)


def comparison_payload(comparison: ComparedRuns) -> dict[str, Any]:
    """Return what the page of a comparison shows. Every figure of its tables is one of the JSON comparison.

    *groups* are the series whose figures are compared, by the text after the statistic in the name of a figure: ""
    for all requests, "(GET /)". *runs* have the columns of each group that is drawn, *shift* the curves as
    (quantile, logarithm of the ratio, its lower and its upper end).
    """
    runs = [*comparison.first, *comparison.second]
    read = [_steps_of(run) for run in runs]
    longest = max(steps.duration for steps in read)
    steps = [each.steps(longest) for each in read]
    length = steps[0][0]
    groups = _groups(comparison)
    drawn = sorted(groups, key=lambda group: -_samples(groups[group], runs))[: max(DRAWN // len(runs), 1)]
    at = sorted({step.at for _, found in steps for step in found})
    return {
        "schema": SCHEMA,
        "comparison": comparison_dict(comparison),
        "groups": [{"group": group, "name": redacted(_name(group))} for group in groups],
        "figures": {change.figure.text: _group_of(change.figure) for change in comparison.changes},
        "step": length,
        "at": at,
        "phases": phases_of(steps[0][1], length),
        "runs": [
            {
                "name": redacted(run.name),
                "second": place >= len(comparison.first),
                "groups": {group: _columns(groups[group], found, at, length) for group in drawn},
            }
            for place, (run, (_, found)) in enumerate(zip(runs, steps, strict=True))
        ],
        "shift": _curves(comparison, groups),
    }


def _steps_of(run: MeasuredRun) -> RunSteps:
    steps = RunSteps()

    def add(second: ClosedSecond, late: bool) -> None:
        if not late:
            steps.add(second)

    run.recorded.report(on_second=add)
    return steps


def _group_of(figure: Figure) -> str:
    """Return the text of a figure without its statistic: figures of one series have the same."""
    return figure.text.replace(figure.limit.what, "", 1).strip()


def _name(group: str) -> str:
    return "all requests" if group == ALL else group[1:-1] if group[:1] == "(" and group[-1:] == ")" else group


def _groups(comparison: ComparedRuns) -> dict[str, Figure]:
    """Return the groups, each with one of its figures, a percentile if it has one.

    All requests come first, whether or not figures of them are compared, then the others in the order of the figures.
    """
    found = {ALL: parse_figure("p50")}
    for change in comparison.changes:
        group = _group_of(change.figure)
        if group not in found or found[group].is_share:
            found[group] = change.figure
    return found


def _samples(figure: Figure, runs: Sequence[MeasuredRun]) -> int:
    return sum(run.samples(figure) for run in runs)


def _columns(figure: Figure, found: Sequence[Step], at: Sequence[int], length: int) -> dict[str, Any]:
    """Return the columns of the series of a figure in one run, at each of the moments *at*."""
    by_second = {step.at: _point(figure, step) for step in found}
    return series_columns([by_second.get(moment) for moment in at], length)


def _point(figure: Figure, step: Step) -> Point | None:
    """Return the point of the series that a figure is of: of all requests, or of the one with its name."""
    if _group_of(figure) == ALL:
        return step.requests
    of = {selection.series: selection.scenario for selection in figure.limit.readings or (figure.limit.selection,)}
    for name, point in step.series.items():
        if name.name in of and of[name.name] in (None, name.scenario):
            return point
    return None


def _curves(comparison: ComparedRuns, groups: dict[str, Figure]) -> dict[str, list[list[float]]]:
    if comparison.refused:
        return {}
    runs = [*comparison.first, *comparison.second]
    gated = {_group_of(change.figure) for change in comparison.gated}
    timed = {group: figure for group, figure in groups.items() if not figure.is_share}
    busiest = sorted(timed, key=lambda group: (group not in gated, -_samples(timed[group], runs)))
    curves = {}
    for group in busiest[: CURVES + 1]:
        points = shift_curve(timed[group], comparison.first, comparison.second)
        curves[group] = [[point.q, point.value, point.low, point.high] for point in points]
    return curves
