"""The parts of `requests` and urllib3 as they are without a mock; each request compares them with those in use."""

from __future__ import annotations

from typing import Any, Final


class KnownParts:
    """Parts that no mock has replaced. Each is None until it was first seen so.

    *plain* is the class `requests.Session` itself, also where a library has put another in its place.
    """

    __slots__ = ("adapter_send", "connection", "plain", "send", "session")

    def __init__(self) -> None:
        self.plain: Any = None
        self.session: Any = None
        self.send: Any = None
        self.adapter_send: Any = None
        self.connection: Any = None


KNOWN: Final = KnownParts()
