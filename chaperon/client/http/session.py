"""A `requests.Session` with cheap request preparation and origin checks, over Chaperon's own connections."""

from __future__ import annotations

import copy
import re
from collections import OrderedDict
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from math import inf
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from requests.cookies import RequestsCookieJar, merge_cookies
from requests.exceptions import InvalidURL, RequestException
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

from chaperon._version import VERSION
from chaperon.client.http.adapter import WireAdapter, timeouts_of
from chaperon.client.http.cookies import Headers, Jar
from chaperon.client.http.deadline import CallBudget
from chaperon.client.http.fast_path import METHODS, encode_request
from chaperon.client.http.pool import HostPool
from chaperon.client.http.request_templates import SHARED_TARGETS, EncodedRequest, RequestTemplates
from chaperon.client.http.urllib3_adapter import CachedPoolAdapter, CachedPreparedRequest
from chaperon.client.mocks import METHODS as METHODS_REPLACED
from chaperon.client.mocks import PlainSession, is_replaced
from chaperon.client.network.connect import NetworkContext
from chaperon.client.origins import Origins, forget_cookies, noting, strip, without_hosts
from chaperon.client.service import Service

HOSTS = 6
"""Hosts for which urllib3 pools are kept per user."""
CONNECTIONS = 6
"""Idle connections per user and host in a urllib3 pool, as many as browsers open."""

ORIGINS = 100
"""Origins whose request templates are cached per session."""

_STATE = METHODS_REPLACED | {
    "headers",
    "cookies",
    "auth",
    "verify",
    "cert",
    "stream",
    "trust_env",
    "adapters",
    "proxies",
    "params",
    "hooks",
}
_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?", re.ASCII)


_CHANGEABLE = frozenset({dict, list, set})
_INIT: Any = PlainSession.__init__
_set = object.__setattr__


