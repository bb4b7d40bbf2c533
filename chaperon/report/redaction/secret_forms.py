"""The forms in which a secret may occur in a text: encoded, escaped, within a longer text in base64."""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Literal
from urllib.parse import quote, quote_plus

from chaperon.report.redaction.one_line import one_line

ANYWHERE = 8
"""Length, in characters, from which a secret is replaced within words too, not only as a whole word."""

_NORMAL_FORMS: Final[tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...]] = ("NFC", "NFD", "NFKC", "NFKD")


def forms_of(secret: str) -> set[str]:
    """Return the forms of *secret*: as it is, percent-encoded, JSON-, Python- and HTML-escaped, in base64, in hex.

    JSON is escaped once and twice, as where the text of one document is a value in another. In base64 (RFC 4648) the
    secret may have text before and after it, such as the user in Basic authentication.
    """
    import html  # late: most runs have no secret, and it brings the table of entities

    lossless = secret.encode("utf-8", "surrogatepass")
    encoded = {quote(lossless, safe=""), quote(lossless), quote_plus(lossless)}
    latin = _latin(secret)
    if latin is not None:
        encoded |= {quote(latin, safe=""), quote_plus(latin)}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {
        secret,
        *encoded,
        *(re.sub("%..", lambda code: code[0].lower(), form) for form in encoded),
        *escaped,
        *(json.dumps(form, ensure_ascii=False)[1:-1] for form in escaped),
        repr(secret)[1:-1],
        html.escape(secret),
        one_line(secret),
        *_unicode_forms(secret),
        *({lossless.hex()} if len(secret) >= ANYWHERE else ()),
        *_base64_forms(lossless),
        *(_base64_forms(latin) if latin is not None else ()),
    }


def _unicode_forms(secret: str) -> Iterator[str]:
    """Yield a secret that is not ASCII in each normal form of Unicode, and as a label of a host's name (IDNA)."""
    if secret.isascii():
        return
    for form in _NORMAL_FORMS:
        yield unicodedata.normalize(form, secret)
    with suppress(UnicodeError):
        yield secret.encode("idna").decode("ascii")


def _latin(secret: str) -> bytes | None:
    """Return a secret in Latin-1, as headers are sent (RFC 9110), None if that is its form in UTF-8 or it has none."""
    try:
        return None if secret.isascii() else secret.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield *raw* in base64 behind 0, 1 and 2 other bytes, without the characters that bytes beside it decide."""
    for before in range(3):
        encoded = b64encode(bytes(before) + raw).decode("ascii")
        form = encoded[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
        if len(form) >= ANYWHERE:
            yield form
            yield form.replace("+", "-").replace("/", "_")
            yield quote(form, safe="")
