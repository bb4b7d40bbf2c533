"""URLs of recorded requests: the base URL of most of them, and each relative to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from chaperon.errors import LoadError
from chaperon.importing.bodies import equal_query, query_parameters
from chaperon.importing.scenario_model import codes_of
from chaperon.importing.secret_values import SecretValues

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?=.*\d)[0-9a-fA-F]{12,}")


def origin(url: str) -> str:
    """Return scheme, host and port of an absolute URL, without a user. Raises LoadError."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme.lower() in ("http", "https") and parts.hostname and (parts.port or 0) >= 0:
            return f"{parts.scheme.lower()}://{host}"
    except ValueError:
        pass
    raise LoadError(f"{url!r} is not an http or https URL")


def userinfo(url: str) -> tuple[str, str] | None:
    """Return user and password of a URL, decoded; None if it has none."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    name, _, password = user.partition(":")
    return (unquote(name), unquote(password)) if at else None


def base_of(urls: Iterable[str]) -> str:
    """Return the origin of most of *urls*; of equally many, that of the first. Raises LoadError."""
    counted = Counter(origin(url) for url in urls)
    return max(counted, key=counted.__getitem__) if counted else ""


def relative(url: str, base: str, secrets: SecretValues) -> tuple[str, Any]:
    """Return the path of a URL below *base*, or the whole URL of another origin, and the parameters of its query.

    A query that would be sent in other bytes if it was parsed stays in the path, unless it holds a secret.
    """
    own = origin(url)
    parts = urlsplit(url)
    path = parts.path or "/"
    start = path if own == base and not path.startswith("//") else own + path
    fields = parse_qsl(parts.query, keep_blank_values=True)
    parameters = query_parameters(parts.query, secrets)
    if parts.query and not equal_query(urlencode(fields), parts.query) and not list(codes_of(parameters)):
        return f"{start}?{parts.query}", None
    return start, parameters


def variable_part(segment: str) -> bool:
    """Return whether a segment of a path looks like a key: a number, a UUID, a long hexadecimal number."""
    return segment.isdecimal() or bool(_UUID.fullmatch(segment) or _HEX.fullmatch(segment))


def route_of(url: str) -> str:
    """Return the path of a URL or path, without origin and query; a variable may stand in place of a host."""
    path = url.partition("?")[0]
    return f"/{path.partition('://')[2].partition('/')[2]}" if "://" in path else path


def series_name(method: str, path: str) -> str | None:
    """Return the name of a series with `:id` for the variable parts of *path*, None if it has none."""
    segments = route_of(path).split("/")
    if not any(map(variable_part, segments)):
        return None
    return f"{method.upper()} " + "/".join(":id" if variable_part(each) else each for each in segments)
