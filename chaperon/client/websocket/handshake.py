"""The WebSocket opening handshake (RFC 6455, section 4): the HTTP upgrade request and its response."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1
from http.client import HTTPMessage
from os import urandom
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from requests import PreparedRequest
from requests.cookies import MockRequest, MockResponse, RequestsCookieJar
from requests.models import REDIRECT_STATI

from chaperon.client.headers import beyond_latin_1
from chaperon.client.http.parser import ResponseParser, fields
from chaperon.client.network.stream import NetworkStream
from chaperon.client.timings import Timings
from chaperon.client.websocket.extensions import DeflateTerms, agreed_terms
from chaperon.errors import ProtocolError, WebSocketRefused
from chaperon.measure.plain_text import excerpt
from chaperon.measure.quantity import count_text

BODY_SHOWN = 200
"""Bytes of a refusal's body that an error message shows."""
HEAD_MOST = 64 * 1024
"""Maximum number of bytes received before the head of the response is complete."""
FIELDS_MOST = 1_000
"""Maximum number of header fields in the response."""
_UNTRUSTED = " (followed, up to 10 times, to the same origin and to trust_origins of the service)"
_WS = re.compile("^ws(?=s?://)")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Answer(NamedTuple):
    """The server's response to the handshake: its *head* as bytes, and *rest*, the bytes received after it.

    *asked* is the head of the request as it was sent.
    """

    status: int
    reason: str
    head: bytes
    headers: HTTPMessage
    rest: bytes
    asked: bytes = b""


