"""A comparison as JSON. Its keys are stable within a schema version."""

from __future__ import annotations

import math
from typing import Any

from chaperon.report.comparison.change import FigureChange
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.measured_run import MeasuredRun
from chaperon.report.redaction.redaction import redacted

SCHEMA = "chaperon-comparison/1"


def comparison_dict(comparison: ComparedRuns) -> dict[str, Any]:
    """Return a comparison as values that JSON can represent: times in seconds, None for no value, texts redacted.

    The difference of a time is a ratio − 1 (0.1: 10 % slower), that of a share of errors is in shares. A figure that
    cannot be compared has the values that were measured, and no interval.
    """
    return {
        "schema": SCHEMA,
        "change": comparison.word,
        "exit_code": comparison.exit_code,
        "phase": None if comparison.phase is None else redacted(comparison.phase),
        "refused": [redacted(text) for text in comparison.refused],
        "warnings": [redacted(text) for text in comparison.warnings],
        "first": [_run(run) for run in comparison.first],
        "second": [_run(run) for run in comparison.second],
        "figures": [figure_dict(change) for change in comparison.changes],
    }


def figure_dict(change: FigureChange) -> dict[str, Any]:
    """Return a change as plain values by name."""
    named = {
        "figure": redacted(change.figure.text),
        "gated": change.gated,
        "change": change.change.value,
        "first_at_least": change.at_least[0],
        "second_at_least": change.at_least[1],
    }
    sentence = redacted(change.sentence)
    outcome = change.outcome
    if outcome is None:
        first, second = change.values
        measured = {"first": first, "second": second, "difference": change.difference}
        return {**named, **dict.fromkeys(FIGURES), **measured, "sentence": sentence}
    found, decision = outcome.found, outcome.decision
    ratios = [each if change.figure.is_share else math.expm1(min(each, 700.0)) for each in found[:3]]
    return {
        **named,
        "first": outcome.first,
        "second": outcome.second,
        "difference": ratios[0],
        "low": ratios[1],
        "high": ratios[2],
        "margin": decision.margin,
        "detectable": decision.detectable,
        "needed_seconds": decision.needed if math.isfinite(decision.needed) else None,
        "between_runs": outcome.between,
        "sentence": sentence,
    }


FIGURES = (
    "first", "second", "difference", "low", "high", "margin", "detectable", "needed_seconds", "between_runs",
)  # fmt: skip
"""The numbers of a figure, in order."""


def _run(run: MeasuredRun) -> dict[str, Any]:
    return {
        "file": redacted(run.name),
        "environment": redacted(run.header.environment),
        "started": run.header.started,
        "duration": run.report.duration,
        "compared_seconds": run.length,
        "verdict": run.report.verdict.value,
        "loads": [{"scenario": redacted(label), "load": redacted(load)} for label, load in run.header.loads],
        "seed": run.header.seed,
    }
