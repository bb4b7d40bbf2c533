"""Texts of the live view: cleaned, measured in columns, cut to a width."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len
from rich.text import Text

from chaperon.cli.terminal.clean_text import clean_line
from chaperon.report.output_parts.series_table import cut_middle

LABEL = 10
"""Columns of the labels on the left."""
SEPARATOR = " · "
_DROPPED = ("Cf", "Me", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of characters whose width terminals do not agree on, such as joiners."""
_VARIATION = range(0xFE00, 0xFE10)
STACKED = 2
"""Combining marks that are kept on one character."""


def shown(text: str) -> str:
    """Return *text* as one line that is as wide in any terminal as it is measured here; secrets are masked."""
    line = clean_line(text).replace("\t", " ")
    if line.isascii():
        return line
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", line):
        category = unicodedata.category(char)
        marks = marks + 1 if category == "Mn" else 0
        if category == "Zs":  # a space that does not break, or of another width
            kept.append(" ")
        elif category not in _DROPPED and ord(char) not in _VARIATION and marks <= STACKED:
            kept.append(char)
    return "".join(kept)


def cut(text: str, width: int) -> str:
    """Return *text*, cleaned, in at most *width* columns; what is too long loses its middle."""
    return cut_middle(shown(text), max(width, 0))


def padded(text: str, width: int) -> str:
    """Return *text* in exactly *width* columns: cut, or with spaces behind it."""
    line = cut(text, width)
    return line + " " * (width - cell_len(line))


def flowed(parts: list[str], width: int) -> str:
    """Return as many of *parts*, the first ones first, as fit into *width* columns, separated."""
    line = ""
    for part in filter(None, parts):
        longer = f"{line}{SEPARATOR}{part}" if line else part
        if cell_len(longer) > width:
            break
        line = longer
    return line


def labelled(label: str, *parts: tuple[str, str] | str) -> Text:
    """Return a line: a dim label, then *parts*, each a text or a (text, style) pair."""
    line = Text(no_wrap=True, overflow="crop", end="")
    line.append(padded(label, LABEL), "dim")
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(text, style)
    return line
