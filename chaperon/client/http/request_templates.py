"""Cached request heads: built once per kind of request, then only target, length and body are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader, InvalidJSONError
from requests.models import PreparedRequest, RequestEncodingMixin
from urllib3.util.url import _encode_target

from chaperon.client.headers import beyond_latin_1
from chaperon.client.http.json_codec import encode
from chaperon.clock import epoch
from chaperon.measure.meter import SeriesSlot

if TYPE_CHECKING:
    from chaperon.client.http.pool import HostPool
    from chaperon.client.network.connect import Timeouts

_INF: Final = float("inf")
TEMPLATES: Final = 200
"""Maximum number of templates cached per session and origin; beyond it the cache is cleared."""

SHARED: Final = 500
"""Maximum number of templates shared by the sessions of a run; beyond it they are made anew."""

TARGETS: Final = 100
"""Maximum number of paths cached per session and origin; beyond it the cache is cleared."""

SHARED_TARGETS: Final = 5_000
"""The same where all sessions of a scenario share the cache."""

# a path with an optional query that `requests` sends without re-quoting
_PLAIN = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~:@,;=+*/-]*)?(?:\?[A-Za-z0-9._~:@,;=+*/?&-]+)?", re.ASCII)

_SAMPLES: dict[str, dict[str, Any]] = {
    "": {},
    "json": {"json": {"a": 1}},
    "form": {"data": {"a": "1"}},
    "raw": {"data": b"1"},
}


def render(request: PreparedRequest, *, chunked: bool = False) -> bytes:
    """Return the head of a prepared request as bytes, closing empty line included.

    Raises InvalidHeader for a line break in a header, ValueError for an invalid method.
    """
    before, after = _halves(request, chunked, no_body=request.body is None and not chunked)
    return before + _target(request) + after


def _target(request: PreparedRequest) -> bytes:
    """Return the request target, encoded as urllib3 does when it sends: an SDK may have set any URL."""
    return _encode_target(request.path_url).encode("latin-1")


def _halves(request: PreparedRequest, chunked: bool = False, no_body: bool = False) -> tuple[bytes, bytes]:
    """Return the bytes of a request head before its target and after it."""
    lines = []
    names = {_text(name).lower() for name in request.headers}
    if "host" not in names:
        lines.append(f"Host: {_host(request.url or '')}")
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    for name, value in request.headers.items():
        line = f"{_text(name)}: {_text(value)}"
        if "\n" in line or "\r" in line:
            raise InvalidHeader(f"a header may not hold a line break: {_text(name)!r}")
        lines.append(line)
    if chunked and "transfer-encoding" not in names:
        lines.append("Transfer-Encoding: chunked")
    method = _text(request.method or "GET")
    if no_body and method.upper() in BODY_EXPECTED and names.isdisjoint(("content-length", "transfer-encoding")):
        lines.append("Content-Length: 0")
    if not method.isascii() or any(c <= " " for c in method):
        raise ValueError(f"method can't contain control characters: {method!r}")
    try:
        head = "\r\n".join(lines).encode("latin-1", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise beyond_latin_1(request.headers.items()) or exc from None
    return f"{method} ".encode(), b" HTTP/1.1\r\n" + head + b"\r\n\r\n"


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "\n")
    host = host.removesuffix(default)
    return host if host.isascii() else host.encode("idna").decode()


class ChangeCount:
    """How often something has changed."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class RequestTemplate:
    """The constant bytes of a request: all but target, content length and body.

    The request is *before*, target, *between*, content length, *after*, body; without a body *between* and
    the length are left out. *is_head* is True for HEAD, *safe* for idempotent methods. *plain_head* is the last
    head of a response without content coding, cookies and location: many servers repeat it for a second.
    """

    __slots__ = ("after", "before", "between", "is_head", "plain_head", "prepared", "safe")

    def __init__(self, prepared: PreparedRequest, before: bytes, between: bytes, after: bytes) -> None:
        self.prepared = prepared
        self.before = before
        self.between = between
        self.after = after
        self.is_head = prepared.method == "HEAD"
        self.safe = prepared.method in SAFE
        self.plain_head = b""

    def __repr__(self) -> str:
        return f"<RequestTemplate of {self.prepared.method}>"


