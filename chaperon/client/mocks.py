"""Recognises libraries that replace parts of `requests` and urllib3, so that they intercept requests as usual.

requests-mock replaces `requests.Session.send`, responses `HTTPAdapter.send`, VCR.py the connection classes of
urllib3, requests-cache `requests.Session` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

if TYPE_CHECKING:
    PlainSession = requests.Session
else:
    # a library may have replaced it before this import
    PlainSession = next(kind for kind in requests.Session.__mro__ if kind.__module__ == "requests.sessions")

METHODS = frozenset({"request", "prepare_request", "send", "get_adapter", "merge_environment_settings"})
"""Methods that a library may replace on one session object."""

_PLAIN: list[Any] = [None, None, None, None]
_HOMES = ("requests.sessions", "requests.sessions", "requests.adapters", "urllib3.connection")


def intercepted() -> bool:
    """Return whether requests must go through `requests` or urllib3 because a part of them is replaced."""
    session, send, adapter_send, connection = _PLAIN
    if (
        requests.Session is session
        and session.send is send
        and HTTPAdapter.send is adapter_send
        and HTTPConnectionPool.ConnectionCls is connection
    ):
        return False
    return intercepted() if None in _PLAIN and _learned() else True


def _learned() -> bool:
    """Store the parts that are unknown and not replaced now; return whether there were any."""
    found = (requests.Session, PlainSession.send, HTTPAdapter.send, HTTPConnectionPool.ConnectionCls)
    news = False
    for place, part in enumerate(found):
        if _PLAIN[place] is None and getattr(part, "__module__", "") == _HOMES[place]:
            _PLAIN[place] = part
            news = True
    return news


def is_replaced(session: Any) -> bool:
    """Return whether a method of this one session object is replaced; one that was put back is not."""
    own = session.__dict__
    return any(name in own and not _is_put_back(session, name) for name in METHODS)


def replaced_send(session: Any) -> Any:
    """Return the function that replaces `send` on this one session object, or None."""
    return session.__dict__.get("send") if "send" in session.__dict__ and not _is_put_back(session, "send") else None


def _is_put_back(session: Any, name: str) -> bool:
    function = getattr(session.__dict__[name], "__func__", None)
    return any(vars(kind).get(name) is function for kind in type(session).__mro__)


def stand_in(session: Any) -> Any:
    """Return a session of the class that replaces `requests.Session`, with the settings and connections of *session*.

    None if the class is not replaced.
    """
    kind = requests.Session
    if kind is PlainSession or isinstance(session, kind):
        return None
    found = session.__dict__.get("_stand_in")
    if type(found) is not kind:
        found = session.__dict__["_stand_in"] = kind()
    for name in PlainSession.__attrs__:
        setattr(found, name, getattr(session, name))
    for name in ("get_adapter", "resolve_redirects"):
        setattr(found, name, getattr(session, name))
    return found
