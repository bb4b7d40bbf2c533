"""The text with which an error response says what is wrong, in one of the usual JSON forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chaperon.measure.plain_text import encodable

LARGEST = 16_384
"""Largest body that is read for its text, in bytes."""
LONGEST = 300
"""Maximum length of the text, in characters."""
SEVERAL = 3
"""Maximum number of errors of a list whose texts are returned."""
_TEXTS = ("message", "detail", "error_description", "description", "reason", "msg", "error_message", "errorMessage")
_NESTED = ("error", "errors", "detail", "fault", "message")


def error_text(response: Any) -> str:
    """Return what the JSON body of a `requests.Response` says is wrong, as one line, "" if it does not say.

    Understood are `{"error": "…"}` and `{"error": {"message": "…"}}`, problem details (RFC 9457: title and
    detail), OAuth 2.0 (RFC 6749, 5.2: error and error_description), and the `errors` of GraphQL,
    JSON:API and Rails. A body that is streamed and was not read is not read for it.
    """
    body = response._content
    if type(body) is not bytes or not 0 < len(body) <= LARGEST or body.lstrip()[:1] not in (b"{", b"["):
        return ""
    try:
        said = "; ".join(dict.fromkeys(_texts(json.loads(body), 4)))
    except (ValueError, RecursionError):
        return ""
    return encodable(" ".join(said.split()), LONGEST)


def _texts(value: Any, deeper: int) -> Iterator[str]:
    """Yield the texts of an error and of those in it, *deeper* levels at most."""
    if isinstance(value, str):
        yield encodable(value, LONGEST)
    elif deeper and isinstance(value, list):
        for each in value[:SEVERAL]:
            yield from _texts(each, deeper - 1)
    elif deeper and isinstance(value, dict):
        yield from _texts_of_object(value, deeper)


def _by_field(errors: dict[Any, Any]) -> Iterator[str]:
    """Yield "name: is too short" for errors by the name of a field, as in `{"name": ["is too short"]}`."""
    for field, said in list(errors.items())[:SEVERAL]:
        text = said[0] if isinstance(said, list) and said else said
        if isinstance(text, str) and field not in (*_TEXTS, "title", "error"):
            yield f"{field}: {encodable(text, LONGEST)}"


def _texts_of_object(value: dict[Any, Any], deeper: int) -> Iterator[str]:
    texts = [value[name] for name in _TEXTS if isinstance(value.get(name), str) and value[name]][:1]
    heads = [value[name] for name in ("title", "error") if isinstance(value.get(name), str) and value[name]]
    if texts or heads:
        yield ": ".join(dict.fromkeys([encodable(text, LONGEST) for text in (*heads[:1], *texts)]))
    if isinstance(value.get("errors"), dict):
        yield from _by_field(value["errors"])
    for name in _NESTED:
        if isinstance(value.get(name), (dict, list)):
            yield from _texts(value[name], deeper - 1)
