"""Which rows the tables for people show, with which times, and what is said of those left out."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.measure.quantity import count_text
from chaperon.report.format import OWN, time_text
from chaperon.report.percentiles import percentile_text
from chaperon.report.report import Report
from chaperon.report.rows import UNTIMED, VALUES, Row, requests_of

SHOWN = 40
"""Maximum number of series in a table for people."""


def important_rows(rows: Sequence[Row], limits: Sequence[str], most: int = SHOWN) -> list[Row]:
    """Return *rows*, in their order; of more than *most* those that the text of a limit names, then the busiest ones.

    Steps, visits, checks and the like come before requests: their names are the author's, those
    of requests may be made by the target.
    """
    if len(rows) <= most:
        return list(rows)
    requests = set(map(id, requests_of(rows)))

    def importance(row: Row) -> tuple[bool, bool, int]:
        return any(row.name in text for text in limits), id(row) not in requests, row.count

    kept = set(map(id, sorted(rows, key=importance, reverse=True)[:most]))
    return [row for row in rows if id(row) in kept]


def left_out_text(rows: Sequence[Row], shown: Sequence[Row]) -> str:
    """Return how many of *rows* are not *shown*, with their samples and errors; "" if all are."""
    more = len(rows) - len(shown)
    if not more:
        return ""
    samples = sum(row.count for row in rows) - sum(row.count for row in shown)
    errors = sum(row.errors for row in rows) - sum(row.errors for row in shown)
    return f"{more:,} more series ({count_text(samples, 'sample')}, {errors:,} in error) are in the JSON report"


@lazy_dataclass(frozen=True, slots=True)
class TablePart:
    """The rows of one table for people, those of them that are *shown*, and *left_out*, which says how many are not."""

    rows: Sequence[Row]
    shown: Sequence[Row]
    left_out: str


def table_parts(rows: Sequence[Row], limits: Sequence[str]) -> tuple[TablePart, TablePart, TablePart]:
    """Return the tables that *rows* are shown in: those with times, checks, other counts and values.

    *limits* are the texts of the limits; see `important_rows`.
    """
    timed, checks, others = (
        _table_part([row for row in rows if kinds(row.kind)], limits)
        for kinds in (lambda kind: kind not in UNTIMED, lambda kind: kind == "check", lambda kind: kind in VALUES)
    )
    return timed, checks, others


def _table_part(rows: Sequence[Row], limits: Sequence[str]) -> TablePart:
    shown = important_rows(rows, limits)
    return TablePart(rows, shown, left_out_text(rows, shown))


def times_of(report: Report, row: Row, *, response: bool = False) -> dict[str, str]:
    """Return the percentiles of a row with their marks, and `max`, as text by column.

    They are service times, or with *response* response times where the row has them.
    """
    population = row.response if response and row.response is not None else row.service
    cells = {}
    for name, share in PERCENTILES.items():
        own = OWN if report.falsified(row, 100 * share, response=response) else ""
        cells[name] = percentile_text(population, share) + own
    return {**cells, "max": time_text(population.high if population.good else None)}
