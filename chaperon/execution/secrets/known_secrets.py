"""The secrets that are known before a run: values of headers, credentials, settings."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from chaperon.report.redaction.secret_names import harmless_header, is_weak, names_a_secret

PLAIN = 8
"""Characters: an attribute of an auth object that is shorter, under a name that says nothing, is no secret."""
_SAYS_NOTHING = re.compile(r"[\d.,:/ +-]+|true|false|yes|no|on|off|none|null|https?|local\w*", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][\w-]*)[ \t]+(\S.*)", re.DOTALL)


def of_headers(headers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values of headers but Accept, User-Agent and the like; of "Bearer X" also X, of cookies each value."""
    for name, value in headers.items():
        text = _text(value)
        if text is None or harmless_header(name):
            continue
        yield from of_url(text)
        if _whole(name, text):
            yield text
            yield from _inside(name, text)


def of_auth(auth: Any) -> Iterator[str]:
    """Yield the password of what `requests` takes as auth, its Basic form, the tokens of an auth object."""
    if isinstance(auth, (tuple, list)):
        user, password = (*auth, None, None)[:2]
    else:
        user, password = getattr(auth, "username", None), getattr(auth, "password", None)
    known = _text(password)
    if known is not None:
        yield known
        for encoding in ("latin-1", "utf-8"):
            raw = f"{_text(user)}:{known}".encode(encoding, "replace")
            yield b64encode(raw).decode("ascii")
    for name, value in (getattr(auth, "__dict__", None) or {}).items():
        text = _text(value)
        if text is not None and name != "username" and (names_a_secret(name) or len(text) >= PLAIN):
            yield text


def of_url(url: str) -> Iterator[str]:
    """Yield the password in a URL, or the token in its place, and the secrets in its query; as written and decoded."""
    try:
        parts = urlsplit(url)
        userinfo = parts.netloc.rpartition("@")[0] if parts.scheme else ""
        fields = parse_qsl(parts.query) if parts.scheme else []
    except ValueError:
        return
    user, colon, password = userinfo.partition(":")
    given = password if colon else user if user != "git" else ""
    if given:
        yield given
        yield unquote(given)
    for name, value in fields:
        if names_a_secret(name) or is_weak(name):
            yield value


def of_config(config: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield the values whose key says that they are secret, with all that is nested in them, and those in URLs."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            yield from of_config(value, secret=secret or names_a_secret(str(key)))
    elif isinstance(config, (list, tuple, set, frozenset)):
        for value in config:
            yield from of_config(value, secret=secret)
    elif (text := _text(config)) is not None:
        yield from of_url(text)
        if secret:
            yield text


def of_settings(settings: Any, words: Collection[str] = ()) -> Iterator[str]:
    """Yield the values that were given with --set: all but numbers, URLs, and *words* that the plan shows anyway.

    Where the key says that the value is a secret it is one, also if it does not look like one.
    """
    yield from of_config(settings)
    yield from _settings(settings, words)


def _settings(settings: Any, words: Collection[str]) -> Iterator[str]:
    if isinstance(settings, Mapping):
        for value in settings.values():
            yield from _settings(value, words)
    elif isinstance(settings, (list, tuple)):
        for value in settings:
            yield from _settings(value, words)
    elif isinstance(settings, str) and settings not in words and not _says_nothing(settings):
        yield settings


def _whole(name: str, text: str) -> bool:
    """Whether the value of a header is a secret as it is."""
    return names_a_secret(name) or not _says_nothing(text)


def _says_nothing(text: str) -> bool:
    return "://" in text or _SAYS_NOTHING.fullmatch(text) is not None


def _inside(name: str, text: str) -> Iterator[str]:
    if name.lower() == "cookie":
        for pair in text.split(";"):
            yield pair.partition("=")[2].strip().strip('"')
        return
    scheme = _SCHEME.fullmatch(text.strip())
    if scheme is None:
        return
    yield scheme[2]
    if scheme[1].lower() == "basic":
        try:
            decoded = b64decode(scheme[2], validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return
        yield decoded.partition(":")[2]


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
