"""The parts of `requests` and urllib3 as they are without a mock, to be compared at each request."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool


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


KNOWN = KnownParts()
_adapter: Any = HTTPAdapter
_pool: Any = HTTPConnectionPool


def untouched() -> bool:
    """Return whether all parts are those of `KNOWN`."""
    known = KNOWN
    plain: Any = known.plain
    return bool(
        requests.Session is known.session
        and plain.send is known.send
        and _adapter.send is known.adapter_send
        and _pool.ConnectionCls is known.connection
    )
