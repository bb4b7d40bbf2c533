"""Decoding of Content-Encoding (gzip, deflate, ...) with a size limit."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

from requests.exceptions import ContentDecodingError
from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError
from urllib3.response import GzipDecoderState

from chaperon.client.http.parser import fields
from chaperon.client.network.exceptions import too_large

STEP = 65_536
"""Bytes read per decoding step; the size limit is checked after each."""
GZIP = b"\x1f\x8b"
"""The first bytes of a gzip member (RFC 1952, 2.3.1)."""
TRUNCATED = "the encoded body ended before its coding did"


def decoded(head: bytes, body: bytes, limit: float) -> bytes:
    """Return *body* decoded by the Content-Encoding fields of *head*.

    Raises ContentDecodingError, and BodyTooLarge if the result exceeds *limit* bytes.
    """
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
    """Decode a body that is exactly one complete gzip member; return None for any other body."""
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unzip.decompress(body, 0 if limit == float("inf") else int(limit) + 1)
    except zlib.error:
        return None
    if len(found) > limit:
        raise too_large(limit)
    return found if unzip.eof and not unzip.unused_data else None


def cut_off(raw: Any) -> bool:
    """Return whether the body of a urllib3 response ended before its gzip or deflate stream did.

    `requests` accepts such a truncated body; Chaperon counts it as an error. Bytes behind a complete gzip
    member that begin no other one are ignored, as by `requests` and gzip.
    """
    decoder = getattr(raw, "_decoder", None)
    unzip = getattr(decoder, "_obj", None)
    if getattr(unzip, "eof", True) or raw.tell() == 0:
        return False
    state = getattr(decoder, "_state", None)
    return state != GzipDecoderState.SWALLOW_DATA and not (
        state == GzipDecoderState.OTHER_MEMBERS and _is_one_odd_byte(unzip)
    )


def _is_one_odd_byte(unzip: Any) -> bool:
    """Return whether all that *unzip* was given is one byte with which no gzip member begins."""
    try:
        unzip.copy().decompress(GZIP[1:])
    except zlib.error as exc:
        return "incorrect header check" in str(exc)
    return False
