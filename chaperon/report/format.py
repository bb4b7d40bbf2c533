"""Times and numbers as printed text. Milliseconds occur only here; elsewhere times are in seconds."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "?"
ROUGH = "~"
AT_LEAST = "≥"
OWN = "*"
MARKS = {
    UNKNOWN: "too few samples to know",
    ROUGH: "95 % interval wider than ±10 %, or under 20 s: too short to know how seconds vary",
    AT_LEAST: "lower bound: the percentile lies among censored samples, which were cut before they ended",
    OWN: "a tenth of it or more may be delay of the generator itself",
}


def listed_text(parts: Sequence[str]) -> str:
    """Return the parts of a list in a sentence: "a", "a and b", "a, b and c"; empty for none."""
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


def time_text(span: float | None) -> str:
    """Return a time in seconds as text: "0.41ms", "23.0ms", "1.20s"; "–" for None."""
    if span is None:
        return "–"
    for bound, factor, digits, unit in ((1e-2, 1e3, 2, "ms"), (0.1, 1e3, 1, "ms"), (1.0, 1e3, 0, "ms")):
        if span < bound:
            return f"{span * factor:.{digits}f}{unit}"
    return f"{span:.2f}s" if span < 100 else f"{span:,.0f}s"


def number_text(value: float | None) -> str:
    """Return a number as text: "3", "2.75", "1,200"; "–" for None."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def share_text(part: int, whole: int) -> str:
    """Return *part* of *whole* in percent: "0%", "1.2%", "100%"; "–" of nothing.

    Only none of them is "0%", only all of them "100%": what is near is "<0.1%" or ">99.9%".
    """
    if not whole:
        return "–"
    if part in (0, whole):
        return "0%" if part == 0 else "100%"
    percent = 100.0 * part / whole
    return "<0.1%" if percent < 0.05 else ">99.9%" if percent >= 99.95 else f"{percent:.1f}%"
