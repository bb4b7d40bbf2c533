"""Variables of a Postman collection, `{{name}}`: known ones become their values, others expressions of the session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chaperon.importing.python_code import Code, Template, identifier
from chaperon.importing.secret_values import SecretValues
from chaperon.report.redaction.secret_names import names_a_secret

DYNAMIC = {
    "$guid": 'f"{session.random.getrandbits(128):032x}"',
    "$randomUUID": 'f"{session.random.getrandbits(128):032x}"',
    "$randomInt": "session.random.randint(0, 1000)",
    "$randomBoolean": "session.random.choice([True, False])",
}
"""Variables that Postman makes anew for each request."""

DEEPEST = 10
"""Variables within the values of variables that are followed."""

_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_BARE = re.compile(r"(?<=[:\[,\s])\{\{\s*([^{}]+?)\s*\}\}(?=\s*[,\]}])")
_NAME = re.compile(r"""(?:\.|\[["'])(\w+)(?:["']\])?$""")
_OPEN, _BARE_OPEN, _CLOSE = "\ue0f0", "\ue0f1", "\ue0f2"
_MARK = re.compile(f"([{_OPEN}{_BARE_OPEN}])(\\d+){_CLOSE}")


class PostmanVariables:
    """The variables of one collection; *captured* are those that a script sets from a response."""

    def __init__(self, values: Mapping[str, str], secrets: SecretValues) -> None:
        self.captured: dict[str, str] = {}
        self.unknown: dict[str, None] = {}
        self._values = values
        self._secrets = secrets
        self._codes: list[Code] = []

    def has_mark(self, text: str) -> bool:
        """Return whether a text holds a mark."""
        return _MARK.search(text) is not None

    def mark(self, text: str) -> str:
        """Return *text* with known variables replaced and a mark for each other one, which `unmark` understands."""
        for _ in range(DEEPEST):
            replaced = _VARIABLE.sub(lambda found: self._plain(found), text)
            if replaced == text:
                break
            text = replaced
        return _VARIABLE.sub(lambda found: self._marked(found[1], _OPEN), text)

    def mark_json(self, text: str) -> str:
        """Do the same for a JSON text; a variable that stands for a whole value becomes a text of its own."""
        known = _BARE.sub(lambda found: self._plain(found), text)
        return self.mark(_BARE.sub(lambda found: f'"{self._marked(found[1], _BARE_OPEN)}"', known))

    def unmark(self, value: Any) -> Any:
        """Return a value with expressions in place of the marks in its texts."""
        if isinstance(value, dict):
            return {self.plain(key): self.unmark(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.unmark(each) for each in value]
        if isinstance(value, tuple):
            return tuple(self.unmark(each) for each in value)
        if not isinstance(value, str) or not _MARK.search(value):
            return value
        parts: list[str | Code] = []
        at = 0
        for found in _MARK.finditer(value):
            parts += [value[at : found.start()]] if found.start() > at else []
            parts.append(self._codes[int(found[2])])
            at = found.end()
        parts += [value[at:]] if at < len(value) else []
        return parts[0] if len(parts) == 1 else Template(tuple(parts))

    def plain(self, text: str) -> str:
        """Return a text in which the marks are the names of their variables, for names of series and keys."""
        names = (_NAME.search(code.text) for code in self._codes)
        plain = [f":{found[1]}" if found else ":value" for found in names]
        return _MARK.sub(lambda found: plain[int(found[2])], text)

    def _plain(self, found: re.Match[str]) -> str:
        """Return the value of a variable that is known and no secret, else the text as it is."""
        name = found[1]
        if name in self.captured or name not in self._values or names_a_secret(name):
            return found[0]
        return self._values[name]

    def _marked(self, name: str, opening: str) -> str:
        if name in self.captured:
            code = Code(f"session.assigned.{self.captured[name]}")
        elif name in DYNAMIC:
            code = Code(DYNAMIC[name])
        elif self._values.get(name) or names_a_secret(name):
            code = self._secrets.secret(name, self._values.get(name) or f"{{{{{name}}}}}")
        else:
            self.unknown[name] = None
            code = Code(f'session.config["{identifier(name)}"]')
        self._codes.append(code)
        return f"{opening}{len(self._codes) - 1}{_CLOSE}"
