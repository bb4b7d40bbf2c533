"""Keeps the exchange of a request that failed: what was sent, what came back."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from chaperon.client.http.request_templates import render
from chaperon.interrupts import class_of, is_interrupt
from chaperon.measure.exception_text import class_name
from chaperon.measure.exchange import BODY, LINE, LINES, URL, Exchange, cut_text
from chaperon.measure.meter import Meter
from chaperon.measure.plain_text import encodable
from chaperon.measure.sample import Failure, Key

_BYTES = 4 * BODY
"""Bytes of a body that are decoded: each character has at most four."""


def keep_exchange(
    meter: Meter,
    name: str,
    start: float,
    end: float,
    failure: Failure | None,
    *,
    kind: str = "http",
    request: Any = None,
    response: Any = None,
) -> None:
    """Keep the exchange of a sample just recorded, if it is one of the first of its error; see `ExchangeLog`.

    *request* is a `requests.PreparedRequest` or an `EncodedRequest`; without it the request is that of
    the *response*, a `requests.Response`. Raises only interrupts: what cannot be kept is counted as a note.
    """
    observe = meter.recorder.exchanges.response
    if observe is not None and kind == "http":
        _count_fault(meter, lambda: observe(*_asked_and_answered(request, response)))
    key = meter.exchange_key(name, kind, "" if failure is None else failure.error)
    if key is not None:
        asked = getattr(request, "prepared", request)
        keep(meter, lambda: _exchange(meter, key, start, end, failure, asked, response))


def keep(meter: Meter, build: Callable[[], Exchange]) -> None:
    """Keep the exchange that *build* returns. Raises only interrupts: what cannot be kept is counted as a note."""
    _count_fault(meter, lambda: meter.recorder.exchanges.add(build()))


def _count_fault(meter: Meter, act: Callable[[], object]) -> None:
    try:
        act()
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        meter.recorder.count_note(f"failing requests that could not be kept for the report: {class_name(exc)}")


def _asked_and_answered(request: Any, response: Any) -> tuple[str, str, int | None]:
    """Return the method and the URL of a call, before redirects, and the status of its response, None without one."""
    if response is None:
        asked = getattr(request, "prepared", request)
        return str(asked.method or "GET"), str(asked.url or ""), None
    first = response.history[0] if response.history else response
    encoded = getattr(first, "_encoded", None)
    if encoded is not None:
        return str(encoded.template.prepared.method), str(first.url), int(response.status_code)
    return str(first.request.method or "GET"), str(first.request.url or ""), int(response.status_code)


def _exchange(
    meter: Meter, key: Key, start: float, end: float, failure: Failure | None, request: Any, response: Any
) -> Exchange:
    request = response.request if request is None else request
    activity = meter.activity
    sent_body, sent_size = _sent_body(request)
    status, reason, headers, body, size = (0, "", (), "", 0) if response is None else _received(response)
    return Exchange(
        scenario=key.scenario,
        series=key.name,
        error="" if failure is None else failure.plain().error,
        message="" if failure is None else failure.plain().message,
        at=end - meter.recorder.began,
        took=end - start,
        step=encodable(activity.step),
        user=activity.user,
        visit=activity.visit,
        method=encodable(request.method or "GET"),
        url=_text(str(request.url or ""), URL),
        sent_headers=_sent_headers(request),
        sent_body=sent_body,
        sent_size=sent_size,
        status=status,
        reason=reason,
        headers=headers,
        body=body,
        size=size,
        timings=() if response is None else _timings(response),
    )


def _text(text: str, most: int) -> str:
    return encodable(cut_text(text, most), most)


def header_lines(lines: list[str]) -> tuple[str, ...]:
    """Return the lines of a header, as many and as much of each as is kept."""
    return tuple([_text(line, LINE) for line in lines[:LINES]])


def _sent_headers(request: Any) -> tuple[str, ...]:
    try:
        head = getattr(request, "head", None)
        lines = (render(request) if head is None else head).decode("latin-1").split("\r\n")[1:]
    except (ValueError, OSError):  # what cannot be sent: it is shown as it was given
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
    return header_lines([line for line in lines if line])


def _sent_body(request: Any) -> tuple[str, int]:
    body = request.body
    if body is None:
        return "", 0
    if isinstance(body, str):
        return _text(body, BODY), len(body.encode("utf-8", "replace"))
    if isinstance(body, (bytes, bytearray)):
        return decoded(bytes(body[:_BYTES]), None), len(body)
    return f"({class_of(body)}: sent in pieces, not kept)", 0


def _received(response: Any) -> tuple[int, str, tuple[str, ...], str, int]:
    """Return status, reason, header lines, the beginning of the body and its size in bytes."""
    status = int(response.status_code)
    arrived = getattr(response, "_arrived", None)
    if arrived is not None:
        lines = arrived.head.decode("latin-1").rstrip("\r\n").split("\r\n")[1:]
    else:
        lines = [f"{name}: {value}" for name, value in response.headers.items()]
    whole = isinstance(response._content, bytes) and response._content_consumed
    body: bytes = response._content if whole else getattr(response, "_beginning", b"")
    size = len(body) if whole else wire_bytes(response)
    return status, _phrase(status, response), header_lines(lines), decoded(body[:_BYTES], response.encoding), size


def _phrase(status: int, response: Any) -> str:
    if response.reason:
        return encodable(response.reason, LINE)
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def decoded(data: bytes, encoding: str | None) -> str:
    """Return the beginning of a body as text: in UTF-8 if it is, else in *encoding*, binary data with escapes.

    At most `BODY` characters are returned.
    """
    if b"\0" in data:
        return _text(data.decode("latin-1").encode("unicode_escape").decode(), BODY)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)  # the end may divide a character
    except UnicodeDecodeError:
        try:
            text = data.decode(encoding or "ascii", "backslashreplace")
        except LookupError:
            text = data.decode("ascii", "backslashreplace")
    return _text(text, BODY)


def _timings(response: Any) -> tuple[tuple[str, float], ...]:
    timings = getattr(response, "timings", None)
    if timings is None:
        return ()
    return tuple([(stage, float(spent)) for stage, spent in timings._asdict().items()])


def wire_bytes(response: Any) -> int:
    """Return the number of encoded body bytes received for *response* and the redirects before it."""
    total = 0
    for each in (*response.history, response):
        try:
            total += each.raw.tell()
        except (AttributeError, OSError, ValueError):
            total += len(each.content) if each._content_consumed else 0
    return total
