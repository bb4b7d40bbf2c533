"""A comparison as GitHub-flavoured Markdown and as CSV."""

from __future__ import annotations

from chaperon.measure.quantity import count_text
from chaperon.report.comparison.as_json import FIGURES, figure_dict
from chaperon.report.comparison.change import NOTHING, FigureChange
from chaperon.report.comparison.compared import ComparedRuns
from chaperon.report.comparison.words import change_text, difference_text
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
    rows, rest = table_of_series(comparison)
    if rows:
        cells = [tuple(map(cell, row)) for row in rows]
        lines += ["", "### every series (decides nothing)", "", *table(HEADER, cells, "l r r r l")]
    if rest:
        lines += ["", *rest]
    return "\n".join([*lines, ""])


def table_of_series(comparison: ComparedRuns) -> tuple[list[tuple[str, str, str, str, str]], list[str]]:
    """Return the rows of the table of every series, under `HEADER`, and the lines on the figures it leaves out."""
    others = [change for change in comparison.changes if not change.gated]
    known = [change for change in others if change.shown != (NOTHING, NOTHING)]
    rows = [table_row(change) for change in known[: 4 * SHOWN]]
    rest = []
    if len(known) > len(rows):
        rest.append(f"{count_text(len(known) - len(rows), 'more figure')} in the JSON")
    if len(others) > len(known):
        rest.append(f"{count_text(len(others) - len(known), 'figure')} without a value on either side")
    return rows, rest


def sign_of(change: FigureChange) -> str:
    """Return the sign before the sentence of a figure."""
    return SIGNS[change.change.name]


def table_row(change: FigureChange) -> tuple[str, str, str, str, str]:
    """Return the cells of a figure in a table under `HEADER`."""
    share = change.figure.is_share
    if change.outcome is not None:
        changed = change_text(change.outcome.found, share=share)
    else:
        changed = NOTHING if change.difference is None else difference_text(change.difference, share=share)
    return change.figure.text, *change.shown, changed, change.change.value


def comparison_csv(comparison: ComparedRuns) -> str:
    """Return the figures of a comparison as CSV, one row a figure; times in seconds, an unknown value is empty."""
    header = ("figure", "gated", "change", *FIGURES, "sentence")
    rows = [figure_dict(change) for change in comparison.changes]
    return csv_text(header, ([int(row[name]) if name == "gated" else row[name] for name in header] for row in rows))
