"""Values of recorded requests that a scenario cannot hold: secrets become environment variables."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from chaperon.importing.python_code import Code, Template, identifier
from chaperon.importing.scenario_model import Secret
from chaperon.report.redaction.secret_names import harmless_header, is_weak, names_a_secret

SHORTEST = 16
"""Characters from which the value of a weak name in a query, such as `key`, is a secret."""

_SCHEME = re.compile(r"([A-Za-z][\w-]*) +(\S.*)", re.DOTALL)
_LONGEST_NAME = 40


class SecretValues:
    """The secrets of one import by value: the same value has the same variable."""

    def __init__(
        self,
        captured: Callable[[Any], Code | None] = lambda value: None,
        captured_text: Callable[[str], Code | None] = lambda text: None,
    ) -> None:
        self.captured = captured
        """Returns the expression for a value that an earlier response had, None for any other."""
        self.captured_text = captured_text
        """The same for a text, which may stand for a number."""
        self.stays: Callable[[str], bool] = lambda text: False
        """Returns whether a text is no secret, though its name says so."""
        self._by_value: dict[str, Secret] = {}
        self._keys: set[str] = set()

    @property
    def made(self) -> list[Secret]:
        """Every secret so far, in the order in which they were found."""
        return list(self._by_value.values())

    def secret(self, name: str, value: str) -> Secret:
        """Return the expression for a secret that is called *name* in its source."""
        known = self._by_value.get(value)
        if known is not None:
            return known
        key = identifier(name[-_LONGEST_NAME:], default="api_token")
        if not names_a_secret(key):
            key = "api_key" if key == "key" else f"{key}_token"
        key = identifier(key, self._keys)
        self._keys.add(key)
        made = self._by_value[value] = Secret(f'session.config["{key}"]', key)
        return made

    def header(self, name: str, value: str) -> Any:
        """Return the value of a header without its secret."""
        before, space, last = value.rpartition(" ")
        if (code := self.captured(last)) is not None:
            return Template((f"{before}{space}", code)) if before else code
        if self.stays(value) or harmless_header(name) or not (names_a_secret(name) or name.lower() == "cookie"):
            return value
        scheme = _SCHEME.fullmatch(value)
        if scheme is not None and name.lower().endswith("authorization"):
            return Template((f"{scheme[1]} ", self.secret("api_token", scheme[2])))
        return self.secret(name, value) if value else value

    def basic(self, user: str, password: str) -> tuple[str, Any]:
        """Return the value of `auth=` for HTTP Basic authentication."""
        return user, self.secret("api_password", password) if password else ""

    def query(self, name: str, value: str) -> Any:
        """Return the value of a parameter in a query without its secret."""
        if (code := self.captured_text(value)) is not None:
            return code
        if self.stays(value):
            return value
        weak = is_weak(name) and len(value) >= SHORTEST
        return self.secret(name, value) if value and (weak or names_a_secret(name)) else value

    def nested(self, value: Any, name: str = "") -> Any:
        """Return the value of a body with every text whose key names a secret replaced."""
        if isinstance(value, dict):
            return {key: self.nested(each, str(key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.nested(each, name) for each in value]
        if isinstance(value, tuple):  # the pairs of a form
            return value[0], self.nested(value[1], value[0])
        if (code := self.captured(value)) is not None:
            return code
        if isinstance(value, str) and value and not self.stays(value) and names_a_secret(name):
            return self.secret(name, value)
        return value


def basic_credentials(value: str) -> tuple[str, str] | None:
    """Return user and password of an `Authorization: Basic` header (RFC 7617), None if it is no such header."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
