"""The report as GitHub-flavoured Markdown, for a comment, a wiki or a job summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from chaperon.measure.quantity import count_text
from chaperon.report.events.event_groups import event_groups, event_line
from chaperon.report.events.note_text import note_text
from chaperon.report.exchanges.exchange_names import exchange_paths
from chaperon.report.exchanges.exchange_text import summary_text
from chaperon.report.format import MARKS, number_text, share_text, time_text
from chaperon.report.outputs.file_output import FileOutput
from chaperon.report.percentiles import percentile_text
from chaperon.report.redaction.redaction import redacted_line
from chaperon.report.report import ErrorRow, Report
from chaperon.report.rows import ALL_SCENARIOS, IN_ERROR, Row, requests_of, total_of
from chaperon.report.table_parts import TablePart, table_parts, times_of
from chaperon.report.texts import one_line_texts

SIGNS = {"PASS": "✓", "FAIL": "✕", "INVALID": "⚠", "ABORTED": "■"}
ERRORS_SHOWN = 20
EVENTS_SHOWN = 30
LONGEST = 200
"""Characters of a name or message: the middle of a longer one is left out."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$@])")
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_TIMES = (*_SHARES, "max")
_TIMED = ("series", "count", "errors", "err %", "rate/s", *_TIMES)
_TIMED_ALIGN = "l r r r r r r r r"


class MarkdownOutput(FileOutput):
    """Writes the report to *path* as Markdown."""

    def text(self, report: Report) -> str:
        """Return the report as Markdown."""
        return markdown_text(report, self._exchange_folder)


def markdown_text(report: Report, exchange_folder: str = "") -> str:
    """Return the report as Markdown: verdict and reasons first, then limits, series, errors, ledger, notes.

    *exchange_folder* is the folder with the exchanges of errors, whose files are named; "" without one.
    """
    report = one_line_texts(report)
    sign = SIGNS[report.verdict.value]
    lines = [f"## {sign} {cell(report.headline)} · {cell(report.environment)} · {report.duration:.1f} s", ""]
    lines += [f"- {cell(reason)}" for reason in report.reasons_below] + [""] * bool(report.reasons_below)
    lines += _limits(report)
    for scenario in dict.fromkeys(row.scenario for row in report.rows):
        lines += _series(scenario, [row for row in report.rows if row.scenario == scenario], report)
    lines += _all_scenarios(report)
    lines += _marks(lines)
    lines += _errors(report, exchange_folder)
    for label, counts in report.ledger.items():
        lines.append(f"- visits of {cell(label)}: {counts.planned:,} planned = {counts.outcomes}")
    events = event_groups(report.happenings)
    lines += [f"- {cell(event_line(event, len(report.workers)))}" for event in events[:EVENTS_SHOWN]]
    if len(events) > EVENTS_SHOWN:
        lines.append(f"- {count_text(len(events) - EVENTS_SHOWN, 'further event')} in the JSON report")
    lines += [f"- note: {cell(note_text(note, times))}" for note, times in report.notes.items()]
    lines += [f"- warning: {cell(warning)}" for warning in report.warnings]
    lines += ["", f"seed {report.seed} · started {cell(report.started)} · Chaperon {report.chaperon}", ""]
    return "\n".join(lines)


def _limits(report: Report) -> list[str]:
    if not report.limits:
        return []
    rows = [
        (
            cell(limit.limit),
            cell(limit.shown),
            ("held" if limit.held else "**broke**") + ("" if limit.at is None else f" at {limit.at} s"),
            cell(limit.remark),
        )
        for limit in report.limits
    ]
    return table(("limit", "value", "", "note"), rows, "l r l l")


def _series(scenario: str, rows: Sequence[Row], report: Report) -> list[str]:
    timed, checks, others = table_parts(rows, [limit.limit for limit in report.limits])
    lines = [f"### {cell(scenario)}", ""]
    if timed.rows:
        figures = [line for row in timed.shown for line in _timed(report, row)]
        if requests_of(timed.rows):
            figures.append(_total(report, total_of(timed.rows, scenario)))
        lines += table(_TIMED, figures, _TIMED_ALIGN) + _more(timed)
    if checks.rows:
        header: tuple[str, ...] = ("checks", "count", "failed", "passed")
        lines += table(header, map(_check, checks.shown), "l r r r") + _more(checks)
    if others.rows:
        header = ("counts, values", "count", "errors", "sum", "last")
        lines += table(header, map(_untimed, others.shown), "l r r r r") + _more(others)
    return lines


