"""The session whose visit or task a greenlet makes."""

from __future__ import annotations

from typing import Any

from gevent import getcurrent

_ATTRIBUTE = "_chaperon_session"


def set_current(session: Any) -> Any:
    """Set the session of the current greenlet, None for none; return the one before."""
    greenlet: Any = getcurrent()
    before = getattr(greenlet, _ATTRIBUTE, None)
    setattr(greenlet, _ATTRIBUTE, session)
    return before


def mark_greenlet(greenlet: Any, session: Any) -> None:
    """Set the session of a greenlet, None for none."""
    greenlet._chaperon_session = session


def current_session() -> Any:
    """Return the session whose visit or task the current greenlet makes, None if there is none."""
    return getattr(getcurrent(), _ATTRIBUTE, None)
