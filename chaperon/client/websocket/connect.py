"""Opens a WebSocket with the headers, cookies, auth and TLS settings of a session's HTTP client."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Request

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.network import exceptions
from chaperon.client.network.connect import NetworkContext, Timeouts
from chaperon.client.network.stream import NetworkStream
from chaperon.client.network.tls import context_for
from chaperon.client.timings import Timings
from chaperon.client.websocket.handshake import Answer, agree, keep_cookies, new_key, shake_hands, upgrade
from chaperon.client.websocket.metrics import WebSocketMetrics
from chaperon.client.websocket.protocol import WebSocketProtocol
from chaperon.client.websocket.websocket import WebSocket
from chaperon.clock import seconds
from chaperon.errors import DescriptorsExhausted, PortsExhausted, SocketTimeout, WebSocketRefused, WebSocketTimeout
from chaperon.interrupts import is_a
from chaperon.measure.failures import classify

BUFFER = 1_000
MAX_SIZE = 16 * 1024 * 1024
_WS = re.compile("^ws(?=s?://)")


def open_websocket(
    http: MeasuredSession,
    path: str,
    *,
    wire: NetworkContext | None,
    ended: Callable[[WebSocket], object],
    headers: Mapping[str, str] | None = None,
    params: Any = None,
    subprotocols: Sequence[str] = (),
    timeout: Any = ...,
    name: str | None = None,
    buffer: int = BUFFER,
    max_size: int = MAX_SIZE,
) -> WebSocket:
    """Open a WebSocket to the service of *http*, with its headers, cookies, auth and TLS settings. Blocks.

    *path* is relative to the service or a whole URL (ws, wss, http, https). *timeout*, in seconds or as a
    span such as "500ms", limits the opening as a whole and is the default of later waits; a pair gives one
    value for each. Up to *buffer* unread messages are kept; a message of more than *max_size* bytes closes
    the WebSocket. *ended* is called once with the WebSocket when it is closed. Raises WebSocketRefused,
    WebSocketTimeout.
    """
    service, meter = http.service, http.meter
    path = _WS.sub("http", path)
    opening, waiting = _spans(service.timeout if timeout is ... else timeout)
    tally = WebSocketMetrics(meter, name or service.label("", path).strip())
    key = new_key()
    request = http.prepare_request(
        Request("GET", service.locate(path), headers={**(headers or {}), **upgrade(key, subprotocols)}, params=params)
    )
    network = wire or NetworkContext(now=meter.clock.now)
    start = tally.now()
    try:
        stream, answer, timings, chosen = _open(http, network, request, key, subprotocols, opening)
    except BaseException as exc:
        tally.opened(start, exc)
        raise
    tally.opened(start)
    if service.timings:
        tally.stages(start, timings)
    channel = WebSocketProtocol(
        stream, answer.rest, meter.clock, tally, buffer=buffer, max_size=max_size, ended=lambda: ended(websocket)
    )
    websocket = WebSocket(channel, tally, timeout=waiting, subprotocol=chosen, headers=answer.headers, timings=timings)
    channel.begin()
    return websocket


def _open(
    http: MeasuredSession,
    network: NetworkContext,
    request: PreparedRequest,
    key: str,
    subprotocols: Sequence[str],
    within: float | None,
) -> tuple[NetworkStream, Answer, Timings, str | None]:
    url = urlsplit(request.url or "")
    secure = url.scheme == "https"
    origin = exceptions.Origin(url.scheme, url.hostname or "", url.port or (443 if secure else 80))
    context = context_for(True if http.verify is None else http.verify, http.cert) if secure else None
    deadline = inf if within is None else network.now() + within
    stream: NetworkStream | None = None
    try:
        stream, opened = network.connect(origin, context, Timeouts(), deadline, http.service.local_addresses)
        stream.patience, stream.deadline = inf, deadline
        answer, shaken = shake_hands(stream, request, url.netloc.rpartition("@")[2], network.now)
        keep_cookies(http.cookies, request, answer.headers)
        chosen = agree(answer, key, subprotocols)
    except BaseException as exc:
        if stream is not None:
            stream.close()
        if is_a(exc, SocketTimeout):
            raise WebSocketTimeout(f"{origin.host}:{origin.port} did not open it within {within:g} s") from None
        if is_a(exc, OSError):
            raise _refused(exc, origin) from exc
        raise
    return stream, answer, shaken._replace(dns=opened.dns, tcp=opened.tcp, tls=opened.tls), chosen


def _refused(exc: OSError, origin: exceptions.Origin) -> WebSocketRefused:
    """Return a WebSocketRefused for a failed connect, counted under the same error name as for HTTP requests."""
    found = exceptions.unreachable(exc, origin, "", 0.0)
    ours = isinstance(found, (DescriptorsExhausted, PortsExhausted))
    return WebSocketRefused(f"{origin.host}:{origin.port}: {found if ours else exc}", counted_as=classify(found))


def _spans(timeout: Any) -> tuple[float | None, float | None]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    opening, waiting = (None if each is None else seconds(each) for each in pair)
    return opening, waiting
