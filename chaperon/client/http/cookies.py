"""Session headers and cookie jar with version numbers, so that cached request heads can be invalidated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http.cookiejar import (  # type: ignore[attr-defined]  # eff_request_host is not in typeshed
    Cookie,
    DefaultCookiePolicy,
    eff_request_host,
)
from math import inf
from typing import Any

from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from chaperon.client.http.request_templates import ChangeCount
from chaperon.clock import epoch

NAME = 60
"""Characters of a cookie's name or domain that a note shows."""
_DATED = re.compile("expires|max-age", re.IGNORECASE)
_AGE = re.compile(r"max-age\s*=(?!\s*\"?-?\d+\"?\s*(?:;|$))", re.IGNORECASE)
_CHECKS = {
    "version": "its version is not 0 (RFC 2965 is not supported)",
    "verifiability": "it is of a third party",
    "name": "its name begins with $",
    "path": "its Path={path} does not belong to the request",
    "domain": "its Domain={domain} does not belong to the host {host}",
    "port": "its Port does not include that of the request",
}
"""By check of `DefaultCookiePolicy`: why it refused a cookie."""


_CHANGES = "_changes"
_NOT_KEPT = ("by_hand", "refused", _CHANGES, "_last")


def _changes_of(owner: Any) -> ChangeCount:
    """Return the count of changes of session headers or cookies, made at the first."""
    found: ChangeCount | None = owner.__dict__.get(_CHANGES)
    if found is None:
        found = owner.__dict__[_CHANGES] = ChangeCount()
    return found


class Headers(CaseInsensitiveDict[str]):
    """The headers of a session; *changes* counts every change."""

    @property
    def changes(self) -> ChangeCount:
        return _changes_of(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != _CHANGES}

    def twin(self) -> Headers:
        """Return equal headers that nothing has changed yet."""
        twin = type(self).__new__(type(self))
        twin._store = self._store.copy()  # type: ignore[attr-defined]  # as `requests` fills it, item by item
        return twin

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the names, as they were written, with their values."""
        return tuple(self._store.values())  # type: ignore[attr-defined]  # `items` looks each of them up

    def __setitem__(self, key: str, value: str) -> None:
        self.changes.n += 1
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.changes.n += 1
        super().__delitem__(key)


class Jar(RequestsCookieJar):
    """The cookies of a session; *changes* counts every change except a later expiry of the same cookie."""

    by_hand: Callable[[str], None] | None = None
    """Called with the value of every cookie that the scenario sets itself; cookies from responses are not passed."""
    refused: Callable[[str], object] | None = None
    """Called with a sentence for every cookie of a response that is not stored, or not sent back to its sender."""
    _last: tuple[int, list[str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name not in _NOT_KEPT}

    @property
    def changes(self) -> ChangeCount:
        return _changes_of(self)

    @property
    def version(self) -> int:
        """The number of changes so far."""
        return self.changes.n

    def set(self, name: str, value: Any, **kwargs: Any) -> Any:
        """Set a cookie from the scenario; its value is redacted in all outputs of the run."""
        self.report_values({name: value})
        return super().set(name, value, **kwargs)

    def report_values(self, cookies: Any) -> None:
        """Call *by_hand* with each value in *cookies*, a mapping or a cookie jar."""
        if self.by_hand is not None:
            for value in cookies.values() if isinstance(cookies, Mapping) else cookies:
                self.by_hand(str(getattr(value, "value", value)))

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Store the cookies of a response; report those that are refused.

        A Domain that is exactly the host is accepted for hosts without a dot too, such as localhost, as browsers
        do: it then means this host only (RFC 6265, 5.3).
        """
        policy: Any = self._policy  # type: ignore[attr-defined]
        policy._now = self._now = int(epoch())
        found = self.make_cookies(response, request)
        for cookie in found:
            host, effective = eff_request_host(request)
            if cookie.domain_specified and cookie.domain.lstrip(".").lower() == host and "." not in host:
                cookie.domain, cookie.domain_specified, cookie.domain_initial_dot = effective, False, False
            if policy.set_ok(cookie, request):
                self.set_cookie(cookie)
                reason = _unsent(policy, cookie, request, host)
            else:
                reason = _reason(policy, cookie, request, host)
            if reason:
                self._refuse(cookie.name, host, reason)
        if self.refused is not None:
            names = {cookie.name for cookie in found}
            for line in response.info().get_all("Set-Cookie", []):
                name = line.partition(";")[0].partition("=")[0].strip()
                if name not in names and (not _DATED.search(line) or _AGE.search(line)):
                    self._refuse(name, eff_request_host(request)[0], "it cannot be parsed")

    def _refuse(self, name: str, host: str, reason: str) -> None:
        if self.refused is not None:
            self.refused(f"cookies {name[:NAME]} of {host} not used: {reason}")

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> Any:
        """Store a cookie."""
        if not self._prolongs(cookie):
            self.changes.n += 1
        return super().set_cookie(cookie, *args, **kwargs)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Remove the cookies of a domain, path and name, or all cookies."""
        self.changes.n += 1
        super().clear(domain, path, name)

    def set_policy(self, policy: Any) -> None:
        """Set the policy that decides which cookies are stored and sent."""
        self.changes.n += 1
        super().set_policy(policy)

    def is_unchanged(self, lines: list[str]) -> bool:
        """Return whether *lines*, a URL and its Set-Cookie values, were stored last and would change nothing now."""
        return self._last == (self.version, lines) and not any(_DATED.search(line) for line in lines)

    def remember(self, lines: list[str]) -> None:
        """Remember *lines* for `is_unchanged`, unless the policy rejected one of them: it must be consulted again."""
        kept = {cookie.name for cookie in self}
        if all(line.partition("=")[0].strip() in kept for line in lines[1:]):
            self._last = self.version, lines

    def _prolongs(self, cookie: Cookie) -> bool:
        """Return whether the jar holds an equal cookie that expires at the same time or earlier."""
        old = self._cookies.get(cookie.domain, {}).get(cookie.path, {}).get(cookie.name)  # type: ignore[attr-defined]
        if old is None or {**vars(old), "expires": 0} != {**vars(cookie), "expires": 0}:
            return False
        return cookie.expires is None or (old.expires is not None and cookie.expires >= old.expires)

    @property
    def expires(self) -> float:
        """The earliest expiry of all cookies, in seconds since the epoch; infinity if none expires."""
        return min((c.expires for c in self if c.expires is not None), default=inf)

    @property
    def rooted(self) -> bool:
        """Whether all cookies have the path "/", so that every request to the host carries the same ones."""
        return all(cookie.path == "/" for cookie in self)


def _unsent(policy: Any, cookie: Cookie, request: Any, host: str) -> str:
    """Return why *policy* stores a cookie but never sends it back to the host that set it; "" if it does."""
    kind: Any = type(policy)
    if kind is not DefaultCookiePolicy:
        return ""
    if cookie.secure and request.type not in policy.secure_protocols:
        return f"it is Secure, and is not sent over {request.type}"
    fits = policy.return_ok_domain(cookie, request) and policy.domain_return_ok(cookie.domain, request)
    return "" if fits else _CHECKS["domain"].format(domain=cookie.domain[:NAME], host=host)


def _reason(policy: Any, cookie: Cookie, request: Any, host: str) -> str:
    """Return why *policy* refuses a cookie."""
    for check, reason in _CHECKS.items():
        accepts = getattr(policy, f"set_ok_{check}", None)
        if accepts is not None and not accepts(cookie, request):
            return reason.format(path=cookie.path[:NAME], domain=cookie.domain[:NAME], host=host)
    return "the cookie policy of the session refuses it"
