"""The fast path of a common request: an encoded request goes out, a lazily parsed response comes back."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import RequestException
from requests.models import REDIRECT_STATI
from urllib3 import HTTPConnectionPool

from chaperon.client.http.connection import RawResponse
from chaperon.client.http.content_encoding import decoded
from chaperon.client.http.deadline import CallBudget, bind
from chaperon.client.http.metrics import count_extras, record_exception, record_response
from chaperon.client.http.pool import HostPool
from chaperon.client.http.request_templates import EncodedRequest, RequestTemplates
from chaperon.client.http.response import Response
from chaperon.client.known_parts import KNOWN
from chaperon.client.mocks import intercepted
from chaperon.client.network.connect import Timeouts
from chaperon.client.outcome import Expect
from chaperon.interrupts import is_a
from chaperon.measure.meter import Meter

METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

_requests: Final[dict[str, Any]] = vars(requests)
_adapter: Final[Any] = HTTPAdapter
_pool: Final[Any] = HTTPConnectionPool
_response: Final[Any] = Response
_new: Final[Any] = Response.__new__
"""Creates a response without the constructor of `requests.Response`, whose attributes are set or built lazily."""


class SentRequest:
    """What a response of the fast path comes from: the encoded request, what came back, its series, when it was.

    It *began* and *ended* at readings of the clock. *good* is whether it is recorded as a good sample.
    """

    __slots__ = ("_http", "arrived", "began", "encoded", "ended", "good", "meter", "name")

    def __init__(
        self,
        http: Any,
        encoded: EncodedRequest,
        arrived: RawResponse,
        meter: Meter,
        name: str,
        began: float,
        ended: float,
    ) -> None:
        self._http = http
        self.encoded = encoded
        self.arrived = arrived
        self.meter = meter
        self.name = name
        self.began = began
        self.ended = ended
        self.good = False

    @property
    def adapter(self) -> Any:
        """The adapter that sends such requests in the session."""
        return whole(self._http).get_adapter(self.encoded.url)

    @property
    def recorded(self) -> tuple[Meter, str, float, float, None] | None:
        """The meter, name and moments of the good sample that is recorded, None if there is none."""
        return (self.meter, self.name, self.began, self.ended, None) if self.good else None


class UsualClient:
    """The connections of one session to the default service, which sends what all sessions of its scenario send alike.

    A `MeasuredSession` with its headers, jar and adapters takes longer to make than everything else that a user
    does before its first request. *session* is one that nothing changes: its *templates* encode the requests of all.
    *open* returns the session's own client. It is called for what needs one: a request without a template, a cookie,
    a redirect. *retired* is set once the session has a client, which uses *pool* then.
    """

    __slots__ = ("meter", "open", "pool", "retired", "session", "templates")

    def __init__(
        self, meter: Meter, session: Any, templates: RequestTemplates, pool: HostPool, open: Callable[[], Any]
    ) -> None:
        self.meter = meter
        self.session = session
        self.templates = templates
        self.pool = pool
        self.open = open
        self.retired = False

    def __repr__(self) -> str:
        return f"<UsualClient over {self.pool!r}>"


class UsualClients:
    """Makes the `UsualClient` of each session that uses one service in one scenario.

    *session* and its *templates* are those of `UsualClient`. *allowed* returns whether clients may be replaced by it
    now; *send* sends a request through one (`send_usual`).
    """

    __slots__ = ("allowed", "send", "session", "templates")

    def __init__(
        self, session: Any, templates: RequestTemplates | None, allowed: Callable[[], bool], send: Any
    ) -> None:
        self.session = session
        self.templates = templates
        self.allowed = allowed
        self.send = send

    def client(self, meter: Meter, open: Callable[[], Any]) -> UsualClient | None:
        """Return a client for a new session, None if the settings of the service require a `MeasuredSession`."""
        templates = self.templates
        if templates is None or not self.allowed():
            return None
        return UsualClient(meter, self.session, templates, templates.pool.twin(), open)


# For mypyc, these are module-level functions whose session is typed `Any`: a compiled class cannot subclass
# `requests.Session`.


def _untouched() -> bool:
    """Return whether all parts of `requests` that a mock may replace are known ones."""
    known = KNOWN
    plain: Any = known.plain
    return bool(
        _requests["Session"] is known.session
        and plain.send is known.send
        and _adapter.send is known.adapter_send
        and _pool.ConnectionCls is known.connection
    )


def encode_request(
    http: Any, method: str, url: Any, params: Any, data: Any, json: Any, headers: Any
) -> EncodedRequest | None:
    """Return the encoded request of the session *http*, or None if it must be sent through `requests`."""
    if not _untouched() and intercepted():
        return None
    main: RequestTemplates | None = http._main
    if main is None:
        if http.proxies or http.params or http.hooks.get("response"):
            return None
        found: EncodedRequest | None = http._encode(method, url, params, data, json, headers)
        return found
    if main.adds:
        return None
    return _encode_by(main, http, method, url, params, data, json, headers)


def _encode_by(
    main: RequestTemplates, http: Any, method: str, url: Any, params: Any, data: Any, json: Any, headers: Any
) -> EncodedRequest | None:
    """Return the request encoded by the templates for the base URL of *http*, or those for another one."""
    if params is None and data is None and json is None and not headers and main.current:
        kept = main.ready.get(method)
        ready = None if kept is None else kept.get(url)
        if ready is None:
            ready = http._encode(method, url, None, None, None, None)
            if ready is not None and ready.templates is main:
                ready.slot = main.slot(method, url)
                main.ready.setdefault(method, {})[url] = ready
        return ready
    if main.at_root and isinstance(url, str) and url.startswith("/") and not url.startswith("//") and method in METHODS:
        encoded = main.encode(method, url, params, data, json, headers)
        if encoded is not None:
            encoded.slot = main.slot(method, url)
        return encoded
    other: EncodedRequest | None = http._encode(method, url, params, data, json, headers)
    return other


def whole(http: Any) -> Any:
    """Return the session *http*, or that of the user if *http* is a `UsualClient`."""
    return http.open() if isinstance(http, UsualClient) else http


def send_usual(http: Any, method: str, url: Any, params: Any, data: Any, json: Any) -> Any:
    """Send a request that has no further options through a session or its `UsualClient`, as `request` does."""
    if isinstance(http, UsualClient):
        main = http.templates
        if not http.retired and (_untouched() or not intercepted()):
            encoded = _encode_by(main, http.session, method, url, params, data, json, None)
            if encoded is not None and encoded.templates is main:
                slot = encoded.slot
                label: str = slot.name if slot is not None else http.session._label(method, url)
                return send_fast(http, http.meter, http.pool, encoded, label, main.timeouts, main.limit, True, None)
        http = http.open()
    encoded = encode_request(http, method, url, params, data, json, None)
    if encoded is None:
        return http.request(method, url, params, data, json=json)
    slot, templates = encoded.slot, encoded.templates
    label = slot.name if slot is not None else http._labels.get((method, url)) or http._label(method, url)
    return send_fast(http, http.meter, templates.pool, encoded, label, templates.timeouts, templates.limit, True, None)


def send_fast(
    http: Any,
    meter: Meter,
    pool: HostPool,
    encoded: EncodedRequest,
    name: str,
    timeouts: Timeouts,
    limit: float,
    allow_redirects: bool,
    expect: Expect | None,
) -> Any:
    """Send an encoded request over *pool*, record it as a sample *name*, and return the response.

    *http* is the session or its `UsualClient`, with its *meter*; *limit* the maximum size of the decoded body, in
    bytes. Blocks until the body is complete. Raises `requests` exceptions, after recording the failure.
    """
    now, recorder = meter.now, meter.recorder
    templates, template = encoded.templates, encoded.template
    lag = recorder.lag
    start = now()
    lag.begin(start)
    low = b""  # the head in lower case, unless it is plain
    try:
        arrived = pool.exchange(encoded.wire, encoded.target, timeouts, limit, template.is_head, template.safe)
        body = arrived.body
        if arrived.head != template.plain_head:
            low = arrived.head.lower()
            if low.find(b"\r\ncontent-encoding:") >= 0:
                if body:
                    body = decoded(arrived.head, body, limit)
            elif low.find(b"\r\nset-cookie:") < 0 and low.find(b"\r\nlocation:") < 0:
                template.plain_head, low = arrived.head, b""
    except BaseException as exc:
        if is_a(exc, RequestException):
            exc.request = encoded.prepared
        end = now()
        lag.end(end)
        record_exception(meter, name, start, end, exc, encoded)
        raise
    end = now()
    lag.end(end)
    status = arrived.status
    reply = _new(_response)
    sent = SentRequest(http, encoded, arrived, meter, name, start, end)
    reply.__dict__ = {"status_code": status, "_content": body, "_sent": sent}
    if low:
        if low.find(b"\r\nset-cookie:") >= 0:
            _store_cookies(whole(http).cookies, reply)
        if status in REDIRECT_STATI and low.find(b"\r\nlocation:") >= 0:
            return _redirected(whole(http), reply, name, timeouts, limit, allow_redirects, expect)
    if arrived.retried or templates.timed:
        count_extras(meter, reply, name, start, end, timed=templates.timed)
    exchanges = recorder.exchanges
    if expect is None and status < 400 and exchanges.tap is None:
        slot = encoded.slot
        if slot is not None and slot.name == name:
            meter.record_in(slot, start, end, None, len(arrived.body), None, None)
        else:
            meter.record(name, "http", start, end, None, len(arrived.body))
        recorder.responses.count(status)
        sent.good = True
        meter.last_reply = reply
        if exchanges.response is not None:
            exchanges.response(template.prepared.method or "GET", encoded.url, status)
    else:
        record_response(meter, reply, name, start, end, expect)
    return reply


def _store_cookies(jar: Any, reply: Any) -> None:
    lines = [reply.url.partition("?")[0], *reply._parsed_head.headers.getlist("set-cookie")]
    if not jar.is_unchanged(lines):
        extract_cookies_to_jar(jar, reply.request, reply.raw)  # type: ignore[no-untyped-call]
        jar.remember(lines)


def _redirected(
    http: Any, reply: Any, name: str, timeouts: Timeouts, limit: float, allow: bool, expect: Expect | None
) -> Any:
    """Follow a redirect as `requests` does; all hops are recorded as one sample."""
    meter: Meter = http.meter
    sent: SentRequest = reply._sent
    start = sent.began
    reply.request = request = sent.encoded.prepared
    bind(request, CallBudget(reply._arrived.ready + timeouts.total, limit, meter.clock.now))
    timeout = tuple([None if t == inf else t for t in (timeouts.connect, timeouts.read)])
    settings = {"stream": False, "timeout": timeout, "verify": http.verify, "proxies": {}}
    settings["cert"] = http.certificate_for(reply.url)
    found = reply
    try:
        if allow:
            history = [reply, *http.resolve_redirects(reply, request, **settings)]
            found = history.pop()
            found.history = history
        else:
            reply._next = next(http.resolve_redirects(reply, request, yield_requests=True, **settings), None)
    except BaseException as exc:
        record_exception(meter, name, start, meter.clock.now(), exc, request)
        raise
    end = meter.clock.now()
    count_extras(meter, found, name, start, end, timed=http.service.timings)
    record_response(meter, found, name, start, end, expect)
    return found