def upgrade(key: str, subprotocols: Sequence[str], offer: str | None = None) -> dict[str, str | None]:
    """Return the headers of an upgrade request with this *offer*; None removes a default header of `requests`."""
    asked: dict[str, str | None] = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Accept": None,
        "Accept-Encoding": None,
    }
    if subprotocols:
        asked["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    if offer is not None:
        asked["Sec-WebSocket-Extensions"] = offer
    return asked


def asked_subprotocols(headers: Mapping[str, Any], subprotocols: Sequence[str]) -> list[str]:
    """Return *subprotocols* and those that a Sec-WebSocket-Protocol header asks for, each once."""
    given = next((_header(v) for k, v in headers.items() if k.lower() == "sec-websocket-protocol" and v), "")
    return list(dict.fromkeys([*subprotocols, *(name for part in given.split(",") if (name := part.strip()))]))


def redirect_target(answer: Answer, url: str) -> str | None:
    """Return the URL, with http or https, to which a response to a handshake for *url* redirects, or None."""
    location = answer.headers.get("Location") if answer.status in REDIRECT_STATI else None
    return None if location is None else _WS.sub("http", urljoin(url, location.strip()))


def new_key() -> str:
    """Return a random Sec-WebSocket-Key: 16 bytes in Base64."""
    return b64encode(urandom(16)).decode()


def request_head(request: PreparedRequest) -> bytes:
    """Return the head of an upgrade request. Raises InvalidHeader for characters beyond Latin-1."""
    lines = [f"GET {request.path_url} HTTP/1.1", *(f"{k}: {_header(v)}" for k, v in request.headers.items())]
    if "Host" not in request.headers:
        lines.insert(1, f"Host: {urlsplit(request.url or '').netloc.rpartition('@')[2]}")
    try:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as exc:
        raise beyond_latin_1(request.headers.items()) or exc from None


def shake_hands(stream: NetworkStream, request: PreparedRequest, now: Callable[[], float]) -> tuple[Answer, Timings]:
    """Send the request and receive the head of the response.

    Returns the response and the seconds spent in sending, waiting and receiving. Blocks, at most until the
    deadline of the stream. Raises OSError, SocketTimeout, WebSocketRefused.
    """
    parser = ResponseParser()
    begun = now()
    head = request_head(request)
    stream.send(head)
    sent = first = now()
    received = b""
    while not parser.head:
        data = stream.receive()
        first = first if received else now()
        if not data:
            raise _refused("the connection was closed during the handshake", "reset")
        received += data
        try:
            parser.feed(data)
        except ProtocolError as exc:
            raise _refused(f"an answer that is not HTTP: {excerpt(received)} ({exc})", "ws handshake") from exc
        if not parser.head and len(received) > HEAD_MOST:
            raise _refused(f"an answer of more than {HEAD_MOST:,} bytes", "ws handshake")
    timings = Timings(sending=sent - begun, waiting=first - sent, receiving=now() - first)
    return _answer(parser)._replace(asked=head), timings


class Agreement(NamedTuple):
    """What the server chose: a subprotocol, the terms of compression; None for neither."""

    subprotocol: str | None
    deflate: DeflateTerms | None


def agree(answer: Answer, key: str, subprotocols: Sequence[str], offer: str | None = None) -> Agreement:
    """Validate the response to a request with these subprotocols and this *offer*. Raises WebSocketRefused."""
    if answer.status != 101:
        said = f"{answer.status} {answer.reason}".strip()
        target = answer.headers.get("Location")
        body = answer.rest[: 4 * BODY_SHOWN].decode(errors="replace")
        where = "" if target is None else f", with Location: {target!r}{_UNTRUSTED}"
        raise WebSocketRefused(
            f"the server answered {said} instead of 101{where}: {excerpt(body, BODY_SHOWN)}",
            counted_as=f"http {answer.status}" if answer.status >= 400 else f"unexpected http {answer.status}",
            status=answer.status,
            body=answer.rest,
            headers=dict(answer.headers),
        )
    headers = answer.headers
    if "websocket" not in _tokens(headers, "Upgrade") or "upgrade" not in _tokens(headers, "Connection"):
        raise _refused("a 101 that does not upgrade to a WebSocket", "ws handshake", 101)
    expected = b64encode(sha1(key.encode() + _GUID).digest()).decode()
    if headers.get("Sec-WebSocket-Accept", "").strip() != expected:
        raise _refused("a Sec-WebSocket-Accept that is not the answer to our key", "ws handshake", 101)
    deflate = _deflate(headers, offer)
    chosen = headers.get("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in subprotocols:
        raise _refused(f"the subprotocol {chosen!r}, when {list(subprotocols)} was asked for", "ws handshake", 101)
    return Agreement(chosen, deflate)


def keep_cookies(jar: RequestsCookieJar, request: PreparedRequest, headers: HTTPMessage) -> None:
    """Store the cookies of a handshake response in the session's jar."""
    if "Set-Cookie" in headers:
        jar.extract_cookies(MockResponse(headers), MockRequest(request))  # type: ignore[arg-type]  # what requests does


def _answer(parser: ResponseParser) -> Answer:
    line = parser.head.split(b"\r\n", 1)[0].decode("latin-1")
    head = parser.head
    headers = parsed_headers(head)
    if len(headers) > FIELDS_MOST:
        raise _refused(f"an answer with {count_text(len(headers), 'header field')}", "ws handshake")
    rest = parser.rest or b"".join(parser.pieces)
    parser.forget()
    return Answer(parser.status, line.split(" ", 2)[2].strip() if line.count(" ") > 1 else "", head, headers, rest)


def parsed_headers(head: bytes) -> HTTPMessage:
    """Return the header fields of the head of a response."""
    headers = HTTPMessage()
    for name, value in fields(head):
        headers[name] = value
    return headers


def _deflate(headers: HTTPMessage, offer: str | None) -> DeflateTerms | None:
    """Return the terms of compression of a response, None for none. Raises WebSocketRefused."""
    chosen = ", ".join(headers.get_all("Sec-WebSocket-Extensions", []))
    if not chosen:
        return None
    if offer is None:
        raise _refused(
            f'the extension {chosen!r}, which was not asked for by compression="deflate": '
            "send no Sec-WebSocket-Extensions header",
            "ws handshake",
            101,
        )
    try:
        return agreed_terms(chosen)
    except ValueError as exc:
        raise _refused(f"the extension {chosen!r}, when {offer!r} was offered: {exc}", "ws handshake", 101) from None


def _header(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _tokens(headers: HTTPMessage, name: str) -> list[str]:
    return [token.strip().lower() for token in headers.get(name, "").split(",")]


def _refused(what: str, counted_as: str, status: int | None = None) -> WebSocketRefused:
    return WebSocketRefused(what, counted_as=counted_as, status=status)
