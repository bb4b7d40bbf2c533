"""The data of the page as plain values: the report's figures, and the steps of its charts as columns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from chaperon.errors import LimitError
from chaperon.measure.sample import RESPONSES, Key
from chaperon.measure.window import OUTCOMES, RunEvent
from chaperon.report.events.event_groups import event_groups
from chaperon.report.events.note_text import note_text
from chaperon.report.exchanges.exchange_names import file_names
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.selection import ALL
from chaperon.report.outputs.json import shared_dict
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.page.steps import BUCKETS_PER_DECADE, SHORTEST, Point, RunSteps, SeriesName, Step
from chaperon.report.percentiles import Population
from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import Report
from chaperon.report.rows import UNTIMED, Row

SCHEMA = "chaperon-page/1"
ZOOMED = 10
"""Series that have histograms for zoomed tables, the busiest ones."""
DRAWN = 1_000
"""Series that have charts, the busiest ones; tables have all."""
WORKERS = 8
"""Workers that have figures of each step, those with most errors."""
SLOWEST = 5
SHOWN = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_TABLE = (
    "scenario", "name", "kind", "count", "errors", "censored", "never_begun", "rate", "bytes", "total", "last",
    "min", "mean", "max", "p50", "p95", "p99", "at_least", "response",
)  # fmt: skip
_MADE = {*SHOWN, "at_least", "response"}


def page_payload(report: Report, plan: PlannedRun, steps: RunSteps, folder_link: str = "") -> dict[str, Any]:
    """Return what the page shows. Every figure of its tables is a figure of the JSON report, times in seconds.

    *folder_link* is the URL of the folder with the exchanges of errors, relative to the page; "" without one.
    """
    values = shared_dict(report)
    rows = [{**_row(row), **_of_row(report, each)} for row, each in zip(values["series"], report.rows, strict=True)]
    kept = ("verdict", "reasons", "warnings", "started", "duration", "environment", "chaperon", "seed", "limits",
            "ledger", "errors", "workers", "happenings")  # fmt: skip
    tables = {**{name: values[name] for name in kept}, "series": rows, "requests": _total(report, values)}
    tables["events"] = event_rows(report.happenings)
    tables["notes"] = [note_text(note, times) for note, times in values["notes"].items()]
    texts = {
        "exchange_files": _exchange_files(values["errors"], plan.exchange_folder, folder_link),
        "bounds": [limit_bound(limit.limit, report.series) for limit in report.limits],
    }
    return {**charted(tables, plan, steps.steps(), report.finished), **one_line_texts_of(texts)}


def charted(
    tables: Mapping[str, Any],
    plan: PlannedRun,
    steps: tuple[int, Sequence[Step]],
    finished: bool,
    *,
    names: Sequence[SeriesName] | None = None,
    zoomable: int = ZOOMED,
    breathe: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Return the payload with *tables*, as the report has them, and the columns of the charts of *steps*.

    *names* are those that the steps have for the rows, by default as the tables show them.
    *zoomable* series have histograms for zoomed tables. *breathe* is called after each series, so that others can run.
    """
    length, found = steps
    rows = tables["series"]
    busiest = sorted(range(len(rows)), key=lambda place: -rows[place]["count"])[:DRAWN]
    known = [_name(row) for row in rows] if names is None else names
    points = {place: [step.series.get(known[place]) for step in found] for place in busiest}
    zoomed = [place for place in busiest if rows[place]["kind"] not in UNTIMED][:zoomable]
    columns: dict[str, Any] = {}
    for place, each in points.items():
        columns[str(place)] = series_columns(each, length)
        breathe()
    texts = {
        "report": tables,
        "plan": {
            "load": plan.load,
            "limits": list(plan.limits),
            "scenarios": list(plan.scenarios),
            "target": plan.target,
            "facts": [list(fact) for fact in plan.facts()],
        },
        "parts": _parts(found),
        "phases": phases_of(found, length),
    }
    return {
        "schema": SCHEMA,
        "finished": finished,
        **one_line_texts_of(texts),
        "step": length,
        "at": [step.at for step in found],
        "run": _run_columns(found, length),
        "requests": series_columns([step.requests for step in found], length),
        "series": columns,
        "buckets": {"shortest": SHORTEST, "per_decade": BUCKETS_PER_DECADE},
        "histograms": {
            "requests": [flat_histogram(step.requests) for step in found],
            **{str(place): [flat_histogram(point) for point in points[place]] for place in zoomed},
        },
    }


@lru_cache(maxsize=10_000)
def clean(text: str) -> str:
    """Return a text as the page shows it: on one line, without what looks like a secret."""
    return one_line(redacted(text))


