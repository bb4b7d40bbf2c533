"""The report as JSON. Its keys are stable within a schema version."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from weakref import ref

from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.report.breakdown import PHASE, by_tags, split
from chaperon.report.outputs.file_output import STDOUT, FileOutput, Stdout, plain_stdout, write_text
from chaperon.report.percentiles import Population
from chaperon.report.redaction.one_line import STEERING
from chaperon.report.redaction.redaction import redacted
from chaperon.report.report import ErrorRow, Report
from chaperon.report.rows import Row
from chaperon.report.texts import map_texts
from chaperon.report.totals import WorkerStats

SCHEMA = "chaperon-report/1"
_ESCAPED = {code: json.dumps(chr(code))[1:-1] for code in STEERING if code >= 127}  # JSON escapes the others itself


def as_dict(report: Report) -> dict[str, Any]:
    """Return the report as values that JSON can represent: times in seconds, None for no value, texts redacted."""
    report = map_texts(report, redacted)
    return {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "reasons": list(report.reasons),
        "warnings": list(report.warnings),
        "started": report.started,
        "duration": report.duration,
        "environment": report.environment,
        "chaperon": report.chaperon,
        "seed": report.seed,
        "series": [_series(report, row) for row in report.rows],
        "totals": [_series(report, row) for row in report.totals],
        "phases": [
            {**_series(report, row), "phase": phase, "length": row.duration}
            for phase, rows in split(report, PHASE).items()
            for row in rows
        ],
        "tags": [{**_series(report, row), "tags": dict(tags)} for tags, row in by_tags(report)],
        "errors": [_error(row) for row in report.errors],
        "ledger": [{"scenario": label, **asdict(counts)} for label, counts in report.ledger.items()],
        "limits": [asdict(limit) for limit in report.limits],
        "seconds": [
            {
                "at": s.at,
                "requests": s.requests,
                "errors": s.errors,
                "censored": s.censored,
                "users": s.users,
                **asdict(s.counts),
                "p50": s.p50,
                "p95": s.p95,
                "generator": s.health,
            }
            for s in report.seconds
        ],
        "generator": {name: _worst(report, name) for name in _generator(report)},
        "workers": [worker_row(worker) for worker in report.workers],
        "happenings": [{"worker": worker, **asdict(what)} for worker, what in report.happenings],
        "notes": dict(report.notes),
    }


def worker_row(worker: WorkerStats) -> dict[str, Any]:
    """Return the figures of a worker as plain values."""
    return {
        "name": worker.name,
        "visits": worker.visits,
        "requests": worker.requests,
        "errors": worker.errors,
        "last": worker.last if worker.windows else None,
        "windows": worker.windows,
        "lost": worker.lost,
        "losses": worker.losses,
        "late_p99": worker.health.get("late_p99", 0.0),
        "cpu": worker.health.get("cpu", 0.0),
        "health": worker.health,
    }


def shared_dict(report: Report) -> dict[str, Any]:
    """Return `as_dict` of *report*, computed once for several outputs of it: it must not be changed."""
    global _newest
    if _newest is None or _newest[0]() is not report:
        _newest = ref(report), as_dict(report)
    return _newest[1]


_newest: tuple[ref[Report], dict[str, Any]] | None = None
"""The report that `shared_dict` was asked for last, with its values."""


class JsonOutput(FileOutput):
    """Writes the report as JSON to a file, whole or not at all, or to standard output where the path is "-"."""

    def text(self, report: Report) -> str:
        """Return the report as JSON."""
        return json_text(shared_dict(report), self.path)


def json_text(values: dict[str, Any], path: str | Path) -> str:
    """Return plain values as JSON for *path*: for "-" in ASCII, which fits every encoding of that stream."""
    return json.dumps(values, indent=1, ensure_ascii=path == STDOUT, allow_nan=False).translate(_ESCAPED) + "\n"


def write_plain(values: dict[str, Any], path: str | Path, *, stdout: Stdout = plain_stdout) -> None:
    """Write plain values as JSON to *path*, or to *stdout* if that is "-". Raises OutputError, OSError."""
    write_text(path, json_text(values, path), stdout=stdout)


def _error(row: ErrorRow) -> dict[str, Any]:
    examples = [
        {"method": each.method, "url": each.url, "status": each.status or None, "body": each.first_line}
        for each in row.exchanges
    ]
    return {**asdict(replace(row, exchanges=())), "exchanges": examples}


def _series(report: Report, row: Row) -> dict[str, Any]:
    return {
        "scenario": row.scenario,
        "name": row.name,
        "kind": row.kind,
        "unit": row.unit,
        "count": row.count,
        "errors": row.errors,
        "censored": row.censored,
        "never_begun": row.never_begun,
        "rate": row.rate,
        "bytes": row.bytes,
        "total": row.total,
        "last": row.last,
        "min": row.min,
        "mean": row.mean,
        "max": row.max,
        **_percentiles(row.service),
        "at_least": _lower_bounds(row.service),
        "intervals": _intervals(row.service),
        "design_effect": _design_effects(row.service),
        "response": None if row.response is None else _response(row.response),
        "response_intervals": None if row.response is None else _intervals(row.response),
        "response_design_effect": None if row.response is None else _design_effects(row.response),
        "bad": _percentiles(row.in_error),
        "all": {**_percentiles(row.all), "at_least": _lower_bounds(row.all)},
        "generator_part": _own(report, row, response=False),
        "response_generator_part": None if row.response is None else _own(report, row, response=True),
    }


def _response(population: Population) -> dict[str, Any]:
    return {
        **_percentiles(population),
        "censored": population.censored.count,
        "at_least": _lower_bounds(population),
    }


def _percentiles(population: Population) -> dict[str, float | None]:
    return {name: population.known(q) for name, q in PERCENTILES.items()}


def _own(report: Report, row: Row, *, response: bool) -> dict[str, float | None]:
    return {name: report.generator_part(row, 100 * q, response=response) for name, q in PERCENTILES.items()}


def _lower_bounds(population: Population) -> dict[str, float]:
    """Return the lower bounds of the percentiles that lie among censored samples."""
    bounds = {name: population.at_least(q) for name, q in PERCENTILES.items()}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _intervals(population: Population) -> dict[str, tuple[float, float] | None]:
    return {name: population.interval(q) for name, q in PERCENTILES.items()}


def _design_effects(population: Population) -> dict[str, float | None]:
    return {name: population.design_effect(q) for name, q in PERCENTILES.items()}


def _generator(report: Report) -> list[str]:
    return list(dict.fromkeys(["late_p99", "cpu", "stalls", *(name for w in report.workers for name in w.health)]))


def _worst(report: Report, name: str) -> float | None:
    values = [w.health[name] for w in report.workers if name in w.health]
    return max(values) if values else None
