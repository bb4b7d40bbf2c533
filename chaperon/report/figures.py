"""Values as people read them; milliseconds exist only here."""

from __future__ import annotations

from chaperon.measure.sketch import Sketch

UNKNOWN = "?"
ROUGH = "~"
MARKS = {
    UNKNOWN: "too few samples to know",
    ROUGH: "95 % interval wider than ±10 %",
}


def time_text(span: float | None) -> str:
    """Return seconds as text: "0.41ms", "23.0ms", "1.20s"; "–" for no value."""
    if span is None:
        return "–"
    for bound, factor, digits, unit in ((1e-2, 1e3, 2, "ms"), (0.1, 1e3, 1, "ms"), (1.0, 1e3, 0, "ms")):
        if span < bound:
            return f"{span * factor:.{digits}f}{unit}"
    return f"{span:.2f}s" if span < 100 else f"{span:,.0f}s"


def number_text(value: float | None) -> str:
    """Return a plain value: "3", "2.75"; "–" for none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def percentile_text(sketch: Sketch, q: float) -> str:
    """Return a percentile of times: "?" where there are too few samples, "~" before one that is only roughly known."""
    if not sketch:
        return time_text(None)
    value, interval = sketch.known(q), sketch.interval(q)
    if value is None or interval is None:
        return UNKNOWN
    return f"{ROUGH if interval.rough(value) else ''}{time_text(value)}"