class FastSession(PlainSession):
    """A `requests.Session` set up from a `Service`, which encodes common requests from templates. Records nothing."""

    cookies: Jar

    def __init__(self, service: Service, cookies: Jar | None = None, wire: NetworkContext | None = None) -> None:
        jar = Jar() if cookies is None else cookies
        if wire is not None:
            jar.by_hand = wire.keep_secret
            place = (type(self), id(service))
            pattern: _Pattern | None = wire.shared.get(place)
            if pattern is not None and is_set_up_by_requests():
                # one by one: the sessions then share the keys of their `__dict__`
                for name, value in pattern.state().items():
                    _set(self, name, value)
                _set(self, "cookies", jar)
                return
        self._set_up(service, jar, wire)
        if wire is not None and service.transport == "wire":
            wire.shared[place] = _Pattern(self)

    def _set_up(self, service: Service, jar: Jar, wire: NetworkContext | None) -> None:
        super().__init__()
        self.service = service
        self.headers = Headers(self.headers)  # type: ignore[assignment, arg-type]
        self.cookies = jar
        self._configure(wire)
        self.trust_env = service.trust_env
        self.auth = service.auth
        self.verify = service.verify
        self.cert = service.cert
        self.headers["User-Agent"] = f"chaperon/{VERSION}"
        self.headers.update(service.headers)

    def _configure(self, wire: NetworkContext | None) -> None:
        service = self.service
        self._forget()
        self._origins = Origins(service)
        self._signed: set[str] = set()
        self._limit = inf if service.max_body is None else service.max_body
        deadline: Any = service.deadline  # in seconds, as `Service` parses it
        self._total: float = inf if deadline is None else deadline
        self._timeouts = timeouts_of(service.timeout, self._total)
        self._base = _base_of(service.url)
        adapter: WireAdapter | CachedPoolAdapter
        if service.transport == "wire":
            adapter = WireAdapter(
                wire, deadline=self._total, limit=self._limit, local_addresses=service.local_addresses
            )
        else:
            adapter = CachedPoolAdapter(HOSTS, CONNECTIONS, wire)
        self.adapters.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _STATE:
            self._forget()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in _STATE:
            self._forget()

    def _forget(self) -> None:
        self._templates_by_origin: dict[str, RequestTemplates | None] = {}
        self._main: RequestTemplates | None = None

    def __getstate__(self) -> dict[str, Any]:
        kept: Any = super().__getstate__()
        return {**kept, "service": self.service}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.service = state["service"]
        self.adapters = {}
        self._configure(None)
        super().__setstate__(state)  # type: ignore[misc]

    def mount(self, prefix: Any, adapter: Any) -> None:
        """Send requests whose URL begins with *prefix* through *adapter*; see `requests.Session.mount`."""
        super().mount(prefix, adapter)
        self._forget()

    def adopt(self, pool: HostPool) -> None:
        """Use the connections of *pool*, which are to the base URL; for a new session over Chaperon's connections."""
        (adapter,) = set(self.adapters.values())
        adapter.adopt(pool, self.verify, self.cert)  # type: ignore[attr-defined]  # `WireAdapter`

    def usual_templates(self) -> RequestTemplates | None:
        """Return the templates for the base URL, to be shared by sessions that nothing has changed; None without one.

        None also if requests of the session must be sent through `requests`. Raises what a first request raises.
        """
        if self._base is None or self.service.transport != "wire":
            return None
        templates = self._templates_for(self._base[0])
        if templates is not None:
            templates.most = SHARED_TARGETS
        return templates

    def close(self) -> None:
        """Close all adapters with their idle connections."""
        for adapter in dict.fromkeys(self.adapters.values()):
            adapter.close()

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request as `requests` does, but skip merging where the session has nothing to merge.

        A request to an origin that the service does not trust gets none of the session's headers and auth.
        """
        url = request.url
        if not self._origins.trusts(url.decode(errors="replace") if isinstance(url, bytes) else str(url)):
            return self._for_stranger(request)
        auth = noting(self.auth, self._signed) if request.auth is None else request.auth
        if self.trust_env or self.params or request.cookies:
            if auth is not self.auth and request.auth is None:
                request = copy.copy(request)
                request.auth = auth
            return super().prepare_request(request)
        headers = self.headers
        if request.headers or None in headers.values():
            headers = CaseInsensitiveDict(headers)
            headers.update(request.headers)
            for name in [name for name, value in headers.items() if value is None]:
                del headers[name]
        prepared = CachedPreparedRequest()
        prepared.prepare(
            method=request.method,
            url=request.url,
            files=request.files,
            data=request.data,
            json=request.json,
            headers=headers,
            params=request.params or None,
            auth=auth,
            cookies=merge_cookies(RequestsCookieJar(), self.cookies),  # type: ignore[no-untyped-call]
            hooks=request.hooks if request.hooks.get("response") else self.hooks,
        )
        return prepared

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return proxies, stream, verify and cert of a request; see `requests`, skipping the environment if unused."""
        if self.trust_env or proxies:
            merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
            return merged if cert is not None else {**merged, "cert": self.certificate_for(url)}
        return {
            "proxies": self.proxies,
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.certificate_for(url) if cert is None else cert,
        }

    def certificate_for(self, url: str) -> Any:
        """Return the client certificate for *url*: the session's, or None if the origin of *url* is not trusted."""
        return self.cert if self.cert is None or self._origins.trusts(url) else None

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Remove headers, auth and cookies that an untrusted origin must not get from a redirected request.

        Then does what `requests` does.
        """
        before, after = response.request.url or "", prepared_request.url or ""
        trusted = self._origins.trusts(after)
        if self._origins.leaves(before, after) or (is_stranger(response.request) and not trusted):
            prepared_request._chaperon_stranger = True  # type: ignore[attr-defined]
            strip(prepared_request, self._carried(), self.auth)
            forget_cookies(prepared_request)
        elif not trusted:
            forget_cookies(prepared_request)
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]

    def may_redirect(self, before: str, after: str) -> bool:
        """Return whether a request may be repeated with all its headers after a redirect from *before* to *after*."""
        return not self._origins.leaves(before, after)

    def _carried(self) -> set[str]:
        """Return the names, in lower case, of the headers that the session adds to requests."""
        service = {name.lower() for name in self.service.headers} | self._signed
        if self._origins.anywhere:  # without a base URL the scenario's own headers go everywhere, as in `requests`
            return service | ({"authorization"} if self.service.auth is not None else set())
        usual = {name.lower() for name in requests.utils.default_headers()}
        custom = {name.lower() for name in self.headers if name.lower() not in usual}
        return service | custom | {"authorization"}

    def _for_stranger(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request to an untrusted origin, without headers, auth and unscoped cookies of the session."""
        stranger = PlainSession()
        stranger.headers["User-Agent"] = f"chaperon/{VERSION}"
        stranger.trust_env, stranger.hooks = self.trust_env, self.hooks
        stranger.cookies = without_hosts(self.cookies)  # type: ignore[assignment]
        return stranger.prepare_request(request)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the redirect target of a response, or None.

        Raises `requests.exceptions.InvalidURL` for a malformed one, where `requests` raises a bare ValueError.
        """
        try:
            target = super().get_redirect_target(resp)
            urlsplit(target or "")
        except ValueError as exc:
            resp.close()  # its body is not read yet, and the connection would stay open until it is collected
            raise InvalidURL(f"redirected to what is no URL: {exc}", response=resp) from exc
        return target

    def _encoded(self, method: str, url: Any, params: Any, data: Any, json: Any, headers: Any) -> EncodedRequest | None:
        """Return the encoded request, or None if it must be sent through `requests`."""
        return encode_request(self, method, url, params, data, json, headers)

    def _encode(self, method: str, url: Any, params: Any, data: Any, json: Any, headers: Any) -> EncodedRequest | None:
        if method not in METHODS or not isinstance(url, str):
            return None
        if url.startswith("/") and self._base is not None:
            origin, prefix = self._base
            path = url if not prefix and not url.startswith("//") else f"{prefix}/{url.lstrip('/')}"
        elif url.startswith(("http://", "https://")):
            slash = url.find("/", 8)
            if slash >= 0:
                origin, path = url[:slash], url[slash:]
            elif "?" in url or "#" in url:
                return None
            else:
                origin, path = url, "/"
        else:
            return None
        templates = self._templates_by_origin.get(origin, ...)
        if templates is ...:
            templates = self._templates_for(origin)
        return None if templates is None else templates.encode(method, path, params, data, json, headers)

    def _templates_for(self, origin: str) -> RequestTemplates | None:
        """Return the templates for an origin, or None if the session's settings require `requests`."""
        if len(self._templates_by_origin) >= ORIGINS:
            self._forget()
        self._templates_by_origin[origin] = None
        adapter, narrower = self._mounted(origin.lower())
        usual = (
            type(self.headers) is Headers
            and type(self.cookies) is Jar
            and type(self.cookies._policy) is DefaultCookiePolicy  # type: ignore[attr-defined]
            and (self.auth is None or isinstance(self.auth, tuple) or type(self.auth) is HTTPBasicAuth)
            and not self.trust_env
            and not self.stream
            and type(self.hooks) is dict
            and not is_replaced(self)
        )
        if usual and type(adapter) is WireAdapter and not narrower and _ORIGIN.fullmatch(origin):
            try:
                pool = adapter.pool(origin, self.verify, self.certificate_for(origin))
            except (OSError, RequestException):
                return None  # sending through `requests` raises the error
            templates = self._templates_by_origin[origin] = RequestTemplates(
                self, origin, adapter, pool, self._timeouts, self._limit, self.service.timings
            )
            if self._base is not None and origin == self._base[0]:
                self._main = templates
                templates.at_root = self._base[1] == ""
        return self._templates_by_origin[origin]

    def _mounted(self, origin: str) -> tuple[Any, bool]:
        """Return the adapter of an origin in lower case, and whether one is mounted for some of its URLs alone."""
        found, narrower = None, False
        for prefix, adapter in self.adapters.items():
            lowered = prefix.lower()
            if found is None and origin.startswith(lowered):
                found = adapter
            narrower = narrower or lowered.startswith(origin)
        return found, narrower

    def _bounds(self, now: Callable[[], float], total: Any = ..., limit: Any = ...) -> CallBudget:
        total = self._total if total is ... else inf if total is None else total
        limit = self._limit if limit is ... else inf if limit is None else limit
        return CallBudget(now() + total, limit, now)


