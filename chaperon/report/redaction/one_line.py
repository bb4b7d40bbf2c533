"""Text as one line that cannot control a terminal."""

from __future__ import annotations

# line and paragraph separators, bidirectional marks, embeddings, overrides, isolates
_MARKS = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
STEERING = (*range(32), *range(127, 160), *_MARKS)
"""Characters that control a terminal or change how a line reads: C0 and C1 controls and the marks above."""
_UNSEEN = {
    **{code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in STEERING},
    **{ord(char): escaped for char, escaped in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))},
}


def one_line(text: str) -> str:
    """Return *text* as one line that cannot control a terminal: control, bidi and line characters are escaped."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSEEN)
