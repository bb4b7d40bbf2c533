"""The rows of the table for a stretch of the run, from the sketches of its seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaperon.measure.precision.stretch import SeriesStretch, stretch_sum
from chaperon.measure.sample import WARM_UP
from chaperon.report.page.payload import clean
from chaperon.report.page.run_control import RunControl
from chaperon.report.page.steps import SeriesName
from chaperon.report.rows import UNTIMED


def zoomed_rows(
    run: RunControl, redact: Callable[[str], str], start: float, end: float, breathe: Callable[[], object]
) -> list[dict[str, Any]]:
    """Return a row for each series with samples from second *start* up to second *end*, without warm-up.

    Times are in seconds. A row is "approximate" where its seconds were kept in longer steps, or where samples
    were cut, whose times are not kept. Blocks while seconds are read; *breathe* is called between two series.
    """
    length = max(end - start, 1.0)
    parts: dict[SeriesName, list[SeriesStretch]] = {}
    for key, stretch in run.stretch(start, end):
        if key.phase != WARM_UP:
            name = SeriesName(clean(redact(key.scenario)), clean(redact(key.name)), key.kind)
            parts.setdefault(name, []).append(stretch)
        breathe()
    return [_row(name, stretch_sum(each), length) for name, each in parts.items()]


def _row(name: SeriesName, stretch: SeriesStretch, length: float) -> dict[str, Any]:
    timed = name.kind not in UNTIMED
    times = {each: stretch.quantile(q) if timed else None for each, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    return {
        **name._asdict(),
        "count": stretch.count,
        "errors": stretch.bad + stretch.censored,
        "rate": stretch.count / length,
        **times,
        "max": stretch.good.high if stretch.good else None,
        "approximate": stretch.coarse or stretch.censored > 0,
    }
