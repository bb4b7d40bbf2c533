"""Opens a WebSocket with the headers, cookies, auth and TLS settings of a session's HTTP client."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf
from sys import maxsize
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from requests import PreparedRequest, Request
from requests.structures import CaseInsensitiveDict

from chaperon.client.exchange import keep_exchange
from chaperon.client.http.measured import MeasuredSession
from chaperon.client.network import exceptions
from chaperon.client.network.connect import NetworkContext, Timeouts
from chaperon.client.network.stream import NetworkStream
from chaperon.client.network.tls import context_for
from chaperon.client.timings import Timings
from chaperon.client.websocket.conversation import Conversation
from chaperon.client.websocket.extensions import offer_of
from chaperon.client.websocket.handshake import (
    Agreement,
    Answer,
    agree,
    asked_subprotocols,
    keep_cookies,
    new_key,
    redirect_target,
    request_head,
    shake_hands,
    upgrade,
)
from chaperon.client.websocket.metrics import WebSocketMetrics
from chaperon.client.websocket.protocol import WebSocketProtocol
from chaperon.client.websocket.websocket import WebSocket
from chaperon.clock import seconds
from chaperon.errors import (
    DescriptorsExhausted,
    PortsExhausted,
    SocketTimeout,
    UsageError,
    WebSocketRefused,
    WebSocketTimeout,
)
from chaperon.interrupts import is_a
from chaperon.measure.failures import classify

BUFFER = 1_000
MAX_SIZE = 16 * 1024 * 1024
REDIRECTS = 10
"""Maximum number of redirects of one handshake."""
_WS = re.compile("^ws(?=s?://)")


class _Handshake:
    """The request of a handshake and its answer, as far as they came; of several, after redirects, the last.

    It has the attributes of a prepared request that an exchange has.
    """

    method = "GET"
    body = None

    def __init__(self, http: MeasuredSession, request: Request) -> None:
        self.http = http
        self.request = request
        self.sent: PreparedRequest | None = None
        self.answer: Answer | None = None
        self.timings = Timings()

    @property
    def prepared_request(self) -> PreparedRequest:
        """The request that was sent; without one, as it would be."""
        return self.sent or self.http.prepare_request(self.request)

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self.prepared_request.url or ""

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers of the request."""
        return self.prepared_request.headers

    @property
    def head(self) -> bytes:
        """The head of the request as it is sent. Raises ValueError for what cannot be sent."""
        return request_head(self.prepared_request)

    @property
    def response(self) -> _Refusal | None:
        """The answer as a response, None without one."""
        return None if self.answer is None else _Refusal(self.answer, self.timings)


class _Refusal:
    """The answer to a handshake that was refused, with the attributes of a response that an exchange has."""

    def __init__(self, answer: Answer, timings: Timings) -> None:
        self.status_code = answer.status
        self.reason = answer.reason
        self.headers = answer.headers
        self.encoding = None
        self.timings = timings
        self._content = answer.rest
        self._content_consumed = True


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
    compression: str | None = None,
) -> WebSocket:
    """Open a WebSocket to the service of *http*, with its headers, cookies, auth and TLS settings. Blocks.

    *path* is relative to the service or a whole URL (ws, wss, http, https). *timeout*, in seconds or as a
    span such as "500ms", limits the opening as a whole and is the default of later waits; a pair gives one
    value for each. Up to *buffer* unread messages are kept; a message of more than *max_size* bytes closes
    the WebSocket. A Sec-WebSocket-Protocol among the *headers* asks for subprotocols as *subprotocols* does;
    *compression* "deflate" offers permessage-deflate. Redirects to the same or a trusted origin are followed.
    *ended* is called once with the WebSocket when it is closed. Raises WebSocketRefused, WebSocketTimeout,
    UsageError.
    """
    service, meter = http.service, http.meter
    buffer, max_size = _limit("buffer", buffer), _limit("max_size", max_size)
    offer = offer_of(compression)
    path = _WS.sub("http", path)
    opening, waiting = _spans(service.timeout if timeout is ... else timeout)
    metrics = WebSocketMetrics(meter, name or service.label("", path).strip())
    network = wire or NetworkContext(now=meter.clock.now)
    request = Request("GET", service.locate(path), headers=dict(headers or {}), params=params)
    handshake = _Handshake(http, request)
    start = metrics.now()
    try:
        opened = _open(handshake, network, list(subprotocols), offer, opening)
    except BaseException as exc:
        failure = metrics.opened(start, exc)
        keep_exchange(
            meter,
            metrics.names.connect,
            start,
            metrics.now(),
            failure,
            kind="ws",
            request=handshake,
            response=handshake.response,
        )
        raise
    conversation = Conversation(handshake.url, opened.answer.asked, opened.answer.head, opened.timings, shown=-1)
    metrics.conversation = conversation
    metrics.opened(start, redirects=opened.redirects)
    if service.timings:
        metrics.stages(start, opened.timings)
    subprotocol, deflate = opened.agreement
    protocol = WebSocketProtocol(
        opened.stream,
        opened.answer.rest,
        meter.clock,
        metrics,
        network,
        conversation,
        buffer=buffer,
        max_size=max_size,
        ended=lambda: ended(websocket),
        inflater=deflate and deflate.inflater(),
        deflater=deflate and deflate.deflater(),
    )
    websocket = WebSocket(
        protocol,
        metrics,
        timeout=waiting,
        subprotocol=subprotocol,
        compression=None if deflate is None else compression,
        conversation=conversation,
    )
    protocol.begin()
    return websocket


