"""Texts, cleaned for printing: secrets are masked and control characters escaped."""

from __future__ import annotations

from collections.abc import Iterable

from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.redaction import Redactor

INDENT = "    "
"""Prefix of the lines of a text after its first, so that a text from a target cannot imitate a line of Chaperon."""

REDACT = Redactor()
"""Masks the secrets of this process."""


def hide(secrets: Iterable[str]) -> None:
    """Mask *secrets* in everything printed from now on."""
    REDACT.add(secrets)


def clean_line(text: str) -> str:
    """Return *text* as one line: secrets masked, control characters and line breaks escaped, tabs kept."""
    masked = REDACT(text)
    return "\t".join(map(one_line, masked.split("\t"))) if "\t" in masked else one_line(masked)


def clean_lines(text: str) -> str:
    """Return *text* as clean lines, all but the first indented."""
    first, *more = text.split("\n")
    return "\n".join([clean_line(first), *(INDENT * bool(line) + clean_line(line) for line in more)])