def one_line_texts_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values by name with every text in them as one line that cannot change how others read."""
    return {name: _one_line_texts(value) for name, value in values.items()}


def _one_line_texts(value: Any) -> Any:
    """Return plain values with every text, keys too, as one line that cannot change how others read."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, dict):
        return {_one_line_texts(key): _one_line_texts(each) for key, each in value.items()}
    return [_one_line_texts(each) for each in value] if isinstance(value, (list, tuple)) else value


def event_rows(events: Sequence[tuple[str, RunEvent]]) -> list[dict[str, Any]]:
    """Return the events as the page lists them, equal ones once; moments and durations are in seconds."""
    return [asdict(group) for group in event_groups(events)]


def _exchange_files(errors: Sequence[dict[str, Any]], folder: str, link: str) -> list[dict[str, str] | None]:
    """Return for each class of errors the file of its first exchange: the path as text, and the link to it."""
    if not folder:
        return []
    found: list[dict[str, str] | None] = []
    for row in errors:
        names = file_names((row["scenario"], row["series"], row["error"]), len(row["exchanges"]))
        found.append({"path": os.path.join(folder, names[0]), "link": f"{link}/{names[0]}"} if names else None)
    return found


def _row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in _TABLE}
    for what in ("intervals", "design_effect"):
        kept[what] = {name: row[what][name] for name in SHOWN}
    return kept


def _of_row(report: Report, row: Row) -> dict[str, Any]:
    """Return what the page shows of a row beyond the JSON report: its slowest samples, its marked percentiles.

    *slowest* are (value, seconds from the start of the run), *own* the percentiles of which a tenth or more may be
    delay of the generator.
    """
    own = [name for name, q in SHOWN.items() if report.falsified(row, 100 * q)]
    return {"slowest": [[took, at - report.began] for took, at in row.slowest[:SLOWEST]], "own": own}


def _total(report: Report, values: dict[str, Any]) -> dict[str, Any]:
    """Return the row of all requests."""
    return {**_row(values["totals"][-1]), **_of_row(report, report.totals[-1])}


def limit_bound(text: str, keys: Collection[Key]) -> dict[str, Any] | None:
    """Return what a limit compares its value with, and of which of the series, None if its text does not say.

    *bound* is in seconds, or a share. *all*: it is on all requests; *series* and *scenario* are None where it has none.
    """
    try:
        limit = parse(text).reading_for(keys)
    except LimitError:  # a secret in its text was replaced
        return None
    of = limit.selection
    names = {"series": of.series, "scenario": of.scenario, "all": of == ALL}
    return {"what": limit.what, "op": limit.op, "bound": limit.value, "over": limit.over, **names}


def _parts(found: Sequence[Step]) -> dict[str, Any]:
    """Return the tables beside that of the series step by step, of which a stretch is added up; see `_step_parts`.

    Workers are those with most errors: not more than `WORKERS` have steps.
    """
    errors: Counter[str] = Counter()
    for step in found:
        errors.update({worker: figures.errors for worker, figures in step.workers.items()})
    kept = [worker for worker, _ in errors.most_common(WORKERS)]
    parts: dict[str, Any] = {"errors": {}, "ledger": {}, "workers": {clean(worker): {} for worker in kept}}
    for step in found:
        at, of_step = str(step.at), _step_parts(step)
        for (scenario, series, error), count in of_step["errors"]:
            steps = parts["errors"].setdefault(scenario, {}).setdefault(series, {}).setdefault(error, {})
            steps[at] = steps.get(at, 0) + count
        for label, counts in of_step["ledger"].items():
            parts["ledger"].setdefault(label, {})[at] = counts
        for worker, figures in of_step["workers"].items():
            if worker in parts["workers"]:
                parts["workers"][worker][at] = figures
    return parts


def _step_parts(step: Step) -> dict[str, Any]:
    """Return what one step adds to the tables beside that of the series.

    "errors" has (scenario, series, class) and the number; "ledger" the planned visits by scenario and their outcomes,
    as in `OUTCOMES`; "workers" the fields of a `WorkerSecond`.
    """
    return {
        "errors": [[list(map(clean, where)), count] for where, count in step.errors.items()],
        "ledger": {
            clean(label): [getattr(counts, name) for name in ("planned", *OUTCOMES)]
            for label, counts in step.ledger.items()
        },
        "workers": {clean(worker): list(map(_short, figures)) for worker, figures in step.workers.items()},
    }


