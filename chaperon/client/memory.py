"""Headers with cookies that know when they were changed."""

from __future__ import annotations

from http.cookiejar import Cookie
from math import inf
from typing import Any

from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict


class Headers(CaseInsensitiveDict[str]):
    """A session's headers; *version* grows with every change."""

    version = 0

    def __setitem__(self, key: str, value: str) -> None:
        self.version += 1
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.version += 1
        super().__delitem__(key)


class Jar(RequestsCookieJar):
    """A session's cookies; *version* grows with every change."""

    version = 0

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> Any:
        """Take in a cookie."""
        self.version += 1
        return super().set_cookie(cookie, *args, **kwargs)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Drop the cookies of a domain, a path, a name, or all."""
        self.version += 1
        super().clear(domain, path, name)

    def set_policy(self, policy: Any) -> None:
        """Say which cookies are taken in, which are sent."""
        self.version += 1
        super().set_policy(policy)

    @property
    def expires(self) -> float:
        """The moment, in seconds since the epoch, at which the next cookie expires."""
        return min((c.expires for c in self if c.expires is not None), default=inf)

    @property
    def rooted(self) -> bool:
        """Whether every cookie is for every path."""
        return all(cookie.path == "/" for cookie in self)
