"""Figures of a report that delays of the generator may have distorted: the warning, and limits invalidated by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaperon.measure.precision.confidence import PERCENTILES
from chaperon.measure.quantity import count_text
from chaperon.report.format import time_text
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.limits.limits import Limit
from chaperon.report.rows import UNTIMED, Row, generator_part_of, shown_value
from chaperon.report.totals import Totals
from chaperon.report.validity.generator_part import INVALIDATING, GeneratorPart, is_marked

CLEAR = 20.0
"""A limit on the longest time that holds by more than this factor does not hang on the generator's part of the time."""

_Figure = tuple[float, float, str]
"""(value, part of it that may be delay of the generator, name); times in seconds"""


def lateness_warning(rows: Sequence[Row], own: GeneratorPart) -> str | None:
    """Return a warning about percentiles of which a tenth or more may be delay of the generator, None without any."""
    found = [f for f in _printed(rows, own) if is_marked(f[0], f[1])]
    if not found:
        return None
    value, part, name = max(found, key=lambda f: min(f[0], f[1]))
    number = count_text(len(found), "percentile") if len(found) > 1 else "one percentile"
    worst = "the worst is" if len(found) > 1 else "it is"
    text = f"a tenth or more of {number} (marked *) may be generator delay"
    return f"{text}; {worst} {name}: up to {time_text(min(part, value))} of {time_text(value)}"


def invalidated_limits(
    limits: Sequence[Limit],
    results: Sequence[LimitResult],
    totals: Totals,
    own: GeneratorPart,
    share: float | None = INVALIDATING,
) -> list[str]:
    """Return a reason for each limit that hangs on a time of which *share* or more may be delay of the generator.

    Delay of the generator makes times longer only: a bound from above that holds by a factor of
    `CLEAR`, with that delay, holds without it.
    """
    reasons: list[str] = []
    if share is None:
        return reasons
    for limit, result in zip(limits, results, strict=True):
        if result.held and limit.op.startswith("<") and result.value is not None and result.value * CLEAR < limit.value:
            continue
        part = _part_of(limit, totals, own)
        if part is not None and result.value is not None and own.invalidates(result.value, part, share):
            most = f"up to {time_text(min(part, result.value))} of {result.shown} may be delay of the generator itself"
            reasons.append(f"{limit.text} was evaluated on a time that is not the target's: {most}")
    return reasons


def _printed(rows: Sequence[Row], own: GeneratorPart) -> Iterator[_Figure]:
    for row in rows:
        if row.kind in UNTIMED:
            continue
        of = f"{row.name} of {row.scenario}" if row.scenario else row.name
        for name, q in PERCENTILES.items():
            value, part = shown_value(row.service, q), generator_part_of(row, q, own)
            if value is not None and part is not None:
                yield value, part, f"{name} of {of}" if row.response is None else f"{name} of {of}, from its start"
            if row.response is None:
                continue
            value, part = shown_value(row.response, q), generator_part_of(row, q, own, response=True)
            if value is not None and part is not None:
                yield value, part, f"{name} of {of}, from when due"


def _part_of(limit: Limit, totals: Totals, own: GeneratorPart) -> float | None:
    """Return the part of a limit's value that may be delay of the generator, in seconds; None if it is not a time."""
    if limit.what == "mean":
        q = 0.5
    elif limit.what == "max":
        q = 1.0
    elif limit.what.startswith("p"):
        q = float(limit.what[1:]) / 100
    else:
        return None
    limit = limit.reading_for(totals.series)
    keys = [key for key in totals.series if limit.covers(key) and key.kind not in UNTIMED]
    due = any(totals.series[key].response for key in keys)
    response = limit.clock == "response" or (limit.clock is None and due)
    of = own.response if response else own.service
    parts = [part for key in keys if (part := of(q, key.scenario, key.kind)) is not None]
    return max(parts, default=None)