def step_values(step: Step, length: int, names: Mapping[SeriesName, int]) -> dict[str, Any]:
    """Return one step as `charted` has it in its columns: a value where those have a list.

    *names* are the places of the series; those without a sample are left out. The values of a series are a list:
    rate, errors, p50, p95, p99, and these three measured from when it was due, if any sample was.
    """
    series = {}
    for name, point in step.series.items():
        if (place := names.get(name, DRAWN)) < DRAWN:
            series[str(place)] = [column[0] for column in series_columns([point], length).values()]
    texts = {
        "parts": _step_parts(step),
        "phases": sorted({name for _, name in step.phases}),
    }
    return {
        "at": step.at,
        "run": {name: column[0] for name, column in _run_columns([step], length).items()},
        "requests": [column[0] for column in series_columns([step.requests], length).values()],
        "series": series,
        "heat": flat_histogram(step.requests),
        **one_line_texts_of(texts),
    }


def table_row(row: Row, began: float) -> dict[str, Any]:
    """Return a row as the tables of the page have it, for a run of which no report is made yet.

    It has intervals if the row has a history. *began* is the start of the run on the clock of its samples, in seconds.
    """
    found: dict[str, Any] = {name: getattr(row, name) for name in _TABLE if name not in _MADE}
    found |= _percentiles(row.service)
    response = None if row.response is None else _percentiles(row.response)
    known = row.service.history is not None
    intervals = {name: row.service.interval(q) if known else None for name, q in SHOWN.items()}
    effects = {name: row.service.design_effect(q) if known else None for name, q in SHOWN.items()}
    slowest = [[took, at - began] for took, at in row.slowest[:SLOWEST]]
    return {
        **found, "response": response, "intervals": intervals, "design_effect": effects, "slowest": slowest, "own": [],
    }  # fmt: skip


def _percentiles(population: Population) -> dict[str, Any]:
    bounds = {name: population.bounds(q) for name, q in SHOWN.items()}
    at_least = {name: each.at_least for name, each in bounds.items() if each is not None and each.at_least is not None}
    return {**{name: None if each is None else each.value for name, each in bounds.items()}, "at_least": at_least}


def _name(row: dict[str, Any]) -> SeriesName:
    return SeriesName(row["scenario"], row["name"], row["kind"])


def series_columns(points: Sequence[Point | None], length: int) -> dict[str, Any]:
    """Return one series as columns; a step without a sample is null. Rates are per second, times in seconds."""
    columns: dict[str, Any] = {
        "rate": [_short(point.samples / length) if point else 0 for point in points],
        "errors": [point.errors if point else 0 for point in points],
    }
    for place, name in enumerate(("p50", "p95", "p99")):
        columns[name] = [_short(point.times[place]) if point else None for point in points]
    if any(point is not None and point.response is not None for point in points):
        for place, name in enumerate(("p50", "p95", "p99")):
            columns[f"response_{name}"] = [
                _short(point.response[place]) if point and point.response else None for point in points
            ]
    return columns


def _run_columns(found: Sequence[Step], length: int) -> dict[str, Any]:
    rates = {
        name: [_short(sum(getattr(counts, name) for counts in step.ledger.values()) / length) for step in found]
        for name in ("planned", *OUTCOMES)
    }
    health = {
        name: [_short(step.health.get(key, 0.0)) for step in found]
        for name, key in (("late", "late_p99"), ("cpu", "cpu"), ("stalls", "stalls"))
    }
    counted = {name for step in found for name in step.health if name in RESPONSES}
    responses = {name: [_short(step.health.get(name, 0.0) / length) for step in found] for name in sorted(counted)}
    return {
        **rates,
        **health,
        **responses,
        "users": [step.users for step in found],
        "in_flight": [step.in_flight for step in found],
    }


def flat_histogram(point: Point | None) -> list[int]:
    """Return a histogram as bucket, samples, bucket, samples …, each bucket as the distance to the one before."""
    flat, last = [], 0
    for bucket, samples in point.histogram if point else ():
        flat += [bucket - last, samples]
        last = bucket
    return flat


def phases_of(found: Sequence[Step], length: int) -> list[dict[str, Any]]:
    """Return the stretches in which each phase was going on."""
    newest: dict[str, dict[str, Any]] = {}
    phases: list[dict[str, Any]] = []
    for step in found:
        for phase in sorted({name for _, name in step.phases}):
            last = newest.get(phase)
            if last is None or last["to"] < step.at:
                last = newest[phase] = {"name": phase, "from": step.at, "to": step.at}
                phases.append(last)
            last["to"] = step.at + length
    return phases


def _short(value: float | None) -> float | int | None:
    """Return a figure for a chart with four digits, which no pixel shows more of."""
    if value is None:
        return None
    number = float(f"{value:.4g}")
    return int(number) if number.is_integer() else number
