"""The environment variables that a key may come in."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

VARIABLE = "CHAPERON_KEY"
"""Holds the line of a key."""

FILE_VARIABLE = "CHAPERON_KEY_FILE"
"""Holds the path of a key file."""


def remove_key(environ: MutableMapping[str, str]) -> Mapping[str, str]:
    """Remove the key's line from *environ*, so that no scenario sees it; return all variables as they were."""
    found = dict(environ)
    environ.pop(VARIABLE, None)
    return found


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of *environ* for a child process, with neither variable in it."""
    return {name: value for name, value in environ.items() if name not in (VARIABLE, FILE_VARIABLE)}
