"""Sets of seconds: runs of consecutive ones, and their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaperon.report.format import listed_text


def consecutive(seconds: Sequence[int] | Mapping[int, object], least: int) -> list[int]:
    """Return those seconds that belong to a sequence of at least *least* consecutive ones."""
    kept: list[int] = []
    row: list[int] = []
    for second in sorted(seconds):
        if row and second != row[-1] + 1:
            row = []
        row.append(second)
        if len(row) == least:
            kept += row
        elif len(row) > least:
            kept.append(second)
    return kept


def format_seconds(seconds: Sequence[int] | Mapping[int, object] | set[int]) -> str:
    """Return seconds as text: "second 3", "seconds 3–9 and 12"; beyond five ranges only the number of the rest."""
    spans: list[list[int]] = []
    for second in sorted(seconds):
        if spans and second == spans[-1][1] + 1:
            spans[-1][1] = second
        else:
            spans.append([second, second])
    shown = [f"{a}" if a == b else f"{a}–{b}" for a, b in spans[:5]]
    if len(spans) > 5:
        shown.append(f"{sum(b - a + 1 for a, b in spans[5:])} more")
    text = listed_text(shown)
    return f"second {text}" if len(spans) == 1 and spans[0][0] == spans[0][1] else f"seconds {text}"