class _Pattern:
    """The state of a new session, by which further sessions of its service are set up in an eighth of the time.

    It holds the service, so that no other one gets its id.
    """

    def __init__(self, session: FastSession) -> None:
        state = session.__dict__
        self._changeable = {name: value.copy() for name, value in state.items() if type(value) in _CHANGEABLE}
        self._state = {**state, **self._changeable}
        self._headers: Any = session.headers.twin()  # type: ignore[attr-defined]  # `Headers`, set above
        (adapter,) = set(session.adapters.values())
        self._adapter: Any = adapter.twin()  # type: ignore[attr-defined]  # `WireAdapter`

    def state(self) -> dict[str, Any]:
        """Return the attributes of a new session but its cookies; it shares none that can change."""
        adapter = self._adapter.twin()
        return {
            **self._state,  # in its order, so that the sessions share the keys of their `__dict__`
            **{name: value.copy() for name, value in self._changeable.items()},
            "headers": self._headers.twin(),
            "hooks": default_hooks(),
            "adapters": OrderedDict((("https://", adapter), ("http://", adapter))),
        }


def is_set_up_by_requests() -> bool:
    """Return whether no library has replaced the initialization of `requests.Session`."""
    init: Any = PlainSession.__init__
    return init is _INIT and init.__module__ == "requests.sessions" and not hasattr(init, "__wrapped__")


def is_stranger(request: Any) -> bool:
    """Return whether a redirect led this request to an untrusted origin, which gets no client certificate."""
    return getattr(request, "_chaperon_stranger", False)


def _base_of(url: str) -> tuple[str, str] | None:
    """Return origin and path prefix of a base URL, or None if it has no origin or has a query or fragment."""
    scheme, mark, rest = url.partition("://")
    if not mark or "?" in rest or "#" in rest:
        return None
    authority, _, path = rest.partition("/")
    return f"{scheme}://{authority}", f"/{path.strip('/')}" if path.strip("/") else ""
