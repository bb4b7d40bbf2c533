"""A count with its noun, in the singular or plural."""

from __future__ import annotations


def count_text(number: float, noun: str, plural: str = "") -> str:
    """Return *number* with *noun*: "1 user", "2 users", "1,000 visits". *plural* is for nouns whose plural adds no s.

    Whole numbers have thousands separators; others are written with up to six significant digits.
    """
    figure = f"{int(number):,}" if float(number).is_integer() else f"{number:g}"
    return f"{figure} {noun if number == 1 else plural or f'{noun}s'}"