class RequestTemplates:
    """The request templates of one session for one origin, rebuilt when headers or cookies of the session change.

    *ready* caches complete requests without parameters and body by method and URL as given. With *at_root* a path
    as given is the target: the base URL has none. *timeouts* and *limit*, in
    bytes, are those of requests without their own. With *timed*, the stages of each request are recorded.
    *proxies*, *params* and *hooks* are the session's. At most *most* paths are cached.
    """

    # mypyc: what each request reads of the session, which is not compiled, is kept here.

    __slots__ = (
        "_cookie_changes",
        "_expires",
        "_header_changes",
        "_headers_version",
        "_jar",
        "_jar_version",
        "_rooted",
        "_session",
        "_slots",
        "_targets",
        "_templates",
        "adapter",
        "at_root",
        "hooks",
        "limit",
        "most",
        "origin",
        "params",
        "pool",
        "proxies",
        "ready",
        "timed",
        "timeouts",
    )

    def __init__(
        self,
        session: requests.Session,
        origin: str,
        adapter: HTTPAdapter,
        pool: HostPool,
        timeouts: Timeouts,
        limit: float,
        timed: bool,
    ) -> None:
        self.origin = origin
        self.adapter = adapter
        self.pool = pool
        self.timeouts = timeouts
        self.limit = limit
        self.timed = timed
        self.at_root = False
        self.most = TARGETS
        self.proxies: Any = session.proxies
        self.params: Any = session.params
        self.hooks: dict[str, Any] = session.hooks
        self.ready: dict[str, dict[Any, EncodedRequest]] = {}
        self._slots: dict[str, dict[str, SeriesSlot]] = {}
        self._session: Any = session
        headers: Any = session.headers
        jar: Any = session.cookies
        self._jar = jar
        self._header_changes: ChangeCount = headers.changes
        self._cookie_changes: ChangeCount = jar.changes
        self._templates: dict[Any, RequestTemplate] = {}
        self._targets: dict[str, str] = {}
        self._discard_templates()

    @property
    def adds(self) -> bool:
        """Whether the session has proxies, parameters or hooks, which templates do not cover."""
        return bool(self.proxies or self.params or self.hooks.get("response"))

    @property
    def current(self) -> bool:
        """Whether headers and cookies are unchanged and no cookie has expired, so that cached requests are valid."""
        same = self._header_changes.n == self._headers_version and self._cookie_changes.n == self._jar_version
        return same and (self._expires == _INF or epoch() < self._expires)

    def _discard_templates(self) -> None:
        if self._jar._cookies:
            self._jar.clear_expired_cookies()
            self._rooted, self._expires = self._jar.rooted, self._jar.expires
        else:
            self._rooted, self._expires = True, _INF
        self._headers_version, self._jar_version = self._header_changes.n, self._cookie_changes.n
        self._templates.clear()
        self.ready.clear()

    def slot(self, method: str, url: str) -> SeriesSlot:
        """Return the slot of the series of requests with *url* as given."""
        slots = self._slots.get(method)
        if slots is None:
            slots = self._slots[method] = {}
        slot = slots.get(url)
        if slot is None:
            if len(slots) >= self.most:
                slots.clear()
            slot = slots[url] = SeriesSlot(self._session.service.label(method, url), "http")
        return slot

    def encode(self, method: str, path: str, params: Any, data: Any, json: Any, headers: Any) -> EncodedRequest | None:
        """Return the encoded request, or None if it needs a feature of `requests` that templates do not cover.

        Raises what `requests` raises when it prepares the request.
        """
        if not self.current:
            self._discard_templates()
        if not self._rooted:
            return None
        target = self._targets.get(path)
        if target is None:
            target = self._known(path)
            if target is None:
                return None
        if params:
            if not isinstance(params, Mapping):
                return None
            asked = RequestEncodingMixin._encode_params(params)  # type: ignore[attr-defined]
            if asked:
                target += ("&" if "?" in target else "?") + asked
        if data:
            if isinstance(data, (str, bytes)):
                kind, body = "raw", data
            elif isinstance(data, Mapping):
                kind, body = "form", RequestEncodingMixin._encode_params(data)  # type: ignore[attr-defined]
                if not body:
                    return None  # only empty lists: `requests` sends no body
            else:
                return None
        elif json is not None:
            kind, body = "json", _json(json)
        else:
            kind, body = "", None
        key = (method, kind, tuple(headers.items())) if headers else (method, kind)
        try:
            template = self._templates.get(key) or self._make_template(key, method, kind, headers)
        except TypeError:  # an unhashable header value: `requests` raises the error
            return None
        parts = [template.before, target.encode("ascii")]
        if body is not None:
            octets = _octets(body)
            parts += [template.between, str(len(octets)).encode("ascii"), template.after, octets]
        else:
            parts.append(template.after)
        return EncodedRequest(self, template, b"".join(parts), target, body)

    def _known(self, path: str) -> str | None:
        """Return the request target of a path, or None if the path needs quoting or dot segment removal."""
        if not _PLAIN.fullmatch(path) or "/." in path:
            return None
        if len(self._targets) >= self.most:
            self._targets.clear()
            self.ready.clear()
        self._targets[path] = path
        return path

    def _make_template(self, key: Any, method: str, kind: str, headers: Any) -> RequestTemplate:
        if len(self._templates) >= TEMPLATES:
            self._templates.clear()
        template = self._shared_template(key, method, kind, headers) or self._prepared_template(method, kind, headers)
        self._templates[key] = template
        return template

    def _shared_template(self, key: Any, method: str, kind: str, headers: Any) -> RequestTemplate | None:
        """Return the template that all sessions share which would prepare such a request alike; None if it has cookies.

        Preparing one takes longer than all else that a user does before its first request.
        """
        session = self._session
        if self._jar._cookies or not (session.auth is None or isinstance(session.auth, tuple)):
            return None
        service = session.service
        place = (self.origin, key, session.headers.pairs(), session.auth, type(session), id(service))
        shared = self.pool.shared
        found = shared.get(place)
        if found is None:
            if len(shared) >= SHARED:
                shared.clear()
            # the service is kept, so that no other one gets its id
            found = shared[place] = (self._prepared_template(method, kind, headers), service)
        template: RequestTemplate = found[0]
        return template

    def _prepared_template(self, method: str, kind: str, headers: Any) -> RequestTemplate:
        """Return a template of what `requests` prepares."""
        prepared = self._session.prepare_request(
            requests.Request(method, self.origin + "/", headers=headers, **_SAMPLES[kind])
        )
        before, after = _halves(prepared)
        between = b""
        if kind:
            start = after.lower().index(b"\r\ncontent-length: ") + len(b"\r\ncontent-length: ")
            between, after = after[:start], after[after.index(b"\r\n", start) :]
        return RequestTemplate(prepared, before, between, after)


