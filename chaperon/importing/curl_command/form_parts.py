"""Parts of a multipart form in the syntax of curl's `--form`: `name=text`, `name=@file`, `;type=`, `;filename=`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from chaperon.importing.python_code import Code, flat

OF_FILES = {
    ".gif": "image/gif", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".svg": "image/svg+xml",
    ".txt": "text/plain", ".htm": "text/html", ".html": "text/html", ".pdf": "application/pdf",
    ".xml": "application/xml",
}  # fmt: skip
"""Content types that curl sends for files, by the ends of their names, as in its lib/mime.c."""

_PART = re.compile(r'\s*(?:"((?:\\.|[^"\\])*)"|([^;]*))(.*)', re.DOTALL)
_ATTRIBUTE = re.compile(r";\s*(type|filename|headers|encoder)=")


def form_files(given: Mapping[str, Sequence[str]]) -> Any:
    """Return the value of `files=` for the arguments of `--form` and `--form-string`."""
    fields: list[tuple[str, Any]] = []
    for value in given.get("form", ()):
        name, _, content = value.partition("=")
        fields.append((name, _part(content)))
    for value in given.get("form-string", ()):
        name, _, content = value.partition("=")
        fields.append((name, (None, content)))
    named = dict(fields)
    return named if len(named) == len(fields) else fields


def _part(content: str) -> tuple[Any, ...]:
    """Return (filename, content) or (filename, content, type) of a part, as `requests` takes it."""
    marker = content[:1] if content[:1] in ("@", "<") else ""
    found = _PART.match(content.removeprefix(marker))
    assert found is not None  # it matches any text
    text = found[2].rstrip() if found[1] is None else _unescaped(found[1])
    words = _ATTRIBUTE.split(found[3])
    sent = {key: _unquoted(value.strip()) for key, value in zip(words[1::2], words[2::2], strict=True)}
    label, kind = sent.get("filename"), sent.get("type")
    if marker == "@" and label is None:
        label = PurePath(text).name
    if kind is None:
        names = [name for name in (label, text if marker else None) if name is not None]
        kinds = [OF_FILES[suffix] for name in names if (suffix := PurePath(name).suffix.lower()) in OF_FILES]
        kind = kinds[0] if kinds else "application/octet-stream" if marker and label is not None else None
    body = Code(f"Path({flat(text)}).read_bytes()") if marker else text
    return (label, body) if kind is None else (label, body, kind)


def _unquoted(text: str) -> str:
    return _unescaped(text[1:-1]) if len(text) > 1 and text[0] == text[-1] == '"' else text


def _unescaped(text: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", text)
