"""Column charts made of block characters."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"
GAP = "·"
"""The cell of a missing value."""


def columns(values: Sequence[float | None], *, height: int = 8, top: float | None = None) -> list[str]:
    """Return a chart of *height* lines, one column per value.

    *top* is the value of a column of full height, by default the maximum. A positive value shows
    at least the smallest block.
    """
    most = max((v for v in values if v is not None), default=0.0) if top is None else top
    steps = [_steps(v, most, height) for v in values]
    lines = []
    for row in reversed(range(height)):
        lines.append("".join(_cell(step, row) for step in steps))
    return lines


def framed(values: Sequence[float | None], labels: Sequence[str], foot: str, *, height: int = 8) -> list[str]:
    """Return the chart with an axis on its left, the *labels* of its top and bottom, and *foot* as the last line."""
    lines = columns(values, height=height)
    wide = max(map(len, labels))
    beside = [labels[0], *("" for _ in lines[2:]), labels[-1]] if len(lines) > 1 else [labels[0]]
    drawn = [f"{label:>{wide}} ┤{line}" for label, line in zip(beside, lines, strict=True)]
    return [*drawn, f"{'':>{wide}} └{'─' * len(values)}", f"{'':>{wide}}  {foot}"]


def _steps(value: float | None, most: float, height: int) -> int | None:
    if value is None:
        return None
    if value <= 0.0 or most <= 0.0:
        return 0
    return max(min(round(value / most * height * 8), height * 8), 1)


def _cell(step: int | None, row: int) -> str:
    if step is None:
        return GAP if row == 0 else " "
    return _BLOCKS[min(max(step - row * 8, 0), 8)]
