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
