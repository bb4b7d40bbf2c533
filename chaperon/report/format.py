"""Values as people read them; milliseconds exist only here."""

from __future__ import annotations

UNKNOWN = "?"
ROUGH = "~"
AT_LEAST = "≥"
OWN = "*"
MARKS = {
    UNKNOWN: "too few samples to know",
    ROUGH: "95 % interval wider than ±10 %",
    AT_LEAST: "at least: it falls among censored samples, which were cut before they ended",
    OWN: "a tenth of it or more may be the generator's own",
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
