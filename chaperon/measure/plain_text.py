"""Text from scenarios and servers, made encodable as UTF-8 and limited in length."""

from __future__ import annotations

from chaperon.interrupts import class_of, is_interrupt

LABEL = 200
"""Maximum length, in characters, of the name of a scenario, worker, host, unit or error class."""
NAME = 500
"""Maximum length, in characters, of the name of a series."""
WORDS = 500
"""Maximum length, in characters, of the text of an error, a note or a reason."""


def encodable(text: object, most: int = WORDS) -> str:
    """Return *text* as a `str` of at most *most* characters that can be encoded as UTF-8.

    A lone surrogate (half of a character) is replaced by its escape (`\\ud83d`), so that
    different texts stay different. Longer texts are cut and end in an ellipsis. Other values
    are converted by `str`. Raises only an interrupt, if one arrives while `str` waits.
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


def excerpt(value: object, most: int = 60) -> str:
    """Return the `repr` of *value* in at most *most* characters, cut as by `encodable`.

    An ellipsis marks every cut of a text that is shown: redaction finds the beginning of a secret before it.
    """
    try:
        text = repr(value[: most + 1] if isinstance(value, (str, bytes)) else value)
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        text = f"a {class_of(value)} whose repr() raised an exception"
    return encodable(text, most)


def _text_of(value: object) -> str:
    try:
        return str.__str__(value if issubclass(type(value), str) else str(value))
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        return f"a {class_of(value)} whose str() raised an exception"
