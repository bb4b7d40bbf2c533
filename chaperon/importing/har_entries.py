"""Entries of a HAR file (version 1.2): when, what was sent, what was answered; only required fields are relied on."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode, urlsplit

from chaperon.errors import LoadError
from chaperon.lazy_dataclass import lazy_dataclass

STATIC_TYPES = ("image/", "font/", "audio/", "video/", "text/css", "application/font", "application/wasm")
SCRIPTS = frozenset({"application/javascript", "text/javascript", "application/x-javascript", "application/ecmascript"})
STATIC_ENDINGS = frozenset({
    ".avif", ".bmp", ".css", ".eot", ".gif", ".ico", ".jpeg", ".jpg", ".js", ".map", ".mjs", ".mp3", ".mp4", ".ogg",
    ".otf", ".png", ".svg", ".ttf", ".wasm", ".webm", ".webmanifest", ".webp", ".woff", ".woff2",
})  # fmt: skip

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)


@lazy_dataclass(frozen=True)
class HarEntry:
    """One exchange: *start* and *took* in seconds, *body* as text, *files* where it is multipart."""

    start: float
    took: float
    page: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str
    body_type: str
    fields: tuple[dict[str, Any], ...]
    status: int
    answer: str
    answer_type: str
    location: str | None

    @property
    def end(self) -> float:
        """The moment of its end, in seconds."""
        return self.start + self.took

    @property
    def static(self) -> bool:
        """Whether it is a picture, a font, a style sheet, a script: by the type of the answer, else by the path."""
        kind = self.answer_type
        if kind.startswith(STATIC_TYPES) or kind in SCRIPTS:
            return True
        known = kind not in ("", "application/octet-stream", "text/plain", "x-unknown", "binary/octet-stream")
        return not known and PurePosixPath(urlsplit(self.url).path).suffix.lower() in STATIC_ENDINGS


def read_entries(text: str) -> list[HarEntry]:
    """Return the entries of a HAR file in order of time. Raises LoadError where it is none."""
    try:
        entries = json.loads(text)["log"]["entries"]
        found = [_entry(each) for each in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        reason = f"no {exc} in it" if isinstance(exc, KeyError) else exc
        raise LoadError(f"this is not a HAR file: {reason}") from exc
    return sorted(found, key=lambda each: each.start)


def _entry(entry: dict[str, Any]) -> HarEntry:
    request, response = entry["request"], entry.get("response") or {}
    posted = request.get("postData") or {}
    content = response.get("content") or {}
    answered = {name.lower(): value for name, value in _headers(response)}
    took = entry.get("time")
    fields = tuple(posted.get("params") or ())
    kind = str(posted.get("mimeType") or "")
    body = str(posted.get("text") or "")
    if not body and fields and "multipart" not in kind:
        body = urlencode([(str(each["name"]), str(each.get("value", ""))) for each in fields])
    return HarEntry(
        start=_moment(str(entry["startedDateTime"])),
        took=max(0.0, took / 1000) if isinstance(took, (int, float)) else 0.0,
        page=str(entry.get("pageref") or ""),
        method=str(request["method"]).upper(),
        url=str(request["url"]),
        headers=_headers(request),
        body=body,
        body_type=kind,
        fields=fields,
        status=int(response.get("status") or 0),
        answer=_content(content),
        answer_type=str(content.get("mimeType") or answered.get("content-type", "")).partition(";")[0].strip().lower(),
        location=answered.get("location") or (str(response.get("redirectURL") or "") or None),
    )


def _headers(message: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(each["name"]), str(each.get("value", ""))) for each in message.get("headers") or ())


def _content(content: dict[str, Any]) -> str:
    text = str(content.get("text") or "")
    if content.get("encoding") != "base64":
        return text
    try:
        return b64decode(text).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _moment(text: str) -> float:
    """Return an ISO 8601 time in seconds; without an offset it counts as UTC."""
    found = _MOMENT.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    date, clock, fraction, offset = found.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    return datetime.fromisoformat(f"{date}T{clock}{zone}").timestamp() + float(f"0.{fraction or 0}")
