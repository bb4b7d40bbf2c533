"""A value that fits a JSON Schema: its example, else its default, else the first of its enum, else one of its type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chaperon.importing.openapi_document import Document

DEEPEST = 6
"""Levels of nested schemas; below them a value is left out."""

MOST_VALUES = 2_000
"""Values of one example."""

LONGEST_TEXT = 1_000

TEXTS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.com",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "dGVhCg==",
    "password": "a password",
}
"""Texts by format."""


class ExampleMaker:
    """Makes examples for the schemas of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = MOST_VALUES

    def of_media(self, media: Mapping[str, Any]) -> Any:
        """Return the example of a media type or parameter: `example`, the first of `examples`, or one of its schema."""
        self._left = MOST_VALUES
        given = self.given(media)
        return given[0] if given else self._value(media.get("schema", {}), 0)

    def of_schema(self, schema: Any) -> Any:
        """Return an example of a schema."""
        self._left = MOST_VALUES
        return self._value(schema, 0)

    def given(self, holder: Mapping[str, Any]) -> list[Any]:
        """Return the examples that the author of the document wrote, none if there are none."""
        if "example" in holder:
            return [holder["example"]]
        if "x-example" in holder:
            return [holder["x-example"]]
        examples = holder.get("examples")
        if isinstance(examples, list) and examples:
            return list(examples)
        if isinstance(examples, Mapping):
            values = [self._document.mapping(each) for each in examples.values()]
            return [each["value"] for each in values if "value" in each]
        return []

    def _value(self, schema: Any, depth: int) -> Any:
        known = self._document.mapping(schema)
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            return None
        given = self.given(known)
        if given:
            return given[0]
        for key in ("const", "default"):
            if key in known:
                return known[key]
        if isinstance(known.get("enum"), list) and known["enum"]:
            return known["enum"][0]
        if isinstance(known.get("allOf"), list):
            return self._all_of(known, depth)
        for key in ("oneOf", "anyOf"):
            if isinstance(known.get(key), list) and known[key]:
                kinds = [each for each in known[key] if self._document.mapping(each).get("type") != "null"]
                return self._value((kinds or known[key])[0], depth + 1)
        return self._of_type(known, depth)

    def _all_of(self, known: Mapping[str, Any], depth: int) -> Any:
        parts = [self._value(each, depth + 1) for each in known["allOf"]]
        own = {key: each for key, each in known.items() if key != "allOf"}
        if "properties" in own:
            parts.append(self._value(own, depth + 1))
        merged: dict[str, Any] = {}
        for each in parts:
            if isinstance(each, Mapping):
                merged.update(each)
        return merged or next((each for each in parts if each is not None), {})

    def _of_type(self, known: Mapping[str, Any], depth: int) -> Any:
        kind = known.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), None)
        if kind is None:
            kind = "object" if "properties" in known else "array" if "items" in known else "string"
        if kind == "object":
            return self._object(known, depth)
        if kind == "array":
            item = self._value(known.get("items", {}), depth + 1)
            return [] if item is None else [item] * min(max(1, _whole(known.get("minItems"))), 10)
        if kind in ("integer", "number"):
            return _number(known, kind)
        return True if kind == "boolean" else None if kind == "null" else _text(known)

    def _object(self, known: Mapping[str, Any], depth: int) -> dict[str, Any]:
        made = {}
        required = known.get("required")
        for name, each in self._document.mapping(known.get("properties")).items():
            schema = self._document.mapping(each)
            if schema.get("readOnly"):
                continue
            value = self._value(schema, depth + 1)
            if value is not None or (isinstance(required, list) and name in required):
                made[str(name)] = value
        return made


def _number(known: Mapping[str, Any], kind: str) -> float:
    low, high = known.get("minimum"), known.get("maximum")
    value = low if isinstance(low, (int, float)) else 1
    above = known.get("exclusiveMinimum")
    if above is True:
        value += 1
    elif isinstance(above, (int, float)) and above is not False:
        value = above + 1
    if isinstance(high, (int, float)) and value > high:
        value = high
    if not math.isfinite(value):
        return 1
    return math.ceil(value) if kind == "integer" else value


def _text(known: Mapping[str, Any]) -> str:
    text = TEXTS.get(str(known.get("format")), "text")
    text = text.ljust(min(_whole(known.get("minLength")), LONGEST_TEXT), "x")
    most = known.get("maxLength")
    return text[:most] if isinstance(most, int) and not isinstance(most, bool) and most >= 0 else text


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
