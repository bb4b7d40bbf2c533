"""A `requests` transport adapter that sends over Chaperon's own connection pools."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from math import inf
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import InvalidURL, RequestException
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers, select_proxy
from urllib3 import HTTPResponse
from urllib3.util import Timeout

from chaperon.client.http.body import Body, blocks, in_chunks
from chaperon.client.http.cookies import Jar
from chaperon.client.http.deadline import CallBudget, bounds_of
from chaperon.client.http.pool import KEPT, HostPool
from chaperon.client.http.request_templates import SAFE, render
from chaperon.client.http.response import ParsedHead, Response
from chaperon.client.http.urllib3_adapter import BoundedHTTPAdapter, SendSettings
from chaperon.client.mocks import intercepted
from chaperon.client.network.connect import NetworkContext, Timeouts
from chaperon.client.network.exceptions import Origin
from chaperon.client.network.tls import context_for

PORTS = {"http": 80, "https": 443}
ORIGINS = 1_000
"""URLs of origins that are parsed once for all sessions."""


class WireAdapter(BoundedHTTPAdapter):
    """Sends prepared requests over `HostPool` connections; requests through a proxy, and those that a mock
    intercepts, are sent by urllib3.

    *deadline* (seconds for the whole request) and *limit* (bytes of the decoded body) apply to requests
    that carry no `CallBudget`.
    """

    def __init__(
        self,
        wire: NetworkContext | None = None,
        *,
        deadline: float = inf,
        limit: float = inf,
        local_addresses: Any = (),
    ) -> None:
        self.deadline = deadline
        self.limit = limit
        self._wire = self.network = wire or NetworkContext()
        self._locals = tuple(local_addresses)
        self._pools_by_origin: dict[Any, HostPool] = {}
        super().__init__(pool_connections=KEPT, pool_maxsize=KEPT)

    def twin(self) -> WireAdapter:
        """Return an adapter with the same settings and no connections, without the initialization by `requests`."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__, config={}, proxy_manager={}, _pools_by_origin={})
        twin.__dict__.pop("poolmanager", None)
        return twin

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Store the arguments: urllib3's pool manager is created on first use, which is rare."""
        self._pools = args, kwargs

    def __getattr__(self, name: str) -> Any:
        if name != "poolmanager" or "_pools" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        args, kwargs = self._pools
        super().init_poolmanager(*args, **kwargs)
        return self.__dict__["poolmanager"]

    def __getstate__(self) -> dict[str, Any]:
        kept: Any = super().__getstate__()
        return {**kept, "deadline": self.deadline, "limit": self.limit, "_locals": self._locals}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._wire = self.network = NetworkContext()
        self._pools_by_origin = {}
        super().__setstate__(state)  # type: ignore[misc]

    def pool(self, url: str, verify: Any, cert: Any) -> HostPool:
        """Return the connection pool for the origin of *url*, created on first use.

        Raises InvalidURL, and OSError if a certificate file does not exist.
        """
        origin = _origin_of(url)
        key = _pool_key(origin, verify, cert)
        pool = self._pools_by_origin.get(key)
        if pool is None:
            context = _context(verify, cert) if origin.scheme == "https" else None
            pool = self._pools_by_origin[key] = HostPool(self._wire, origin, context, self._locals)
        return pool

    def adopt(self, pool: HostPool, verify: Any, cert: Any) -> None:
        """Use *pool* for its origin, before there is another one."""
        self._pools_by_origin[_pool_key(pool.origin, verify, cert)] = pool

    def _transmit(self, request: PreparedRequest, settings: SendSettings) -> requests.Response:
        """Send *request* over the connection pool of its origin, or through urllib3 if a proxy is set for it."""
        url = request.url or ""
        if select_proxy(url, settings.proxies) or intercepted():
            return super()._transmit(request, settings)
        verify, cert = settings.verify, settings.cert
        now = self._wire.now
        began = now()
        bounds = bounds_of(request) or CallBudget(began + self.deadline, self.limit, now)
        try:
            pool = self.pool(url, verify, tuple(cert) if isinstance(cert, list) else cert)
            self.add_headers(request, **settings._asdict())
            chunked = not (request.body is None or "Content-Length" in request.headers)
            head, parts = render(request, chunked=chunked), blocks(request.body)
            whole = isinstance(request.body, (str, bytes, type(None)))
            if whole and not chunked:
                head, parts = head + b"".join(parts), iter(())  # one write, so head and body share a TCP segment
            method = (request.method or "GET").upper()
            body = pool.stream(
                head,
                in_chunks(parts) if chunked else parts,
                request.path_url,
                timeouts_of(settings.timeout, bounds.until - began),
                bounds.limit,
                is_head=method == "HEAD",
                safe=whole and method in SAFE,
            )
        except RequestException as exc:
            exc.request = request
            raise
        return self._reply(request, body, began, bounds.limit)

    def close(self) -> None:
        """Close all idle connections."""
        for pool in self._pools_by_origin.values():
            pool.close()
        super().close()

    def _reply(self, request: PreparedRequest, body: Body, began: float, limit: float) -> Response:
        head = ParsedHead(body.arrived.head)
        body.describe(head.headers, head.version)
        raw = HTTPResponse(
            body,
            headers=head.headers,
            status=body.arrived.status,
            version=head.version,
            reason=head.reason,
            preload_content=False,
            decode_content=False,
            original_response=body,
            request_method=request.method,
            request_url=request.url,
        )
        reply = Response()
        reply.status_code = body.arrived.status
        reply.headers = CaseInsensitiveDict(head.headers)
        reply.encoding = get_encoding_from_headers(reply.headers)
        reply.raw = raw
        reply.reason = head.reason
        reply.url = request.url or ""
        reply.request = request
        reply.connection = self
        reply.watch(body, began, limit)
        reply.cookies = Jar()
        extract_cookies_to_jar(reply.cookies, request, raw)  # type: ignore[no-untyped-call]
        return reply


