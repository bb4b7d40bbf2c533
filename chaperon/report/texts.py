"""Applying one function to every text of a report or a window, for redaction and escaping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from chaperon.measure.exchange import first_exchanges
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, VisitCounts, Window
from chaperon.report.redaction.redaction import redacted, redacted_line
from chaperon.report.report import ErrorRow, Report
from chaperon.report.rows import Row

Change = Callable[[str], str]
T = TypeVar("T")

_STRUCTURE = frozenset({"kind", "verdict", "chaperon", "started", "seconds", "health", "latest", "redact"})
"""Fields whose texts come from Chaperon itself and are not changed."""


def map_texts(report: Report, change: Change) -> Report:
    """Return *report* with *change* applied to each of its texts; rows and errors that become equal are merged."""
    changed = _fields(report, change)
    return replace(changed, rows=_rows(changed.rows), errors=_errors(changed.errors))


def one_line_texts(report: Report) -> Report:
    """Return *report* with every text redacted and on one line, but those of errors, which are only redacted."""
    errors = map_texts(replace(report, rows=(), series={}), redacted).errors
    return replace(map_texts(report, redacted_line), errors=errors)


def map_window_texts(window: Window, change: Change) -> Window:
    """Return *window* with *change* applied to the texts of errors, notes, events, unreached targets and exchanges.

    Names of series stay unchanged, because limits refer to them.
    """
    if not (window.errors or window.notes or window.happenings or window.unreached or window.exchanges):
        return window
    return replace(
        window,
        errors={
            where: replace(error, sample=change(error.sample), where=change(error.where))
            for where, error in window.errors.items()
        },
        notes=_mapped(window.notes, change),
        happenings=tuple(replace(event, text=change(event.text)) for event in window.happenings),
        unreached=_mapped(window.unreached, change),
        exchanges=tuple(
            replace(map_fields(each, change), scenario=each.scenario, series=each.series, error=each.error)
            for each in window.exchanges
        ),
    )


def map_fields(value: T, change: Change) -> T:
    """Return the dataclass *value* with each text in its fields changed; what has one name by then is added up."""
    return _fields(value, change)


def _value(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Key):
        tags = tuple((change(name), change(tag)) for name, tag in value.tags)
        changed_key = value._replace(
            scenario=change(value.scenario), name=change(value.name), phase=change(value.phase), tags=tags
        )
        return value if changed_key == value else changed_key
    if isinstance(value, Mapping):
        return _mapped(value, change)
    if isinstance(value, (tuple, list)):
        changed = tuple(_value(each, change) for each in value)
        return value if all(new is old for new, old in zip(changed, value, strict=True)) else changed
    if is_dataclass(value) and not isinstance(value, (Series, VisitCounts, type)):
        return _fields(value, change)
    return value


def _fields(value: T, change: Change) -> T:
    """Return a dataclass with *change* applied to its fields; the same object if nothing changed."""
    changed: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]
        old = getattr(value, field.name)
        if field.name in _STRUCTURE or not field.init or old is None or isinstance(old, (int, float, set)):
            continue
        new = _value(old, change)
        if new is not old:
            changed[field.name] = new
    return replace(value, **changed) if changed else value  # type: ignore[type-var]


def _mapped(values: Mapping[Any, Any], change: Change) -> Mapping[Any, Any]:
    """Return *values* with *change* applied to keys and values; the same object if nothing changed."""
    result: dict[Any, Any] = {}
    same = True
    for key, value in values.items():
        name, new = _value(key, change), _value(value, change)
        same = same and name is key and new is value
        result[name] = _sum(result[name], new) if name in result else new
    return values if same else result


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, Series):
        return Series.merge_all([one, other])
    if isinstance(one, (VisitCounts, ErrorCount)):
        total: Any = copy(one)
        total.add(other)
        return total
    return one + other if isinstance(one, (int, float)) else one


def _rows(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    merged: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = row.scenario, row.name, row.kind
        same = merged.get(key)
        merged[key] = row if same is None else replace(same, series=Series.merge_all([same.series, row.series]))
    return tuple(merged.values())


def _errors(errors: tuple[ErrorRow, ...]) -> tuple[ErrorRow, ...]:
    merged: dict[tuple[str, str, str], ErrorRow] = {}
    for row in errors:
        key = row.scenario, row.series, row.error
        same = merged.get(key)
        if same is not None:
            first = min(same, row, key=lambda each: each.first)
            exchanges = first_exchanges([*same.exchanges, *row.exchanges])
            last = max(same.last, row.last)
            row = replace(first, count=same.count + row.count, last=last, exchanges=exchanges)
        merged[key] = row
    return tuple(sorted(merged.values(), key=lambda row: -row.count))
