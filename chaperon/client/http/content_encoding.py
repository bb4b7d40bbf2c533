"""Content codings undone, within a bound."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

from requests.exceptions import ContentDecodingError
from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError

from chaperon.client.http.parser import fields
from chaperon.client.network.exceptions import too_large

STEP = 65_536
TRUNCATED = "the encoded body ended before its coding did"


def decoded(head: bytes, body: bytes, limit: float) -> bytes:
    """Return *body* as it was before the codings *head* names. Raises ContentDecodingError, BodyTooLarge."""
    coding = ", ".join(v for n, v in fields(head) if n.lower() == "content-encoding").lower()
    if coding in ("gzip", "x-gzip"):
        whole = _gunzipped(body, limit)
        if whole is not None:
            return whole
    raw = HTTPResponse(
        BytesIO(body), headers={"content-encoding": coding}, preload_content=False, enforce_content_length=False
    )
    found = bytearray()
    try:
        for chunk in raw.stream(STEP, decode_content=True):
            found += chunk
            if len(found) > limit:
                raise too_large(limit)
    except DecodeError as exc:
        raise ContentDecodingError(exc) from exc
    if cut_off(raw):
        raise ContentDecodingError(DecodeError(TRUNCATED))
    return bytes(found)


def _gunzipped(body: bytes, limit: float) -> bytes | None:
    """Undo the usual case, one whole member; None for anything else."""
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unzip.decompress(body, 0 if limit == float("inf") else int(limit) + 1)
    except zlib.error:
        return None
    if len(found) > limit:
        raise too_large(limit)
    return found if unzip.eof and not unzip.unused_data else None


def cut_off(raw: Any) -> bool:
    """Whether a urllib3 response was read to an end that its gzip or deflate coding does not know of.

    `requests` takes such a body for whole; it is an error here.
    """
    unzip = getattr(getattr(raw, "_decoder", None), "_obj", None)
    return getattr(unzip, "eof", True) is False and raw.tell() > 0
