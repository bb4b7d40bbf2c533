"""The session whose visit or task a greenlet makes."""

from __future__ import annotations

from typing import Any, Final

from gevent import getcurrent

_ATTRIBUTE: Final = "_chaperon_session"


def set_current(session: Any) -> Any:
    """Set the session of the current greenlet, None for none; return the one before."""
    greenlet: Any = getcurrent()
    before = getattr(greenlet, _ATTRIBUTE, None)
    setattr(greenlet, _ATTRIBUTE, session)
    return before


def ensure_current(greenlet: Any, session: Any) -> None:
    """Set the session of a greenlet, unless it is that already."""
    if getattr(greenlet, _ATTRIBUTE, None) is not session:
        greenlet._chaperon_session = session


def current_session() -> Any:
    """Return the session whose visit or task the current greenlet makes, None if there is none."""
    return getattr(getcurrent(), _ATTRIBUTE, None)
