"""Who may see and change a run by the page: host, origin and token of a request, checked in this order.

A page of another site that is open in the same browser may send requests here: by a name of its own that it lets
resolve to this machine ("DNS rebinding"), so that the host is checked, and by our name, so that the origin is.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import field
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass

Role = Literal["control", "read"]
"""What a token allows: to change the run, or only to see it."""
PROTOCOL = "chaperon"
"""The subprotocol of the WebSocket; beside it a browser offers the token, which it cannot send as a header."""
_TOKEN_PREFIX = "token."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,200}")
_WILDCARDS = ("0.0.0.0", "::", "")


class Refusal(NamedTuple):
    """Why a request is refused: the status line of HTTP, and a sentence."""

    status: str
    text: str


@lazy_dataclass(frozen=True)
class Tokens:
    """The token that allows everything, and the one that allows only to see."""

    control: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    read: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def __post_init__(self) -> None:
        for token in (self.control, self.read):
            if not _TOKEN.fullmatch(token):
                raise UsageError("a page token has 1 to 200 letters, digits, and . _ ~ - only: it is part of a URL")
        if self.control == self.read:
            raise UsageError("the two tokens of the page are equal: one of them must not change the run")

    def role(self, given: str) -> Role | None:
        """Return what the token *given* allows, None if it is none of ours."""
        sent = given.encode("utf-8", "replace")
        if hmac.compare_digest(sent, self.control.encode()):
            return "control"
        return "read" if hmac.compare_digest(sent, self.read.encode()) else None


class Access:
    """Checks requests to the page at *host*; *names* are further host names by which it may be asked for."""

    def __init__(self, tokens: Tokens, host: str, names: Iterable[str] = ()) -> None:
        self.tokens = tokens
        self._names = {name.lower().rstrip(".") for name in (*_LOOPBACK, host, *names) if name}
        self._any_address = host in _WILDCARDS

    def __repr__(self) -> str:
        return f"<Access by {', '.join(sorted(self._names))}>"

    def refusal(self, environ: Mapping[str, Any]) -> Refusal | None:
        """Return why a request is refused with any token, None if it is not."""
        host = str(environ.get("HTTP_HOST", ""))
        name = _host_name(host)
        if name is None or not self._is_ours(name):
            return Refusal("421 Misdirected Request", "this host name is not the page's")
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and _authority(str(origin)) != host.lower():
            return Refusal("403 Forbidden", "requests from other sites are refused")
        # a link on another site may lead to the shell, which is empty
        linked = environ.get("HTTP_SEC_FETCH_MODE") == "navigate" and environ.get("REQUEST_METHOD") == "GET"
        if str(environ.get("HTTP_SEC_FETCH_SITE", "none")) not in ("none", "same-origin") and not linked:
            return Refusal("403 Forbidden", "requests from other sites are refused")
        return None

    def role(self, environ: Mapping[str, Any]) -> Role | None:
        """Return what the token of a request allows; None without a valid one."""
        return self.tokens.role(_token_of(environ))

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        if not self._any_address:
            return False
        try:
            ip_address(name)
        except ValueError:
            return False
        return True  # an address is no name that another site could let resolve to this machine


def upgrade_refusal(environ: Mapping[str, Any]) -> Refusal | None:
    """Return why an upgrade to a WebSocket is malformed (RFC 6455, section 4.2.1), None if it is well-formed."""
    wanted = {part.strip().lower() for part in str(environ.get("HTTP_CONNECTION", "")).split(",")}
    if environ.get("REQUEST_METHOD") != "GET" or "upgrade" not in wanted:
        return Refusal("400 Bad Request", "a WebSocket begins with GET and Connection: Upgrade")
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        return Refusal("400 Bad Request", "a WebSocket begins with HTTP/1.1")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        return Refusal("426 Upgrade Required", "only version 13 of WebSocket is spoken here")
    try:
        key = base64.b64decode(str(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    return None if len(key) == 16 else Refusal("400 Bad Request", "Sec-WebSocket-Key is not 16 bytes in base64")


def is_upgrade(environ: Mapping[str, Any]) -> bool:
    """Return whether a request asks for a WebSocket."""
    return str(environ.get("HTTP_UPGRADE", "")).lower() == "websocket"


def is_bearer(environ: Mapping[str, Any], token: str) -> bool:
    """Return whether the bearer token of a request is *token*."""
    return hmac.compare_digest(_token_of(environ).encode("utf-8", "replace"), token.encode())


def _token_of(environ: Mapping[str, Any]) -> str:
    given = str(environ.get("HTTP_AUTHORIZATION", ""))
    if given.startswith("Bearer "):
        return given[len("Bearer ") :].strip()
    offered = [part.strip() for part in str(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")).split(",")]
    if is_upgrade(environ) and PROTOCOL in offered:
        return next((part[len(_TOKEN_PREFIX) :] for part in offered if part.startswith(_TOKEN_PREFIX)), "")
    return ""


def _host_name(host: str) -> str | None:
    """Return the name in a Host header, without the port; None if it is not valid."""
    if not host or any(mark in host for mark in "/@?# \t"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname.rstrip(".") if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _authority(origin: str) -> str:
    """Return host and port of an origin as a Host header has them; "" for "null" and what is no origin."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") and not parts.path else ""
