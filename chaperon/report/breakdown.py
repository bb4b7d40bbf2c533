"""Rows of a report split by phase or by the values of a tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.report.report import Report
from chaperon.report.rows import Row, due_length

PHASE = "phase"
OTHERWISE = "–"
"""The part of series that do not have the tag."""


def split(report: Report, by: str) -> dict[str, tuple[Row, ...]]:
    """Return the rows of each phase (*by* is "phase"), or of each value of the tag *by*.

    There is one row per scenario, name and kind. Phases are in the order of the load, tag values
    in alphabetical order. The rows of tag values do not include warm-up. The result is empty if
    no series has the tag.
    """
    found: dict[str, dict[tuple[str, str, str], list[Series]]] = {}
    for key in sorted(report.series):
        part = _part(key, by)
        if part is not None:
            found.setdefault(part, {}).setdefault((key.scenario, key.name, key.kind), []).append(report.series[key])
    if by != PHASE and set(found) <= {OTHERWISE}:
        return {}
    return {
        part: tuple(
            Row(scenario, name, kind, Series.sum_of(many), _length(report, by, part, scenario))
            for (scenario, name, kind), many in found[part].items()
        )
        for part in sorted(found, key=lambda p: _place(report, by, p))
    }


def tag_names(report: Report) -> list[str]:
    """Return the names of all tags in the report, sorted."""
    return sorted({name for key in report.series for name, _ in key.tags})


def by_tags(report: Report) -> Iterator[tuple[Mapping[str, str], Row]]:
    """Yield (tags, row) for each series with tags, without warm-up."""
    parts: dict[tuple[Sequence[tuple[str, str]], str, str, str], list[Series]] = {}
    for key in sorted(report.series):
        if key.tags and key.phase != WARM_UP:
            parts.setdefault((key.tags, key.scenario, key.name, key.kind), []).append(report.series[key])
    for (tags, scenario, name, kind), many in parts.items():
        yield dict(tags), Row(scenario, name, kind, Series.sum_of(many), _length(report, "", "", scenario))


def _part(key: Key, by: str) -> str | None:
    if by == PHASE:
        return key.phase
    return None if key.phase == WARM_UP else dict(key.tags).get(by, OTHERWISE)


def _length(report: Report, by: str, part: str, scenario: str) -> float:
    if by == PHASE:
        while "/" in scenario and (scenario, part) not in report.phases:  # a nested scenario has that of its outer one
            scenario = scenario.rpartition("/")[0]
        return report.phases.get((scenario, part), 0.0)
    return due_length(scenario, report.duration, report.phases, report.due)


def _place(report: Report, by: str, part: str) -> tuple[int, str]:
    order = list(dict.fromkeys(phase for _, phase in report.phases))
    return (order.index(part) if by == PHASE and part in order else len(order), part)
