"""Extraction of values from a response: regular expression, JSON path, HTML form, CSRF token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from chaperon.errors import NotInReply, UsageError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.plain_text import encodable, excerpt
from chaperon.measure.quantity import count_text

TOKENS = re.compile(r"csrf|xsrf|authenticity_?token|requestverificationtoken|^_token$", re.IGNORECASE)
"""Matches the field names that web frameworks give to CSRF tokens."""
_WANTED: Any = object()
_SHOWN = 60
_BUTTONS = frozenset({"submit", "image", "reset", "button", "file"})


@lazy_dataclass(frozen=True)
class Form:
    """An HTML form with the values a browser would submit unchanged."""

    action: str
    """The absolute URL to submit to."""
    method: str
    """The HTTP method in upper case."""
    fields: dict[str, Any]
    """The submitted fields by name; a list for a field with several values."""

    def filled(self, **fields: Any) -> dict[str, Any]:
        """Return a copy of *fields* with the given values set, for `data=`.

        Raises NotInReply if the form has no field of that name.
        """
        unknown = sorted(set(fields) - set(self.fields))
        if unknown:
            raise NotInReply(f"the form has no field {unknown[0]!r}; there are {', '.join(self.fields) or 'none'}")
        return {**self.fields, **fields}


class Extractors:
    """Methods that extract values from a response. If nothing is found, they return *default* or raise NotInReply."""

    text: Any
    url: Any
    json: Any

    def find(self, pattern: str, default: Any = _WANTED) -> Any:
        """Return the first match of a regular expression in the text.

        Returns the whole match for a pattern without groups, the group for one group, else a tuple of all groups.
        """
        found = re.search(pattern, self.text)
        if found is not None:
            groups = found.groups()
            return found.group() if not groups else groups[0] if len(groups) == 1 else groups
        return self._or(default, f"nothing in the response matches {pattern!r}: {excerpt(self.text, _SHOWN)}")

    def json_at(self, path: str, default: Any = _WANTED) -> Any:
        """Return the value at a dotted *path* in the JSON body, such as "items.0.name"; numbers index lists.

        Raises `requests.exceptions.JSONDecodeError` if the body is not JSON.
        """
        value = self.json()
        for place, part in enumerate(path.split(".")):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (KeyError, IndexError, TypeError, ValueError):
                before = ".".join(path.split(".")[:place]) or "the body"
                return self._or(default, f"no {part!r} in {before} of the JSON response: {_shown(value)}")
        return value

    def form(self, which: str | int = 0) -> Form:
        """Return the form of the HTML body with this index (from 0), id or name.

        Raises NotInReply if there is none, UsageError if `lxml` is not installed.
        """
        forms = _html(self.text).forms if self.text.strip() else []
        for place, form in enumerate(forms):
            if which in (place, form.get("id"), form.get("name")):
                fields = {each.name: _value(each) for each in form.inputs if _is_sent(each)}
                return Form(urljoin(self.url, form.action or ""), form.method.upper(), fields)
        raise NotInReply(f"no form {which!r} in the response, which has {len(forms)}: {excerpt(self.text, _SHOWN)}")

    def csrf(self, default: Any = _WANTED) -> Any:
        """Return the CSRF token in the first matching `input` or `meta` element of the HTML body.

        Raises UsageError if `lxml` is not installed.
        """
        elements = _html(self.text).iter("input", "meta") if self.text.strip() else ()
        for element in elements:
            if TOKENS.search(element.get("name") or ""):
                return element.get("value") or element.get("content")
        return self._or(default, f"no CSRF token in the response: {excerpt(self.text, _SHOWN)}")

    @staticmethod
    def _or(default: Any, otherwise: str) -> Any:
        if default is _WANTED:
            raise NotInReply(otherwise)
        return default


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return encodable(f"it has {', '.join(map(str, value)) or 'nothing'}", _SHOWN)
    return f"it has {count_text(len(value), 'item')}" if isinstance(value, list) else excerpt(value, _SHOWN)


def _html(text: str) -> Any:
    try:
        from lxml import html  # late: most scenarios read no HTML, and lxml is optional
    except ImportError:
        raise UsageError("reading HTML needs lxml: pip install 'chaperon[html]'") from None
    return html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))


def _is_sent(element: Any) -> bool:
    """Return whether a browser submits this form element if the user changes nothing."""
    kind = (element.get("type") or "").lower()
    if not element.name or element.get("disabled") is not None or element.tag == "button":
        return False
    return element.get("checked") is not None if kind in ("checkbox", "radio") else kind not in _BUTTONS


def _value(element: Any) -> Any:
    if element.get("type") in ("checkbox", "radio"):
        return element.get("value", "on")
    value = element.value
    return value or "" if isinstance(value, (str, type(None))) else list(value)
