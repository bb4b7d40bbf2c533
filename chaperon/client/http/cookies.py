"""Session headers and cookie jar with version numbers, so that cached request heads can be invalidated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http.cookiejar import Cookie
from math import inf
from typing import Any

from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

_DATED = re.compile("expires|max-age", re.IGNORECASE)


class Headers(CaseInsensitiveDict[str]):
    """The headers of a session; *version* increases with every change."""

    version = 0

    def __setitem__(self, key: str, value: str) -> None:
        self.version += 1
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.version += 1
        super().__delitem__(key)


class Jar(RequestsCookieJar):
    """The cookies of a session; *version* increases with every change except a later expiry of the same cookie."""

    version = 0
    by_hand: Callable[[str], None] | None = None
    """Called with the value of every cookie that the scenario sets itself; cookies from responses are not passed."""
    _last: tuple[int, list[str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name != "by_hand"}

    def set(self, name: str, value: Any, **kwargs: Any) -> Any:
        """Set a cookie from the scenario; its value is redacted in all outputs of the run."""
        self.report_values({name: value})
        return super().set(name, value, **kwargs)

    def report_values(self, cookies: Any) -> None:
        """Call *by_hand* with each value in *cookies*, a mapping or a cookie jar."""
        if self.by_hand is not None:
            for value in cookies.values() if isinstance(cookies, Mapping) else cookies:
                self.by_hand(str(getattr(value, "value", value)))

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> Any:
        """Store a cookie."""
        if not self._prolongs(cookie):
            self.version += 1
        return super().set_cookie(cookie, *args, **kwargs)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Remove the cookies of a domain, path and name, or all cookies."""
        self.version += 1
        super().clear(domain, path, name)

    def set_policy(self, policy: Any) -> None:
        """Set the policy that decides which cookies are stored and sent."""
        self.version += 1
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
