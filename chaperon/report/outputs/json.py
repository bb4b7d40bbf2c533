"""The report as JSON. Its keys are stable within a schema version."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from chaperon.errors import OutputError
from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.report.breakdown import PHASE, by_tags, split
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.outputs.output_file import probe_output, write_output
from chaperon.report.percentiles import Population
from chaperon.report.redaction.redaction import STEERING, redacted
from chaperon.report.report import Report
from chaperon.report.rows import Row
from chaperon.report.texts import map_texts

SCHEMA = "chaperon-report/1"
STDOUT = "-"
"""The path that means standard output."""
Stdout = Callable[[], AbstractContextManager[TextIO]]
"""Returns a context manager that gives the stream to write to."""
_ESCAPED = {code: f"\\u{code:04x}" for code in STEERING if code >= 127}  # JSON escapes the others itself


def _stdout() -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout)


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
        "phases": [
            {**_series(report, row), "phase": phase, "length": row.duration}
            for phase, rows in split(report, PHASE).items()
            for row in rows
        ],
        "tags": [{**_series(report, row), "tags": dict(tags)} for tags, row in by_tags(report)],
        "errors": [asdict(e) for e in report.errors],
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
        "workers": [
            {
                "name": w.name,
                "visits": w.visits,
                "windows": w.windows,
                "lost": w.lost,
                "losses": w.losses,
                "late_p99": w.health.get("late_p99", 0.0),
                "cpu": w.health.get("cpu", 0.0),
                "health": w.health,
            }
            for w in report.workers
        ],
        "happenings": [{"worker": worker, **asdict(what)} for worker, what in report.happenings],
        "notes": dict(report.notes),
    }


class JsonOutput(Output):
    """Writes the report as JSON to a file, whole or not at all, or to standard output where the path is "-"."""

    def __init__(self, path: str | Path, *, stdout: Stdout = _stdout) -> None:
        self.name = "the report to standard output" if path == STDOUT else f"the report to {path}"
        self._path = path
        self._stdout = stdout

    def start(self, plan: PlannedRun) -> None:
        """Raise OutputError if the file could not be written, for example into a missing folder."""
        probe_json(self._path)

    def finish(self, report: Report) -> None:
        """Write the report. Raises OutputError, OSError."""
        write_json(report, self._path, stdout=self._stdout)


def probe_json(path: str | Path) -> None:
    """Raise OutputError unless a report can be written to *path*, or *path* is "-"."""
    if path != STDOUT:
        probe_output(path)


def write_json(report: Report, path: str | Path, *, stdout: Stdout = _stdout) -> None:
    """Write the report to *path*, whole or not at all, or to *stdout* if that is "-". Raises OutputError, OSError."""
    write_plain(as_dict(report), path, stdout=stdout)


def write_plain(values: dict[str, Any], path: str | Path, *, stdout: Stdout = _stdout) -> None:
    """Write plain values as JSON to *path*, or to *stdout*, as `write_json` does."""
    if path == STDOUT:
        with stdout() as stream:  # ASCII, so that the encoding of the stream does not matter
            stream.write(json.dumps(values, indent=1, allow_nan=False) + "\n")
        return
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False).translate(_ESCAPED) + "\n"
    try:
        write_output(path, text)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror or exc}; give another path") from exc


def _series(report: Report, row: Row) -> dict[str, Any]:
    return {
        "scenario": row.scenario,
        "name": row.name,
        "kind": row.kind,
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
        "bad": {name: row.bad.known(q) for name, q in PERCENTILES.items()},
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