class EncodedRequest:
    """A request encoded to bytes (*wire*), with its template, target and body.

    *slot* is that of its series, if it is known.
    """

    __slots__ = ("body", "slot", "target", "template", "templates", "wire")

    def __init__(
        self, templates: RequestTemplates, template: RequestTemplate, wire: bytes, target: str, body: str | bytes | None
    ) -> None:
        self.templates = templates
        self.template = template
        self.wire = wire
        self.target = target
        self.body = body
        self.slot: SeriesSlot | None = None

    def __repr__(self) -> str:
        return f"<EncodedRequest {self.template.prepared.method} {self.target}>"

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.templates.origin + self.target

    @property
    def prepared(self) -> PreparedRequest:
        """The same request as a `requests.PreparedRequest`, built at each access."""
        prepared = self.template.prepared.copy()
        prepared.url = self.url
        if self.body is not None:
            prepared.body = self.body
            prepared.headers["Content-Length"] = str(len(_octets(self.body)))
        return prepared


SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Idempotent methods (RFC 9110, 9.2.2): sending a request twice has the same effect as once."""

BODY_EXPECTED = frozenset({"PATCH", "POST", "PUT"})
"""Methods of which a request without a body says so: servers may answer 411 to one that does not (RFC 9110, 8.6)."""


def _octets(body: str | bytes) -> bytes:
    return body.encode("utf-8") if isinstance(body, str) else body


def _json(value: Any) -> bytes:
    try:
        return _octets(encode(value))
    except ValueError as exc:
        raise InvalidJSONError(exc) from exc