def _pool_key(origin: Origin, verify: Any, cert: Any) -> Any:
    return (origin, verify, cert) if origin.scheme == "https" else origin


@lru_cache(ORIGINS)
def _origin_of(url: str) -> Origin:
    """Return the origin of *url*: one object for all sessions. Raises InvalidURL."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    try:
        host, port = parts.hostname or "", parts.port or PORTS[scheme]
    except (ValueError, KeyError) as exc:
        raise InvalidURL(exc) from exc
    if not host:
        raise InvalidURL(f"no host in {url!r}")
    return Origin(scheme, host, port)


def _context(verify: Any, cert: Any) -> ssl.SSLContext:
    """Return the TLS context. Raises OSError, with the message of `requests`, if a file does not exist."""
    if verify and verify is not True and not os.path.exists(verify):
        raise OSError(f"Could not find a suitable TLS CA certificate bundle, invalid path: {verify}")
    for path, what in zip((cert,) if isinstance(cert, str) else cert or (), ("certificate", "key"), strict=False):
        if path and not os.path.exists(path):
            raise OSError(f"Could not find the TLS {what} file, invalid path: {path}")
    return context_for(verify or False, cert)


def timeouts_of(timeout: Any, deadline: float) -> Timeouts:
    """Convert a `requests` *timeout* and a *deadline* (seconds for the whole request) to `Timeouts`.

    Raises ValueError for a tuple that is not (connect, read).
    """
    if isinstance(timeout, tuple):
        try:
            connect, read = timeout
        except ValueError:
            raise ValueError(
                f"Invalid timeout {timeout}. Pass a (connect, read) timeout tuple, "
                f"or a single float to set both timeouts to the same value."
            ) from None
        timeout = Timeout(connect=connect, read=read)
    elif not isinstance(timeout, Timeout):
        timeout = Timeout(connect=timeout, read=timeout)
    return Timeouts(_seconds(timeout.connect_timeout), _seconds(timeout.read_timeout), deadline)


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else inf
