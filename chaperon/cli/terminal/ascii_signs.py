"""ASCII in place of signs that the encoding of a stream lacks."""

from __future__ import annotations

import codecs

ASCII = {"·": "|", "×": "x", "–": "-", "…": "~", "≥": ">=", "±": "+-", "→": "->", "✕": "x"}
"""What is printed in place of signs that an encoding lacks."""
SPELLED = "chaperon.spelled"
"""The name of the error handler of encodings that does so, and escapes other characters."""


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what is encoded in place of characters that an encoding lacks: an error handler of `codecs`."""
    if isinstance(error, UnicodeEncodeError) and (ascii_sign := ASCII.get(error.object[error.start])) is not None:
        return ascii_sign, error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(SPELLED, _spell)


def spelled(text: str, encoding: str | None) -> str:
    """Return *text* as a stream of *encoding* shows it: signs that this lacks in ASCII, other characters escaped."""
    if encoding is None or text.isascii():
        return text
    return text.encode(encoding, SPELLED).decode(encoding)
