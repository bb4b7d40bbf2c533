"""JSON with the results and errors of `requests`, but faster: encoder and decoder are created once, not per value."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from requests import compat

_JSON: Any = compat.json  # type: ignore[attr-defined]  # simplejson where that is installed
_decoder: Any = json.JSONDecoder()
_scan = _decoder.scan_once if _JSON is json else None


def _encoder() -> Callable[[Any], str]:
    make = getattr(json.encoder, "c_make_encoder", None)
    if _JSON is not json or make is None:
        return partial(_JSON.dumps, allow_nan=False)
    whole = json.JSONEncoder(allow_nan=False)
    text = json.encoder.encode_basestring_ascii
    pieces = make(None, whole.default, text, None, whole.key_separator, whole.item_separator, False, False, False)

    def encode(value: Any) -> str:
        try:
            return "".join(pieces(value, 0))
        except RecursionError:  # possibly a reference cycle: the library's encoder detects it and raises ValueError
            return whole.encode(value)

    return encode


encode = _encoder()
"""Return a value as JSON text. Raises ValueError and TypeError as `json.dumps(value, allow_nan=False)` does."""


def decode(text: str) -> Any:
    """Return the value of a JSON text. Raises `requests.compat.json.JSONDecodeError`."""
    if _scan is not None:
        try:
            value, end = _scan(text, 0)
        except (StopIteration, ValueError):
            return _JSON.loads(text)  # raises the detailed error, or skips leading whitespace
        if end == len(text):
            return value
    return _JSON.loads(text)
