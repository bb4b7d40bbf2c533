"""Text as one line that cannot control a terminal."""

from __future__ import annotations

import re

# line and paragraph separators, bidirectional marks, embeddings, overrides, isolates
_MARKS = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
# without width: a name with one looks like another; fillers, annotations, tags
_INVISIBLE = (
    0xAD, 0x115F, 0x1160, 0x180E, 0x200B, *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0x3164, 0xFFA0,
    *range(0xFFF9, 0xFFFC), 0xE0001, *range(0xE0020, 0xE0080),
)  # fmt: skip
STEERING = (*range(32), *range(127, 160), *_MARKS, *_INVISIBLE)
"""Characters that control a terminal or change how a line reads: C0 and C1 controls and those above."""
_JOINERS = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])")
"""Joiners that join nothing: within a word of Persian or Hindi, and in an emoji, they belong to the text."""


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_UNSEEN = {
    **{code: _escaped(code) for code in STEERING},
    **{ord(char): escaped for char, escaped in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))},
}


def one_line(text: str) -> str:
    """Return *text* as one line that cannot control a terminal.

    Control, bidi and line characters are escaped, and those without width.
    """
    if text.isprintable() and text.isascii():
        return text
    return _JOINERS.sub(lambda joiner: _escaped(ord(joiner[0])), text.translate(_UNSEEN))
