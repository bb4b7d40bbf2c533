"""The opening handshake: an HTTP request that asks for a WebSocket, with the answer to it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha1
from http.client import HTTPException, HTTPMessage, parse_headers
from io import BytesIO
from os import urandom
from typing import Any, NamedTuple

from requests import PreparedRequest
from requests.cookies import MockRequest, MockResponse, RequestsCookieJar

from chaperon.client.timings import Timings
from chaperon.errors import WebSocketRefused

HEAD_MOST = 64 * 1024
BODY_SHOWN = 200
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")


class Answer(NamedTuple):
    """What the server answered, and the bytes that came right behind it."""

    status: int
    reason: str
    headers: HTTPMessage
    rest: bytes


def upgrade(key: str, subprotocols: Sequence[str]) -> dict[str, str | None]:
    """Return the headers that ask for a WebSocket; None leaves out what `requests` would send."""
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
    return asked


def new_key() -> str:
    """Return a random key, as the handshake wants one."""
    return b64encode(urandom(16)).decode()


def shake_hands(sock: Any, request: PreparedRequest, host: str, now: Callable[[], float]) -> tuple[Answer, Timings]:
    """Send the request, read the answer's head; returns it with sending, waiting, receiving.

    Blocks without bound: whoever calls it sets the time limit. Raises OSError, WebSocketRefused.
    """
    lines = [f"GET {request.path_url} HTTP/1.1", *(f"{k}: {_header(v)}" for k, v in request.headers.items())]
    if "Host" not in request.headers:
        lines.insert(1, f"Host: {host}")
    begun = now()
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    sent = first = now()
    seen = b""
    while b"\r\n\r\n" not in seen:
        more = sock.recv(HEAD_MOST)
        first = first if seen else now()
        if not more:
            raise _refused("the connection was closed during the handshake", "reset")
        seen += more
        if len(seen) > HEAD_MOST:
            raise _refused(f"an answer of more than {HEAD_MOST:,} bytes", "ws handshake")
    head, _, rest = seen.partition(b"\r\n\r\n")
    timings = Timings(sending=sent - begun, waiting=first - sent, receiving=now() - first)
    return _parse(head + b"\r\n\r\n", rest), timings


def agree(answer: Answer, key: str, subprotocols: Sequence[str]) -> str | None:
    """Return the subprotocol agreed on; raises WebSocketRefused where the answer is not a yes."""
    if answer.status != 101:
        said = f"{answer.status} {answer.reason}".strip()
        raise WebSocketRefused(
            f"the server answered {said} instead of 101: {answer.rest[:BODY_SHOWN].decode(errors='replace')!r}",
            counted_as=f"http {answer.status}" if answer.status >= 400 else f"unexpected http {answer.status}",
            status=answer.status,
            body=answer.rest,
        )
    headers = answer.headers
    if "websocket" not in _tokens(headers, "Upgrade") or "upgrade" not in _tokens(headers, "Connection"):
        raise _refused("a 101 that does not upgrade to a WebSocket", "ws handshake", 101)
    expected = b64encode(sha1(key.encode() + _GUID).digest()).decode()
    if headers.get("Sec-WebSocket-Accept", "").strip() != expected:
        raise _refused("a Sec-WebSocket-Accept that is not the answer to our key", "ws handshake", 101)
    if headers.get("Sec-WebSocket-Extensions"):
        raise _refused("an extension that nobody asked for", "ws handshake", 101)
    chosen = headers.get("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in subprotocols:
        raise _refused(f"the subprotocol {chosen!r}, when {list(subprotocols)} was asked for", "ws handshake", 101)
    return chosen


def keep_cookies(jar: RequestsCookieJar, request: PreparedRequest, headers: HTTPMessage) -> None:
    """Put the cookies an answer sets into the session's jar."""
    if "Set-Cookie" in headers:
        jar.extract_cookies(MockResponse(headers), MockRequest(request))  # type: ignore[arg-type]  # what requests does


def _parse(head: bytes, rest: bytes) -> Answer:
    begin = _STATUS.match(head)
    if begin is None:
        raise _refused(f"an answer that is not HTTP: {head[:60]!r}", "ws handshake")
    try:
        headers = parse_headers(BytesIO(head[begin.end() :]))
    except HTTPException as exc:
        raise _refused(f"an answer whose headers cannot be read: {exc}", "ws handshake") from exc
    return Answer(int(begin[1]), (begin[2] or b"").decode("latin-1"), headers, rest)


def _header(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _tokens(headers: HTTPMessage, name: str) -> list[str]:
    return [token.strip().lower() for token in headers.get(name, "").split(",")]


def _refused(what: str, counted_as: str, status: int | None = None) -> WebSocketRefused:
    return WebSocketRefused(what, counted_as=counted_as, status=status)
