"""Recognises libraries that replace parts of `requests` and urllib3, so that they intercept requests as usual.

requests-mock replaces `requests.Session.send`, responses `HTTPAdapter.send`, VCR.py the connection classes of
urllib3, requests-cache `requests.Session` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

from chaperon.client.known_parts import KNOWN

if TYPE_CHECKING:
    PlainSession = requests.Session
else:
    # a library may have replaced it before this import
    PlainSession = next(kind for kind in requests.Session.__mro__ if kind.__module__ == "requests.sessions")

METHODS = frozenset({"request", "prepare_request", "send", "get_adapter", "merge_environment_settings"})
"""Methods that a library may replace on one session object."""

_HOMES = {
    "session": "requests.sessions",
    "send": "requests.sessions",
    "adapter_send": "requests.adapters",
    "connection": "urllib3.connection",
}
"""By part: the module that defines it if it is not replaced."""

KNOWN.plain = PlainSession


def intercepted() -> bool:
    """Return whether requests must go through `requests` or urllib3 because a part of them is replaced."""
    parts: dict[str, Any] = {
        "session": requests.Session,
        "send": PlainSession.send,
        "adapter_send": HTTPAdapter.send,
        "connection": HTTPConnectionPool.ConnectionCls,
    }
    replaced = False
    for name, part in parts.items():
        if getattr(KNOWN, name) is not part:
            if getattr(part, "__module__", "") == _HOMES[name] or _is_ours(part):
                setattr(KNOWN, name, part)
            else:
                replaced = True
    return replaced


def _is_ours(part: Any) -> bool:
    """Return whether *part* is a session class of Chaperon's that was put in place of `requests.Session`."""
    return any(kind.__module__.startswith("chaperon.client.http.") for kind in getattr(part, "__mro__", ()))


def is_replaced(session: Any) -> bool:
    """Return whether a method of this one session object is replaced; one that was put back is not."""
    own = session.__dict__
    return not METHODS.isdisjoint(own) and any(name in own and not _is_put_back(session, name) for name in METHODS)


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
