"""Secrets, kept out of every output."""

from __future__ import annotations

import re

_SECRETS = (
    re.compile(r"(?i)(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?i)\b(?<=bearer )[\w.~+/=-]+"),
    re.compile(r"(?i)\b(?<=basic )[\w.~+/=-]+"),
    re.compile(r"(?i)(?:(?<=token=)|(?<=password=)|(?<=secret=)|(?<=api_key=)|(?<=key=))[^&\s'\"]+"),
)


def masked(text: str) -> str:
    """Return *text* with what looks like a secret replaced: credentials in URLs, tokens."""
    for pattern in _SECRETS:
        text = pattern.sub("***", text)
    return text


_CONTROL = {**{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}, 9: "\\t", 10: "\\n", 13: "\\r"}


def plain(text: str) -> str:
    """Return what others named or said as one line: secrets masked, nothing in it that steers a terminal."""
    return masked(text).translate(_CONTROL)