class _Opened(NamedTuple):
    """A stream after a successful handshake, with the response, its timings and the number of redirects before it."""

    stream: NetworkStream
    answer: Answer
    timings: Timings
    agreement: Agreement
    redirects: int


def _open(
    handshake: _Handshake,
    network: NetworkContext,
    subprotocols: list[str],
    offer: str | None,
    within: float | None,
) -> _Opened:
    """Open a WebSocket, following redirects to trusted origins; *within*, in seconds, limits all of it."""
    http, request = handshake.http, handshake.request
    deadline = inf if within is None else network.now() + within
    request.headers = CaseInsensitiveDict(request.headers)
    for redirects in range(REDIRECTS + 1):
        key = new_key()
        asked = asked_subprotocols({**http.headers, **request.headers}, subprotocols)
        prepared = http.prepare_request(
            Request(
                "GET", request.url, headers={**request.headers, **upgrade(key, asked, offer)}, params=request.params
            )
        )
        handshake.sent, handshake.answer = prepared, None
        stream, answer, timings = _shaken(http, network, prepared, deadline, within)
        handshake.answer, handshake.timings = answer, timings
        try:
            target = redirect_target(answer, prepared.url or "")
            if target is None or redirects == REDIRECTS or not http.may_redirect(prepared.url or "", target):
                return _Opened(stream, answer, timings, agree(answer, key, asked, offer), redirects)
        except BaseException:
            stream.close()
            raise
        stream.close()
        request.url, request.params = target, {}
    raise AssertionError("the last redirect is refused above")


def _shaken(
    http: MeasuredSession, network: NetworkContext, request: PreparedRequest, deadline: float, within: float | None
) -> tuple[NetworkStream, Answer, Timings]:
    """Connect and exchange one handshake; store its cookies."""
    url = urlsplit(request.url or "")
    secure = url.scheme == "https"
    origin = exceptions.Origin(url.scheme, url.hostname or "", url.port or (443 if secure else 80))
    context = context_for(True if http.verify is None else http.verify, http.cert) if secure else None
    stream: NetworkStream | None = None
    try:
        stream, opened = network.connect(origin, context, Timeouts(), deadline, http.service.local_addresses)
        stream.patience, stream.deadline = inf, deadline
        answer, shaken = shake_hands(stream, request, network.now)
        keep_cookies(http.cookies, request, answer.headers)
    except BaseException as exc:
        if stream is not None:
            stream.close()
        if is_a(exc, SocketTimeout):
            raise WebSocketTimeout(f"{origin.host}:{origin.port} did not open it within {within:g} s") from None
        if is_a(exc, OSError):
            raise _refused(exc, origin) from exc
        raise
    return stream, answer, shaken._replace(dns=opened.dns, tcp=opened.tcp, tls=opened.tls)


def _refused(exc: OSError, origin: exceptions.Origin) -> WebSocketRefused:
    """Return a WebSocketRefused for a failed connect, counted under the same error name as for HTTP requests."""
    found = exceptions.unreachable(exc, origin, "", 0.0)
    ours = isinstance(found, (DescriptorsExhausted, PortsExhausted))
    return WebSocketRefused(f"{origin.host}:{origin.port}: {found if ours else exc}", counted_as=classify(found))


def _limit(name: str, given: Any) -> int:
    """Return *given* as a whole number, the largest for infinity. Raises UsageError for what is no number from 0 on."""
    if isinstance(given, (int, float)) and given >= 0:
        return int(min(given, maxsize))
    raise UsageError(f"{name}={given!r}: give a whole number, 0 or more")


def _spans(timeout: Any) -> tuple[float | None, float | None]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    opening, waiting = (None if each is None else seconds(each) for each in pair)
    return opening, waiting
