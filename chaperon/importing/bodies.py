"""Bodies and queries of recorded requests as the keywords `json`, `data`, `params` of `requests`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from chaperon.importing.python_code import Code, flat
from chaperon.importing.secret_values import SecretValues


def body_arguments(text: str, content_type: str, secrets: SecretValues) -> tuple[dict[str, Any], bool]:
    """Return the keywords for a body, and whether they imply its Content-Type."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            value = json.loads(text)
        except ValueError:
            return {"data": raw_text(text)}, False
        return {"json": secrets.nested(value)}, kind == "application/json"
    if kind == "application/x-www-form-urlencoded":
        fields = parse_qsl(text, keep_blank_values=True)
        if fields and text.isprintable() and equal_query(urlencode(fields), text):
            return {"data": pairs([(name, secrets.query(name, value)) for name, value in fields])}, True
    return {"data": raw_text(text)}, False


def raw_text(text: str) -> Any:
    """Return text as a body: as bytes of UTF-8 where it is not ASCII."""
    return text if text.isascii() else Code(f"{flat(text)}.encode()")


def pairs(fields: Sequence[tuple[str, Any]]) -> Any:
    """Return pairs as a mapping, or as they are where a name occurs more than once."""
    named = dict(fields)
    return named if len(named) == len(fields) else list(fields)


def query_parameters(query: str, secrets: SecretValues) -> Any:
    """Return the parameters of a query, None for an empty one."""
    fields = parse_qsl(query, keep_blank_values=True)
    return pairs([(name, secrets.query(name, value)) for name, value in fields]) if fields else None


def equal_query(one: str, other: str) -> bool:
    """Return whether two encoded forms have the same fields, and the same separators: `a` is not `a=`."""
    return _separators(one) == _separators(other) and parse_qsl(one, True) == parse_qsl(other, True)


def _separators(query: str) -> tuple[list[bool], int]:
    """Return whether each field has a sign of equality, and how many semicolons there are, which separate for some."""
    return ["=" in field for field in query.split("&")], query.count(";")
