"""Texts of quantities: a count with its noun, a list of names."""

from __future__ import annotations

from collections.abc import Collection


def count_text(number: float, noun: str, plural: str = "") -> str:
    """Return *number* with *noun*: "1 user", "2 users", "1,000 visits". *plural* is for nouns whose plural adds no s.

    Whole numbers have thousands separators; others are written with up to six significant digits.
    """
    figure = f"{int(number):,}" if float(number).is_integer() else f"{number:g}"
    return f"{figure} {noun if number == 1 else plural or f'{noun}s'}"


def names_text(names: Collection[str], most: int) -> str:
    """Return names as a list in a sentence; beyond *most* of them only the number of the rest."""
    shown = [*names][:most]
    return ", ".join(shown) if len(names) <= most else f"{', '.join(shown)} and {len(names) - most:,} more"
