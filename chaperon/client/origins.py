"""Decides which origins receive the headers, auth, cookies and client certificate of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from requests.cookies import RequestsCookieJar

from chaperon.client.http.urllib3_adapter import CachedPreparedRequest
from chaperon.client.service import Service

Origin = tuple[str, str, int]
"""Scheme, host and port (RFC 6454); ws and wss are mapped to http and https."""

SCHEMES = {"ws": "http", "wss": "https"}
PORTS = {"http": 80, "https": 443}
KNOWN = 1_000


def origin_of(url: str) -> Origin | None:
    """Return the origin of a URL, with the host in lower case and the default port filled in, or None."""
    try:
        parts = urlsplit(url)
        scheme = SCHEMES.get(parts.scheme, parts.scheme)
        port = PORTS.get(scheme, 0) if parts.port is None else parts.port
    except ValueError:
        return None
    return (scheme, parts.hostname, port) if parts.hostname else None


class Origins:
    """The trusted origins of a service: that of its URL and those in *trust_origins*."""

    def __init__(self, service: Service) -> None:
        self.anywhere = not service.url
        self._trusted = {_prepared_origin(url) for url in (service.url, *service.trust_origins) if url} - {None}
        self._known: dict[str, bool] = {}
        parts = urlsplit(service.url)
        self._prefix = f"{parts.scheme}://{parts.netloc}/" if service.url else " "

    def trusts(self, url: str) -> bool:
        """Return whether requests to *url* carry the service's headers, auth and certificate.

        A service without a base URL trusts every URL that a scenario requests.
        """
        return self.anywhere or url.startswith(self._prefix) or self._lists(url)

    def leaves(self, before: str, after: str) -> bool:
        """Return whether a redirect from *before* to *after* changes the origin to an untrusted one."""
        return origin_of(before) != origin_of(after) and not self._lists(after)

    def _lists(self, url: str) -> bool:
        known = self._known.get(url)
        if known is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            known = self._known[url] = _prepared_origin(url) in self._trusted
        return known


def _prepared_origin(url: str) -> Origin | None:
    """Return the origin that a request to *url* is sent to, or None if URL parsers disagree about it.

    `requests` encodes hosts, and urllib3 parses malformed URLs differently from the standard library.
    """
    scheme, mark, rest = url.partition("://")
    url = f"{SCHEMES.get(scheme.lower(), scheme)}{mark}{rest}"
    prepared = CachedPreparedRequest()
    try:
        prepared.prepare_url(url, None)
    except (requests.RequestException, ValueError):
        return None
    found = origin_of(prepared.url or "")
    return found if not url.isascii() or found == origin_of(url) else None


def without_hosts(cookies: CookieJar) -> CookieJar:
    """Return the cookies that have a domain; a cookie that a scenario sets without one would go to every host."""
    kept = RequestsCookieJar(getattr(cookies, "_policy", None))
    for cookie in cookies:
        if cookie.domain:
            kept.set_cookie(cookie)
    return kept


class HeadersOfAuth:
    """An auth handler that wraps another one and records the names of the headers it adds."""

    def __init__(self, auth: Callable[[Any], Any], names: set[str]) -> None:
        self._auth = auth
        self._names = names

    def __call__(self, request: Any) -> Any:
        """Call the wrapped handler and return the signed request."""
        before = dict(request.headers)
        signed = self._auth(request)
        self._names.update(name.lower() for name, value in signed.headers.items() if before.get(name) != value)
        return signed


def noting(auth: Any, names: set[str]) -> Any:
    """Return *auth* wrapped to record its headers in *names*, or unchanged if it only adds Authorization."""
    usual = auth is None or isinstance(auth, (tuple, HTTPBasicAuth, HeadersOfAuth)) or not callable(auth)
    return auth if usual else HeadersOfAuth(auth, names)


def strip(prepared: requests.PreparedRequest, names: Iterable[str], auth: Any) -> None:
    """Remove the headers *names* from a prepared request, and the response hooks of *auth* (digest challenges)."""
    for name in names:
        prepared.headers.pop(name, None)
    hooks: Any = prepared.hooks
    kept = [hook for hook in hooks.get("response", ()) if auth is None or getattr(hook, "__self__", None) is not auth]
    prepared.hooks = {**hooks, "response": kept}


def forget_cookies(prepared: requests.PreparedRequest) -> None:
    """Remove from a prepared request the cookies that have no domain."""
    cookies: Any = prepared._cookies  # type: ignore[attr-defined]
    if prepared.headers.pop("Cookie", None) is not None and cookies is not None:
        prepared.prepare_cookies(without_hosts(cookies))
