"""The targets of a run that no connection could be opened to, and why."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from requests.exceptions import ProxyError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from chaperon.client.network.exceptions import Origin
from chaperon.errors import SocketTimeout
from chaperon.interrupts import is_a
from chaperon.measure.failures import chain
from chaperon.measure.plain_text import LABEL, encodable

TARGETS = 5
"""Maximum number of targets that are kept."""
PATIENCE = 1.0
"""Seconds after which a first attempt to connect counts as not answered."""
_DEFAULT = {"http": 80, "https": 443}
_BUILT_IN = frozenset({"builtins", "socket", "ssl", "_ssl"})
"""Modules of the exceptions that the kernel's and OpenSSL's errors are raised as."""
_OWN = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""Errors that say that this machine is short of something: the target may be there."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says of an answer that is no TLS, such as that of a plain HTTP server."""

NO_BASE = "there is no base URL to send requests to: pass --url, or give the environment one"


class UnreachedTargets:
    """Why connections failed, by target, since the last one that succeeded; none while the target is reached."""

    def __init__(self) -> None:
        self._reached = False
        self._waiting: dict[str, float] = {}
        self._reasons: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<UnreachedTargets {', '.join(self._reasons) or 'none'}>"

    def reasons(self, now: float) -> Mapping[str, str]:
        """Return the reasons by the base URL of the target; *now* is the reading of the clock, in seconds."""
        late = [url for url, since in self._waiting.items() if now - since >= PATIENCE]
        return {**{url: f"nothing answers at {url}: no connection was established" for url in late}, **self._reasons}

    def begin(self, origin: Origin, now: float) -> None:
        """Record that a connection to *origin* is attempted at *now*, unless one has succeeded before."""
        if not self._reached and len(self._waiting) < TARGETS:
            self._waiting.setdefault(_url(origin), now)

    def set_reached(self) -> None:
        """Set that a target has been reached: what failed before does not count."""
        self._reached = True
        if self._waiting or self._reasons:
            self._waiting.clear()
            self._reasons.clear()

    def record(self, origin: Origin, exc: BaseException) -> None:
        """Record why a connection to *origin* failed."""
        if len(self._reasons) >= TARGETS:
            return
        url = _url(origin)
        reason = _reason(url, exc)
        if url not in self._reasons and reason is not None:
            self._reasons[url] = encodable(reason)

    def record_no_base(self) -> None:
        """Record that a request has a path alone, and no base URL that it could be sent to."""
        if len(self._reasons) < TARGETS:
            self._reasons[""] = NO_BASE

    def record_refused(self, url: str, exc: BaseException) -> None:
        """Record the failure of a request that was sent by urllib3, if it is one to connect to the target."""
        if is_a(exc, ProxyError):
            return
        causes = list(chain(exc))
        if not any(is_a(each, NewConnectionError, ConnectTimeoutError, SSLError) for each in causes):
            return
        found = [each for each in causes if is_a(each, OSError) and type(each).__module__.split(".")[0] in _BUILT_IN]
        parts = urlsplit(url)
        origin = Origin(parts.scheme, parts.hostname or "", parts.port or _DEFAULT.get(parts.scheme, 0))
        self.record(origin, found[-1] if found else SocketTimeout(whole=False))


def _url(origin: Origin) -> str:
    port = "" if origin.port == _DEFAULT.get(origin.scheme) else f":{origin.port}"
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return encodable(f"{origin.scheme}://{host}{port}", LABEL)


def _tls_reason(exc: Any) -> str:
    """Return why there is no TLS connection, with what may help against the two common causes."""
    if unverified := getattr(exc, "verify_message", ""):
        return f"{unverified}; --insecure does not verify certificates"
    reason = exc.reason or str(exc)
    return f"{reason}: it may not speak TLS there; try http://" if reason in _NO_TLS else reason


def _reason(url: str, exc: BaseException) -> str | None:
    """Return a sentence about a failed connection, None if the cause is on this side or unknown."""
    if is_a(exc, SocketTimeout):
        return f"nothing answers at {url}: the connection timed out"
    if is_a(exc, ssl.SSLError):
        return f"no TLS connection to {url}: {_tls_reason(exc)}"
    if is_a(exc, socket.gaierror):
        return f"the name in {url} has no address ({exc.strerror or exc})"
    if is_a(exc, ConnectionRefusedError):
        return f"nothing listens at {url}: connection refused"
    if is_a(exc, OSError) and exc.errno not in _OWN:
        return f"no connection to {url}: {exc.strerror or exc}"
    return None
