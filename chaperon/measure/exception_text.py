"""The description of an exception of any class: short, encodable, made even where its own code raises."""

from __future__ import annotations

from chaperon.interrupts import class_of, is_interrupt
from chaperon.measure.plain_text import encodable

LONGEST_NAME = 100
LONGEST_TEXT = 2_000
"""Characters that are kept of a class's name, of an exception's text."""


def class_name(exc: BaseException) -> str:
    """Return the name of the class of *exc*, encodable and at most 100 characters long."""
    return encodable(class_of(exc), LONGEST_NAME) or "(unnamed class)"


def text_of(exc: BaseException) -> str:
    """Return what *exc* says, encodable and at most 2,000 characters long; where `str` raises, that it does.

    Raises only an interrupt, where the text of the exception waited for something.
    """
    try:
        return encodable(str(exc), LONGEST_TEXT)
    except BaseException as odd:
        if is_interrupt(odd):
            raise
        return f"(no text: its str() raised {class_name(odd)})"


def describe(exc: BaseException) -> str:
    """Return "Class: text"."""
    return f"{class_name(exc)}: {text_of(exc)}"