def _all_scenarios(report: Report) -> list[str]:
    """Return the table of all requests, empty if they are of one scenario."""
    if len({row.scenario for row in requests_of(report.rows)}) < 2:
        return []
    return [f"### {ALL_SCENARIOS}", "", *table(_TIMED, [_total(report, report.totals[-1])], _TIMED_ALIGN)]


def _more(part: TablePart) -> list[str]:
    return [part.left_out, ""] if part.left_out else []


def _timed(report: Report, row: Row) -> list[tuple[str, ...]]:
    """Return the line of a row, and one with the times of its samples in error."""
    due = row.response is not None
    name = cell(row.name) + (", from when due" if due else "")
    lines = [_figures(name, row, times_of(report, row, response=due))]
    if row.bad:
        spread = [percentile_text(row.in_error, share) for share in _SHARES.values()]
        lines.append((f"… {IN_ERROR}", f"{row.bad.count:,}", "", "", "", *spread, time_text(row.bad.high)))
    return lines


def _total(report: Report, row: Row) -> tuple[str, ...]:
    return _figures(f"**{row.name}**", row, times_of(report, row))


def _figures(name: str, row: Row, times: Mapping[str, str]) -> tuple[str, ...]:
    errors = f"{row.errors:,}", cell(share_text(row.errors, row.count))
    return (name, f"{row.count:,}", *errors, f"{row.rate:,.1f}", *(times[column] for column in _TIMES))


def _check(row: Row) -> tuple[str, ...]:
    return cell(row.name), f"{row.count:,}", f"{row.errors:,}", cell(share_text(row.count - row.errors, row.count))


def _untimed(row: Row) -> tuple[str, ...]:
    total = "" if row.kind == "gauge" else number_text(row.total)
    return (cell(row.name), f"{row.count:,}", f"{row.errors:,}", total, number_text(row.last))


def _marks(lines: Sequence[str]) -> list[str]:
    """Return an explanation of the marks that times in the tables of series carry."""
    first = _TIMED.index(_TIMES[0])
    times = "".join(text for line in lines if line.startswith("| ") for text in line.split(" | ")[first:])
    found = [f"{cell(mark)} {meaning}" for mark, meaning in MARKS.items() if mark in times]
    return [" · ".join(found), ""] if found else []


def _errors(report: Report, exchange_folder: str) -> list[str]:
    if not report.errors:
        return []
    rows = [
        (
            f"{row.count:,}",
            cell(row.error),
            cell(f"{row.series} in {row.scenario}"),
            row.when.replace(" to ", "–"),
            cell(row.sample),
            cell(summary_text(row.exchanges[0])) if row.exchanges else "",
            *([cell(_first_file(exchange_folder, row))] if exchange_folder else []),
        )
        for row in report.errors[:ERRORS_SHOWN]
    ]
    header = ["count", "error", "where", "when", "first message", "first request"]
    header += ["file"] * bool(exchange_folder)
    lines = ["### errors", "", *table(header, rows, f"r{' l' * (len(header) - 1)}")]
    if len(report.errors) > ERRORS_SHOWN:
        lines += [f"{len(report.errors) - ERRORS_SHOWN:,} more classes of errors are in the JSON report", ""]
    return lines


def _first_file(exchange_folder: str, row: ErrorRow) -> str:
    return next(iter(exchange_paths(exchange_folder, row)), "")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> list[str]:
    """Return a table and an empty line. *align* has one of l and r for each column; cells must be escaped."""
    rule = ["---:" if side == "r" else "---" for side in align.split()]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)] + [""]


def cell(text: str) -> str:
    """Return *text* as one line of plain text in Markdown: shortened in the middle, special characters escaped."""
    line = redacted_line(text)
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    return _SPECIAL.sub(r"\\\1", line).replace("&", "&amp;")
