"""Correlation: values that a response of a recording had and a later request sent are read from the response again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from chaperon.importing.python_code import Code, identifier, text_literal
from chaperon.importing.scenario_model import Capture, ImportedRequest
from chaperon.lazy_dataclass import lazy_dataclass

SHORTEST = 6
"""Characters from which a value is followed."""

SHORTEST_ID = 3
"""The same of a value whose key ends in "id"."""

MOST = 200_000
"""Values that are remembered of one recording."""

DEEPEST = 12
"""Levels of a JSON body that are searched."""

_INPUT = re.compile(r"<(?:input|meta)\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_ID = re.compile(r"(?:.*_|.*[a-z](?=I))?(?:id|ID|Id|uuid|guid)")


@lazy_dataclass(frozen=True)
class Source:
    """Where a value was first seen: in the response of *request*, read by *expression*."""

    request: ImportedRequest
    expression: str
    hint: str


class Correlation:
    """The values that responses had, until a request uses one."""

    def __init__(self) -> None:
        self._sources: dict[Any, Source] = {}
        self._sent: set[str] = set()
        self._variables: dict[Any, str] = {}

    def captured(self, value: Any) -> Code | None:
        """Return the expression for a value that an earlier response had, None for any other.

        The request whose response has it gets a capture. Values are compared with their type.
        """
        source = self._sources.get(_key(value))
        if source is None:
            return None
        name = self._variables.get(_key(value))
        if name is None:
            name = identifier(source.hint, self._variables.values(), default="value")
            self._variables[_key(value)] = name
            source.request.captures.append(Capture(name, source.expression))
        return Code(f"session.assigned.{name}")

    def captured_text(self, text: str) -> Code | None:
        """Return the expression for a part of a path: a text, or a number that was seen as one."""
        found = self.captured(text)
        if found is None and text.isdecimal() and str(int(text)) == text and len(text) < 19:
            return self.captured(int(text))
        return found

    def add_sent(self, request: ImportedRequest, text: str) -> None:
        """Remember what a request sent by itself: a response that repeats it is not its source."""
        self._sent |= set(re.findall(r"[^\s/?&=\"',:{}\[\]]+", text))

    def add_response(self, request: ImportedRequest, text: str, kind: str, location: str | None) -> None:
        """Remember the values of a response: of JSON, of fields and meta tags of HTML, the end of Location."""
        found: Iterator[tuple[Any, str, str]] = iter(())
        if "json" in kind:
            found = _json_values(text)
        elif "html" in kind:
            found = _html_values(text)
        for value, expression, hint in found:
            self._add(request, value, expression, hint)
        if location:
            last = location.partition("?")[0].rstrip("/").rpartition("/")[2]
            self._add(request, last, 'response.headers["Location"].rpartition("/")[2]', "created_id")

    def _add(self, request: ImportedRequest, value: Any, expression: str, hint: str) -> None:
        text = str(value)
        shortest = SHORTEST_ID if _ID.fullmatch(hint) else SHORTEST
        if len(text) >= shortest and text not in self._sent and len(self._sources) < MOST:
            self._sources.setdefault(_key(value), Source(request, expression, hint))


def _key(value: Any) -> Any:
    return (type(value), value) if isinstance(value, (str, int, float)) else None


def _json_values(text: str) -> Iterator[tuple[Any, str, str]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from _walk(value, [])


def _walk(value: Any, path: list[str]) -> Iterator[tuple[Any, str, str]]:
    if len(path) > DEEPEST:
        return
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key and "." not in key and not key.isdecimal():
                yield from _walk(each, [*path, key])
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _walk(each, [*path, str(number)])
    elif isinstance(value, (str, int)) and not isinstance(value, bool) and path:
        yield value, f"response.json_at({text_literal('.'.join(path))})", _hint(path)


def _hint(path: list[str]) -> str:
    """Return a name for the value at *path*: "product_id" for products.0.id."""
    words = [each for each in path if not each.isdecimal()]
    if not words:
        return "value"
    if len(words) > 1 and words[-1].lower() in ("id", "uuid", "guid", "key", "name", "value"):
        owner = words[-2]
        singular = owner[:-1] if owner.endswith("s") and not owner.endswith("ss") else owner
        return f"{singular}_{words[-1]}"
    return words[-1]


def _html_values(text: str) -> Iterator[tuple[Any, str, str]]:
    """Yield the values of hidden fields and of meta tags for tokens; others are what a user typed or chose."""
    for tag in _INPUT.findall(text):
        found = {name.lower(): "".join(quoted) for name, *quoted in _ATTRIBUTE.findall(tag)}
        name, value = found.get("name", ""), found.get("value", found.get("content", ""))
        hidden = found.get("type", "").lower() == "hidden" or ("csrf" in name.lower() and "content" in found)
        if name and value and hidden:
            sought = "value" if "value" in found else "content"
            parts = [_pattern("name", re.escape(name), tag), _pattern(sought, None, tag)]
            if tag.find(f"{sought}=") < tag.find("name="):
                parts.reverse()
            yield unescape(value), f"response.find({_raw('[^>]*'.join(parts))})", name


def _pattern(attribute: str, value: str | None, tag: str) -> str:
    """Return a regular expression of an attribute as *tag* has it, with quotes or without; its value for None."""
    quote = tag.partition(f"{attribute}=")[2][:1]
    if quote in ("'", '"'):
        return f"{attribute}={quote}{value or f'([^{quote}]+)'}{quote}"
    return rf"{attribute}={value}[\s/>]" if value else rf"{attribute}=([^\s>]+)"


def _raw(pattern: str) -> str:
    """Return a regular expression as a raw literal where that is possible."""
    plain = pattern.replace(r"\-", "-")
    quote = "'" if '"' in plain else '"'
    if "\\" not in plain or quote in plain or not plain.isprintable():
        return text_literal(plain)
    return f"r{quote}{plain}{quote}"
