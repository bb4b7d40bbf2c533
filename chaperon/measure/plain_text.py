"""Text from outside, made fit to be encoded anywhere."""

from __future__ import annotations

from chaperon.interrupts import class_of, is_interrupt

LABEL = 200
"""Characters of a name: of a scenario, a worker, a host, a unit, a class of error."""
NAME = 500
"""Characters of the name of a series."""
WORDS = 500
"""Characters of what an error, a note, a reason says."""


def encodable(text: object, most: int = WORDS) -> str:
    """Return *text* as a plain string of at most *most* characters that every codec for Unicode takes.

    A lone surrogate, which is half of a character that was cut, stays readable as its escape
    (`\\ud83d`), so that two texts that differ still do. What is cut ends in an ellipsis. A value
    that is no text is taken by its `str`. Raises only an interrupt, where that waited for something.
    """
    if type(text) is not str:
        text = _text_of(text)
    if text.isascii():
        return text if len(text) <= most else f"{text[: most - 1]}…"
    text = text[: most + 1]
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text_of(value: object) -> str:
    try:
        return str.__str__(value if issubclass(type(value), str) else str(value))
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        return f"a {class_of(value)} that cannot be put into words"
