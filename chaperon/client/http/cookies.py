"""Headers with cookies that know when they were changed."""

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
    """A session's headers; *version* grows with every change."""

    version = 0

    def __setitem__(self, key: str, value: str) -> None:
        self.version += 1
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.version += 1
        super().__delitem__(key)


class Jar(RequestsCookieJar):
    """A session's cookies; *version* grows with every change but that one is to live longer."""

    version = 0
    by_hand: Callable[[str], None] | None = None
    """Called with the value of every cookie that the scenario sets, rather than a response."""
    _last: tuple[int, list[str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name != "by_hand"}

    def set(self, name: str, value: Any, **kwargs: Any) -> Any:
        """Set a cookie by hand; its value is a secret of the run."""
        self.report_values({name: value})
        return super().set(name, value, **kwargs)

    def report_values(self, cookies: Any) -> None:
        """Pass on the values of *cookies* that are set by hand: a mapping, or a jar."""
        if self.by_hand is not None:
            for value in cookies.values() if isinstance(cookies, Mapping) else cookies:
                self.by_hand(str(getattr(value, "value", value)))

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> Any:
        """Take in a cookie."""
        if not self._prolongs(cookie):
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

    def is_unchanged(self, lines: list[str]) -> bool:
        """Whether taking in these, a URL with its Set-Cookie lines, the last that came, would change nothing."""
        return self._last == (self.version, lines) and not any(_DATED.search(line) for line in lines)

    def remember(self, lines: list[str]) -> None:
        """Remember what came last, if all of it was taken in: what the policy refused it is asked of again."""
        kept = {cookie.name for cookie in self}
        if all(line.partition("=")[0].strip() in kept for line in lines[1:]):
            self._last = self.version, lines

    def _prolongs(self, cookie: Cookie) -> bool:
        """Whether a cookie is there already, and would only live on for longer, or as long."""
        old = self._cookies.get(cookie.domain, {}).get(cookie.path, {}).get(cookie.name)  # type: ignore[attr-defined]
        if old is None or {**vars(old), "expires": 0} != {**vars(cookie), "expires": 0}:
            return False
        return cookie.expires is None or (old.expires is not None and cookie.expires >= old.expires)

    @property
    def expires(self) -> float:
        """The moment, in seconds since the epoch, at which the next cookie expires."""
        return min((c.expires for c in self if c.expires is not None), default=inf)

    @property
    def rooted(self) -> bool:
        """Whether every cookie is for every path."""
        return all(cookie.path == "/" for cookie in self)
