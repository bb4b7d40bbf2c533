"""What the terminal that standard error is can show."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from chaperon.cli.terminal.printing import stdout_is_piped

SIGNS = "━▁▂▃▄▅▆▇█·×–≥…"
"""The characters that the live view draws with."""


def in_ci(environ: Mapping[str, str]) -> bool:
    """Return whether the variable CI of *environ* says that it is one of continuous integration."""
    return environ.get("CI", "") not in ("", "0", "false")


def redraws(environ: Mapping[str, str]) -> bool:
    """Return whether standard error is a terminal on which lines can be redrawn, and no pager may use it as well."""
    capable = environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return terminal and capable and not in_ci(environ) and not stdout_is_piped()


def fits_live_view(environ: Mapping[str, str]) -> bool:
    """Return whether the live view can be shown: on a capable terminal, without CI and NO_COLOR in *environ*."""
    if environ.get("NO_COLOR") or not redraws(environ):
        return False
    try:
        SIGNS.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
