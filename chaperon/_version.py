"""The one place the version stands."""

from importlib.util import find_spec

VERSION = "0.1.0"


def version_text() -> str:
    """Return what `chaperon --version` prints: the version, and whether the hot paths are compiled."""
    return f"chaperon {VERSION}, {'compiled' if find_spec('chaperon.visit__mypyc') else 'as written'}"
