"""The fast path of a common request: an encoded request goes out, a lazily parsed response comes back."""

from __future__ import annotations

from math import inf
from typing import Any

from requests.cookies import extract_cookies_to_jar
from requests.exceptions import RequestException
from requests.models import REDIRECT_STATI

from chaperon.client.http.content_encoding import decoded
from chaperon.client.http.deadline import CallBudget, bind
from chaperon.client.http.metrics import count_extras, record_exception, record_response
from chaperon.client.http.request_templates import EncodedRequest
from chaperon.client.http.response import Response
from chaperon.client.network.connect import Timeouts
from chaperon.client.outcome import Expect
from chaperon.interrupts import is_a
from chaperon.measure.meter import Meter

_new: Any = Response.__new__
"""Creates a response without the constructor of `requests.Response`, whose attributes are set or built lazily."""

# For mypyc, `send_fast` is a module-level function and its session is typed `Any`: a compiled class cannot
# subclass `requests.Session`.


def send_fast(
    http: Any,
    encoded: EncodedRequest,
    name: str,
    timeouts: Timeouts,
    limit: float,
    allow_redirects: bool,
    expect: Expect | None,
) -> Any:
    """Send an encoded request of the session *http*, record it as a sample *name*, and return the response.

    *limit* is the maximum size of the decoded body, in bytes. Blocks until the body is complete. Raises
    `requests` exceptions, after recording the failure.
    """
    meter: Meter = http.meter
    templates, target = encoded.templates, encoded.target
    lag = meter.recorder.lag
    start = meter.clock.now()
    lag.begin(start)
    try:
        template = encoded.template
        arrived = templates.pool.exchange(encoded.wire, target, timeouts, limit, template.is_head, template.safe)
        body, head = arrived.body, arrived.head.lower()
        if body and b"\r\ncontent-encoding:" in head:
            body = decoded(arrived.head, body, limit)
    except BaseException as exc:
        if is_a(exc, RequestException):
            exc.request = encoded.prepared
        end = meter.clock.now()
        lag.end(end)
        record_exception(meter, name, start, end, exc, encoded)
        raise
    end = meter.clock.now()
    lag.end(end)
    status = arrived.status
    reply = _new(Response)
    reply.__dict__ = {
        "status_code": status,
        "_content": body,
        "_content_consumed": True,
        "_next": None,
        "url": templates.origin + target,
        "_arrived": arrived,
        "_encoded": encoded,
        "_began": start,
        "_ended": end,
        "connection": templates.adapter,
    }
    if b"\r\nset-cookie:" in head:
        _store_cookies(http.cookies, reply)
    if status in REDIRECT_STATI and b"\r\nlocation:" in head:
        return _redirected(http, reply, name, timeouts, limit, allow_redirects, expect)
    if arrived.retried or http.service.timings:
        count_extras(meter, reply, name, start, end, timed=http.service.timings)
    exchanges = meter.recorder.exchanges
    if expect is None and status < 400 and exchanges.tap is None:
        meter.record(name, "http", start, end, None, len(arrived.body))
        reply._recorded = (meter, name, start, end, None)
        if exchanges.response is not None:
            exchanges.response(encoded.template.prepared.method or "GET", templates.origin + target, status)
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
    start: float = reply._began
    reply.request = request = reply._encoded.prepared
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
