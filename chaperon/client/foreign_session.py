"""Measures the requests of a `requests.Session` that is not Chaperon's, such as the one of an SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from gevent.local import local

from chaperon.client.current_session import current_session
from chaperon.errors import UsageError
from chaperon.measure.plain_text import excerpt

if TYPE_CHECKING:
    import requests

S = TypeVar("S", bound="requests.Session")
_MEASURED = "_chaperon_measured"


def measured_session(session: S) -> S:
    """Measure every request of a `requests.Session` that is not Chaperon's, in place, and return it.

    A request that a visit or a task makes with it is one sample of that visit, redirects included, named
    "METHOD /path" as with `session.get`, or with the URL where it is not below the base URL. Its
    connections, adapters, headers and timeouts stay its own. Elsewhere, such as in `setup`, its
    requests are sent as before. A second call for the same session does nothing. Raises UsageError
    if it is no `requests.Session`.
    """
    import requests  # late: it brings ssl, which must be patched first

    from chaperon.client.http.measured import MeasuredSession

    if not isinstance(session, requests.Session):
        raise UsageError(f"measured_session takes a requests.Session, got {excerpt(session)}")
    own: dict[str, Any] = session.__dict__
    if isinstance(session, MeasuredSession) or _MEASURED in own:
        return session
    send, inner = session.send, local()

    def measured_send(request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        visiting = current_session()
        if visiting is None or getattr(inner, "sending", False):  # a redirect is sent within the first request
            return send(request, **kwargs)
        http = visiting.http
        inner.sending = True
        try:
            stream = bool(kwargs.get("stream", session.stream))
            response: requests.Response = http.record_call(lambda: send(request, **kwargs), request, stream=stream)
            return response
        finally:
            inner.sending = False

    own[_MEASURED] = True
    session.send = measured_send  # type: ignore[method-assign]
    return session
