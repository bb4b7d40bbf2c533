"""A comparison as GitHub-flavoured Markdown and as CSV."""

from __future__ import annotations

from chaperon.report.comparison.as_json import FIGURES, figure_dict
from chaperon.report.comparison.change import FigureChange
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.comparison.words import change_text, value_text
from chaperon.report.outputs.csv import csv_text
from chaperon.report.outputs.markdown import cell, table
from chaperon.report.table_parts import SHOWN

SIGNS = {"SLOWER": "✕", "FASTER": "✓", "SAME": "✓", "UNKNOWN": "?", "NOT COMPARABLE": "⚠"}
HEADER = ("figure", "before", "after", "change", "")


def comparison_markdown(comparison: ComparedRuns) -> str:
    """Return a comparison as Markdown: the figures that decide in sentences, then a table of every series."""
    first, second = (", ".join(run.name for run in group) for group in (comparison.first, comparison.second))
    lines = [f"## {SIGNS[comparison.word]} {comparison.word} · {cell(first)} → {cell(second)}", ""]
    lines += [f"- {cell(reason)}" for reason in comparison.refused]
    lines += [f"- {sign_of(change)} {cell(change.sentence)}" for change in comparison.gated]
    lines += [f"- warning: {cell(warning)}" for warning in comparison.warnings]
    others = [change for change in comparison.changes if not change.gated]
    if others:
        rows = [tuple(map(cell, table_row(change))) for change in others[: 4 * SHOWN]]
        lines += ["", "### every series (decides nothing)", "", *table(HEADER, rows, "l r r r l")]
        if len(others) > len(rows):
            lines.append(f"{len(others) - len(rows):,} more figures are in the JSON")
    return "\n".join([*lines, ""])


def sign_of(change: FigureChange) -> str:
    """Return the sign before the sentence of a figure."""
    return SIGNS[change.change.name]


def table_row(change: FigureChange) -> tuple[str, str, str, str, str]:
    """Return the cells of a figure in a table under `HEADER`."""
    outcome = change.outcome
    if outcome is None:
        return change.figure.text, "–", "–", "–", ChangeKind.UNKNOWN.value
    share = change.figure.is_share
    values = [value_text(value, share=share) for value in (outcome.first, outcome.second)]
    return change.figure.text, *values, change_text(outcome.found, share=share), change.change.value  # type: ignore[return-value]


def comparison_csv(comparison: ComparedRuns) -> str:
    """Return the figures of a comparison as CSV, one row a figure; times in seconds, an unknown value is empty."""
    header = ("figure", "gated", "change", *FIGURES, "sentence")
    rows = [figure_dict(change) for change in comparison.changes]
    return csv_text(header, ([int(row[name]) if name == "gated" else row[name] for name in header] for row in rows))
