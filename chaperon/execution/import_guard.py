"""Modules beside a scenario: never imported in place of Python's own, or of a library Chaperon stands on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

LIBRARIES = frozenset(
    {
        "accumulation_tree",
        "certifi",
        "cffi",
        "chaperon",
        "charset_normalizer",
        "click",
        "fastdigest",
        "gevent",
        "geventwebsocket",
        "greenlet",
        "httptools",
        "idna",
        "lxml",
        "markdown_it",
        "mdurl",
        "lz4",
        "msgpack",
        "pycparser",
        "pygments",
        "pyudorandom",
        "requests",
        "rich",
        "tdigest",
        "typing_extensions",
        "urllib3",
        "websocket",
        "websockets",
        "zmq",
        "zope",
    }
)
"""What has to be the library whenever it is imported, with all that it needs in turn."""


def search(folder: str, *, first: bool = False) -> None:
    """Let modules be imported from *folder*, but for those that have a library's name.

    It is looked in before all others, unless it is on the path already; with *first* in any case.
    """
    if first and folder in sys.path:
        sys.path.remove(folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    finder = next((f for f in sys.meta_path if isinstance(f, _Libraries)), None)
    if finder is None:
        finder = _Libraries()
        sys.meta_path.insert(0, finder)
    finder.folders.add(os.path.realpath(folder))


class _Libraries:
    """Finds libraries anywhere but in the *folders* of scenarios."""

    def __init__(self) -> None:
        self.folders: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a library is, or None for what is none; raises ModuleNotFoundError where it is not installed."""
        if path is not None or not (name in LIBRARIES or name in sys.stdlib_module_names):
            return None
        for finder in sys.meta_path:
            where = None
            if finder is PathFinder:
                where = [place for place in sys.path if os.path.realpath(place or ".") not in self.folders]
            spec = None if finder is self else finder.find_spec(name, where, target)
            if spec is not None:
                return spec
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
