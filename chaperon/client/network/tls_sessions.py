"""The TLS sessions that new connections resume (RFC 8446, 2.2): one for each host and port of a context."""

from __future__ import annotations

import ssl
from typing import NamedTuple

SESSIONS = 1_000
"""TLS sessions kept for each context."""
RENEWAL = 10.0
"""Seconds after which a session is replaced by that of a newer connection."""

Place = tuple[str, int]
"""Host and port."""


class KeptSession(NamedTuple):
    """A session, and the clock reading, in seconds, at which it was kept."""

    session: ssl.SSLSession
    at: float


class TlsSessions:
    """The TLS sessions of one context, by host and port.

    A session is not replaced by that of each new connection, as reading `SSLObject.session` copies it: that takes some
    160 µs, and CPython 3.10, 3.11 and early versions of 3.12 never free the copy, 7 kB (python/cpython#116810).
    """

    def __init__(self) -> None:
        self._kept: dict[Place, KeptSession] = {}

    def __repr__(self) -> str:
        return f"<TlsSessions of {len(self._kept)} places>"

    def session_for(self, place: Place) -> ssl.SSLSession | None:
        """Return the session to resume, None if there is none."""
        kept = self._kept.get(place)
        return None if kept is None else kept.session

    def wanted(self, place: Place, now: float) -> bool:
        """Return whether the session of a connection opened now is to be kept: there is none, or it is too old."""
        kept = self._kept.get(place)
        if kept is None:
            return len(self._kept) < SESSIONS
        return abs(now - kept.at) >= RENEWAL  # of two runs in a process each may have a clock of its own

    def keep(self, place: Place, session: ssl.SSLSession | None, now: float) -> None:
        """Keep the session of a connection after its first read: in TLS 1.3 its tickets come after the handshake."""
        if session is not None:
            self._kept[place] = KeptSession(session, now)
