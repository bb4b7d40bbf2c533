"""Reads a response head as leniently as `http.client` and curl do: what llhttp refuses, and heads of streams."""

from __future__ import annotations

import re
from typing import NamedTuple

from chaperon.errors import ProtocolError

HEAD = 262_144
"""Maximum size of a response head, in bytes."""
INTERIM = 50
"""Maximum number of 1xx responses before the final one."""
SHOWN = 60
"""Number of received bytes that an error message shows."""

DIGITS = 100
"""Maximum number of digits of a Content-Length."""

_END = re.compile(rb"\r?\n\r?\n")
_VERSION = re.compile(r"HTTP/(?:0\.9|1\.\d+|2(?:\.0)?)", re.ASCII)


class Framing(NamedTuple):
    """Where a body ends: *chunked*, or after *length* bytes, or with the connection if *length* is None.

    *keep* is whether the server keeps the connection open after it.
    """

    chunked: bool
    length: int | None
    keep: bool


class ResponseHead(NamedTuple):
    """A complete head: *text* has CRLF line ends and no closing empty line; *size* is its place in the bytes given.

    *size* counts the bytes up to the end of the head, interim responses before it included.
    """

    text: bytes
    status: int
    framing: Framing
    size: int


def read_head(received: bytes, is_head: bool = False) -> ResponseHead | None:
    """Return the head of the final response in *received*, or None while it is incomplete.

    *is_head* is True for the response to a HEAD request. Accepted are bare LF, several spaces in the status
    line, any HTTP/1.x, lines without a colon (ignored), repeated equal Content-Length, a Content-Length that
    is no number (ignored, as by `requests`), and Content-Length beside a transfer coding (RFC 9112, 6.3).
    Raises ProtocolError for everything else, with the bytes.
    """
    start = 0
    for _ in range(INTERIM + 1):
        while received[start : start + 1] in (b"\r", b"\n"):
            start += 1
        found = _END.search(received, start)
        if (len(received) if found is None else found.start()) - start > HEAD:
            raise ProtocolError(f"a head of more than {HEAD:,} bytes")
        if found is None:
            _require_version(received[start:])
            return None
        head = _parsed(received[start : found.start()], is_head, found.end())
        if head.status >= 200 or head.status == 101:
            return head
        start = found.end()
    raise ProtocolError(f"more than {INTERIM} interim responses")


def refused(reason: str, data: bytes) -> ProtocolError:
    """Return the error for bytes that are not accepted; its message shows the first of them."""
    shown = repr(bytes(data[:SHOWN]))  # redaction finds the beginning of a secret before an ellipsis
    return ProtocolError(f"{reason}: {shown[:-1]}…" if len(data) > SHOWN else f"{reason}: {shown}")


def _require_version(line: bytes) -> None:
    """Raise ProtocolError if an incomplete head cannot become one: a peer that is no HTTP server is known at once."""
    line = line.lstrip()
    if not (line.startswith(b"HTTP/") or b"HTTP/".startswith(line)):
        raise refused("no HTTP status line", line)


def _parsed(raw: bytes, is_head: bool, size: int) -> ResponseHead:
    if b"\0" in raw:
        raise refused("a NUL in the head", raw)
    first, *rest = raw.split(b"\n")
    parts = [part.decode("latin-1") for part in first.strip().split(None, 2)]
    code = parts[1] if len(parts) > 1 else ""
    if not parts or not _VERSION.fullmatch(parts[0]):
        raise refused("no HTTP status line", raw)
    if not (code.isascii() and code.isdigit() and 100 <= int(code[:9]) <= 999):
        raise refused("no status of three digits", raw)
    lines: list[str] = []
    for line in (each.rstrip(b"\r").decode("latin-1") for each in rest):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip(" \t")
        elif ":" in line[1:]:
            lines.append(line)
    status = int(code)
    text = "\r\n".join([f"{parts[0]} {status} {''.join(parts[2:])}".rstrip(), *lines])
    return ResponseHead(text.encode("latin-1"), status, _framing(parts[0], status, is_head, lines, raw), size)


def _framing(version: str, status: int, is_head: bool, lines: list[str], raw: bytes) -> Framing:
    values: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        values.setdefault(name.strip(" \t").lower(), []).extend(part.strip() for part in value.split(","))
    connection = [value.lower() for value in values.get("connection", [])]
    keep = "keep-alive" in connection if version in ("HTTP/1.0", "HTTP/0.9") else "close" not in connection
    lengths = _lengths(values.get("content-length", []), raw)
    if is_head or status in (204, 304) or status < 200:
        return Framing(False, 0, keep and status >= 200)
    if "chunked" in [value.lower() for value in values.get("transfer-encoding", [])]:
        return Framing(True, None, keep)
    return Framing(False, lengths, keep and lengths is not None)


def _lengths(values: list[str], raw: bytes) -> int | None:
    """Return the length that all Content-Length fields give, or None if they give no number."""
    given = set(values)
    if not all(value.isascii() and value.isdigit() and len(value) < DIGITS for value in given):
        return None
    numbers = {int(value) for value in given}
    if len(numbers) > 1:
        raise refused("several Content-Length that differ", raw)
    return numbers.pop() if numbers else None
