"""A target of the test: base URL, and the settings of every request to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from chaperon.client.request_limits import deadline_of, max_body_of, timeout_of
from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass

MAX_BODY = 16 * 1024 * 1024
"""Default of *max_body*, in bytes; streamed bodies have no limit by default."""
TRANSPORTS = ("wire", "urllib3")


@lazy_dataclass(frozen=True)
class Service:
    """A target of the test: base URL *url* and the settings of every request to it.

    *headers* are sent with every request. *auth*, *verify* and *cert* have the meaning of those of
    `requests`. *timeout* is the limit for connecting and for each read, or a pair of both; *deadline*
    limits the whole request. Both are seconds or text such as "2s". *max_body* limits its decoded body, in
    bytes; None removes the limit; its default does not apply to streamed bodies. *transport* is "wire"
    (Chaperon's own) or "urllib3". *local_addresses* are the source addresses of connections, used in turn.
    With *timings* each stage of every request is recorded as a series.
    *trust_env* makes `requests` read proxies and .netrc from the environment. Headers, auth, cert and
    cookies set without a domain are sent to the origin (scheme, host, port) of *url* and to
    *trust_origins*, such as "https://cdn.example", and to no other origin that a whole URL or a redirect
    leads to. Raises UsageError for invalid settings.
    """

    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: Any = field(default=None, repr=False)
    verify: bool | str = True
    cert: Any = None
    timeout: float | str | tuple[float, float] | None = 30.0
    trust_env: bool = False
    deadline: float | str | None = 120.0
    max_body: int | None = MAX_BODY
    transport: str = "wire"
    local_addresses: Sequence[str] = ()
    timings: bool = False
    trust_origins: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise UsageError(f"transport must be one of {', '.join(TRANSPORTS)}; got {self.transport!r}")
        object.__setattr__(self, "timeout", timeout_of(self.timeout))
        object.__setattr__(self, "deadline", deadline_of(self.deadline))
        max_body_of(self.max_body)
        if isinstance(self.local_addresses, str):
            raise UsageError(f"local_addresses= takes a list: local_addresses=[{self.local_addresses!r}]")
        if self.local_addresses and self.transport != "wire":
            raise UsageError("local_addresses needs transport='wire'")
        if isinstance(self.trust_origins, str):
            raise UsageError(f"trust_origins= takes a list: trust_origins=[{self.trust_origins!r}]")
        for origin in self.trust_origins:
            if not isinstance(origin, str) or not _is_origin(origin):
                raise UsageError(f"trust_origins= takes origins such as https://cdn.example:8443, got {origin!r}")

    def locate(self, path: str) -> str:
        """Return *path* joined to the base URL by one slash, or unchanged if it is a whole URL.

        Raises UsageError if there is no base URL.
        """
        if "://" in path.partition("?")[0]:
            return path
        if not self.url:
            raise UsageError(f"{path!r} has no base URL to go to: give the environment one, or pass --url")
        if not path or path[0] == "?":
            return self.url + path
        return f"{self.url.rstrip('/')}/{path.lstrip('/')}"

    def label(self, method: str, path: str) -> str:
        """Return the default series name of a request: method and path, without base URL, query and fragment."""
        place = path.partition("#")[0].partition("?")[0]
        if "://" in place:
            base = self.url.rstrip("/")
            if base and (place == base or place.startswith(base + "/")):
                place = place[len(base) :]
            else:
                parts = urlsplit(place)
                place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if not place.startswith("/") and "://" not in place:
            place = "/" + place
        return f"{method} {place}"


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:  # a port beyond 65535, a bracket left open
        return False
    return bool(whole) and parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
