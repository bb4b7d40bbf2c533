"""The header of a request that cannot be encoded, named in the error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from requests.exceptions import InvalidHeader

REMEDY = "percent-encode it (urllib.parse.quote), or give its bytes (.encode())"


def beyond_latin_1(headers: Iterable[tuple[Any, Any]]) -> InvalidHeader | None:
    """Return the error for the first header with a character that Latin-1 lacks (RFC 9110, 5.5), None if all fit.

    Lone surrogates U+DC80 to U+DCFF stand for bytes and fit.
    """
    for name, value in headers:
        line = ": ".join(part if isinstance(part, str) else bytes(part).decode("latin-1") for part in (name, value))
        try:
            line.encode("latin-1", "surrogateescape")
        except UnicodeEncodeError:
            return InvalidHeader(f"the header {line!r} has characters beyond Latin-1: {REMEDY}")
    return None
