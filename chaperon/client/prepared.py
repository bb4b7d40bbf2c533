"""A `requests.PreparedRequest` that does not work out again what it knows."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

import requests

URLS = 1_000
_urls: dict[str, str] = {}


class Prepared(requests.PreparedRequest):
    """Prepared as `requests` does: a URL it has seen is known, an empty jar sends no cookie."""

    def prepare_url(self, url: Any, params: Any) -> None:
        """Prepare the URL; see `requests`."""
        if params or type(url) is not str:
            super().prepare_url(url, params)
            return
        known = _urls.get(url)
        if known is None:
            super().prepare_url(url, params)
            if len(_urls) >= URLS:
                _urls.clear()
            known = _urls[url] = str(self.url)
        self.url = known

    def prepare_cookies(self, cookies: Any) -> None:
        """Prepare the header of cookies; see `requests`."""
        if isinstance(cookies, CookieJar) and next(iter(cookies), None) is None:
            self._cookies = cookies
        else:
            super().prepare_cookies(cookies)
