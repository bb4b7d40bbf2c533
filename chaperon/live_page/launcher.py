"""Starting runs from the page: a form made of an environment, one run after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Launcher(Protocol):
    """Starts runs that the page asks for."""

    def form(self) -> dict[str, Any]:
        """Return what the form shows: entries, loads, limits."""

    def drawing(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return what a run would send, to be drawn. Raises ActionRefused."""

    def start(self, asked: Mapping[str, Any]) -> str:
        """Start a run; return what is started in words. Raises ActionRefused."""
