"""HTTP/1.1 response parser on top of llhttp: bytes in, head and body out, no I/O."""

from __future__ import annotations

import re
from typing import Any, Final

import httptools

from chaperon.client.http.response_head import HEAD, INTERIM, Framing, read_head, refused
from chaperon.errors import ProtocolError

Fields = list[tuple[str, str]]

_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")
_END: Final = b"\r\n\r\n"
_ONCE: Final = -1
_NEVER: Final = -2


class ResponseParser:
    """Parses the responses of one connection, one at a time.

    After `feed`, *head* is the head of the final response without the closing empty line, b"" while it
    is incomplete. *pieces* lists the body bytes received, transfer coding removed. *done* is True when
    the message is complete, *keep* when the connection may be reused. *rest* holds the bytes after the
    head of a 101 response, which belong to the new protocol.

    Of a streamed response, and of one that llhttp refuses, only the head is parsed: *framing* then says where the
    body ends, *rest* holds the bytes of it received so far, and `Body` reads it. So a chunked body is kept as it was
    received until it is complete: llhttp may refuse a later chunk, whose extension has a space before its name.

    Many servers repeat a head to the byte until the second of its date is over. A response that arrives whole
    is not parsed if head and length are those of the last two: what llhttp says of it is known.
    """

    __slots__ = (
        "_begun",
        "_coded",
        "_interim",
        "_is_head",
        "_known",
        "_known_size",
        "_known_status",
        "_lenient",
        "_parser",
        "_unparsed",
        "done",
        "framing",
        "head",
        "keep",
        "on_body",
        "pieces",
        "rest",
        "status",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self._parser = _parser(self)
        self._known = b""  # the head of the last response that arrived whole
        self._known_size = _ONCE  # the length of head and body, once there were two of that head
        self._known_status = 0
        self.start_response()

    def __repr__(self) -> str:
        return f"<ResponseParser {self.status or 'waiting'}{', done' if self.done else ''}>"

    def start_response(self, is_head: bool = False, streamed: bool = False) -> None:
        """Reset the state for the next response; with *is_head* (a HEAD request) it has no body (RFC 9112, 6.3).

        With *streamed*, `Body` reads the body: see *framing*.
        """
        self.head = b""
        self.status = 0
        self.done = False
        self.keep = False
        self.framing: Framing | None = None
        self._lenient = streamed
        self._unparsed = b""
        self._coded: list[bytes] | None = None
        self._begun = 0
        self._interim = 0
        self.rest = b""
        self._is_head = is_head

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises ProtocolError if they are not valid HTTP or exceed a limit."""
        if self._lenient:
            self._read_head(self._unparsed + data)
            return
        if len(data) == self._known_size and not self._begun and not self._is_head and self._is_known(data):
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            self.keep = False
            self.rest = data[exc.args[0] :]
        except httptools.HttpParserError as exc:
            self._refused(data, str(exc) or type(exc).__name__)
            return
        if self.head:
            if self._coded is not None:
                self._coded.append(data)
            return
        plain = self.status >= 100 and not (self._unparsed or self._interim or self._is_head)
        end = data.find(_END) if plain and data[0] == 72 else -1  # fast path: the head begins this data with "H"
        if end > 0:
            self.head = data[:end]
            if not self.done:
                self._keep_coded(data[end + len(_END) :])
        else:
            self._look(data)
            if self.done and not self.head:
                raise ProtocolError("a head without an end")
        if self.head.find(0) >= 0:  # `in` raises and clears an exception before it looks for bytes
            self.head = b""
            raise refused("a NUL in the head", data)
        if self.done and self.keep and end > 0:
            self._remember(len(data) - end - len(_END))

    def _is_known(self, data: bytes) -> bool:
        """Complete the response if *data*, of the known size, has the known head; return whether it has."""
        known = self._known
        end = len(known)
        if data[:end] != known or data[end : end + len(_END)] != _END:
            return False
        self._begun = 1
        self.head = known
        self.status = self._known_status
        self.keep = self.done = True
        body = data[end + len(_END) :]
        if body:
            self.pieces.append(body)
        return True

    def _remember(self, rest: int) -> None:
        """Keep the head of a response that arrived whole, with *rest* bytes after it; the second time, its size too."""
        head, pieces = self.head, self.pieces
        if head != self._known:
            self._known, self._known_size = head, _ONCE
        elif self._known_size == _ONCE:
            size = 0 if not pieces else len(pieces[0]) if len(pieces) == 1 else -1
            chunked = head.lower().find(b"\r\ntransfer-encoding") >= 0  # then the body says where it ends
            alone = size == rest and self._begun == 1 and not chunked
            self._known_status = self.status
            self._known_size = len(head) + len(_END) + rest if alone else _NEVER

    def _keep_coded(self, rest: bytes) -> None:
        """Keep *rest*, the beginning of an incomplete body, if it is chunked."""
        if self.head.lower().find(b"\r\ntransfer-encoding") >= 0:
            self._coded = [rest]

    @property
    def clean(self) -> bool:
        """Whether the connection can be reused: it stays open and no unrequested response has begun."""
        return self.keep and self._begun == 1 + self._interim

    @property
    def received_any(self) -> bool:
        """Whether any byte of a response has arrived."""
        return self._begun > 0

    def end(self) -> bool:
        """Process the end of the connection; return whether the response is complete.

        A body without Content-Length and chunked coding ends with the connection (RFC 9112, 6.3).
        """
        self.keep = False
        if self.head and self.framing is None and not self.done and not _framed(fields(self.head)):
            self.done = True
        return self.done

    def finish(self, keep: bool) -> None:
        """Record that `Body` has read the whole body; *keep* is whether the connection may be reused."""
        if self._parser is None:
            self._parser = _parser(self)
        self._begun = 1 + self._interim
        self.keep = keep
        self.done = True

    def forget(self) -> None:
        """Drop the llhttp parser, which forms a reference cycle with this object."""
        self._parser = None

    # Callbacks of llhttp, hence public methods; `on_body` is `self.pieces.append`, which saves a Python call a piece.

    def on_message_begin(self) -> None:
        self._begun += 1
        if self.done:  # an unrequested response: `on_body` still appends to the old list, which is discarded
            self.pieces = self.pieces[:]

    def on_message_complete(self) -> None:
        if self.done:
            return
        status: int = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._interim += 1
            return
        self.status = status
        self.keep = self._parser.should_keep_alive()
        self.done = True

    def _refused(self, data: bytes, reason: str) -> None:
        """Read leniently what llhttp refuses. Raises ProtocolError if that is not possible."""
        if self.done and self.head:
            self.keep = False
            return
        received = self._unparsed + data
        if self.done or self._is_head:
            self._look(data)
            if self.head and _sound(self.head):
                self.keep = False  # bytes behind a complete response
                return
        elif self.head:
            if self._coded is None:
                raise refused(reason, data)
            received = b"".join([*self._coded, data])
        self._lenient = True
        self._parser = None
        self.pieces.clear()
        self._read_head(self.head + _END + received if self.head and not self.done else received)

    def _read_head(self, received: bytes) -> None:
        """Parse a head without llhttp; its body is left in *rest* for `Body`."""
        self._begun = 1
        if self.framing is not None:
            self.rest += received
            return
        self.done = False
        self.head = self._unparsed = b""
        found = read_head(received, self._is_head)
        if found is None:
            self._unparsed = received
            return
        self.head, self.status, self.framing = found.text, found.status, found.framing
        self.rest = received[found.size :]
        self._interim = 0

    def _look(self, data: bytes) -> None:
        """Search the bytes received so far for the end of the final head, past interim responses."""
        received = self._unparsed + data if self._unparsed else data
        start = 0
        for _ in range(self._interim):
            start = received.find(_END, start) + len(_END)
        while received[start : start + 1] in (b"\r", b"\n"):
            start += 1
        end = received.find(_END, start)
        if self._interim > INTERIM:
            raise ProtocolError(f"more than {INTERIM} interim responses")
        if (len(received) if end < 0 else end) - start > HEAD:
            raise ProtocolError(f"a head of more than {HEAD:,} bytes")
        if end < 0:
            self._unparsed = received
            return
        status = self.status or self._parser.get_status_code()
        if status < 100:
            raise refused(f"a status of {status}", received)
        self.head = received[start:end]
        self.status = status
        self._unparsed = b""
        if not self.done:
            self._keep_coded(received[end + len(_END) :])
        if self._is_head:
            self._finish_head(len(received) == end + len(_END))

    def _finish_head(self, alone: bool) -> None:
        self.pieces.clear()
        said = [v.lower() for n, v in fields(self.head) if n.lower() == "connection"]
        again = "keep-alive" in said if self.head.startswith(b"HTTP/1.0") else "close" not in said
        self.keep = again and alone
        self.done = True
        self._begun = 1 + self._interim
        self._parser = _parser(self)  # the old one would wait for the body that Content-Length announces


def _parser(protocol: object) -> Any:
    """Return an llhttp parser as lenient as `requests`: folded lines, unusual characters, padded chunk sizes."""
    parser = httptools.HttpResponseParser(protocol)
    parser.set_dangerous_leniencies(lenient_headers=True, lenient_spaces_after_chunk_size=True)
    return parser


def _sound(head: bytes) -> bool:
    """Return whether a head alone is well-formed."""
    try:
        _parser(object()).feed_data(head + _END)
    except httptools.HttpParserUpgrade:
        return True
    except httptools.HttpParserError:
        return False
    return True


def fields(head: bytes) -> Fields:
    """Return the header fields of a head as (name, value) pairs in order, decoded as latin-1."""
    listed = []
    text = head.decode("latin-1")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    for line in text.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        listed.append((name.rstrip(" \t"), value.strip(" \t")))
    return listed


def _framed(listed: Fields) -> bool:
    """Return whether Content-Length or chunked coding delimits the body, rather than the end of the connection."""
    coding = [v.lower() for n, v in listed if n.lower() == "transfer-encoding"]
    if coding:
        return coding[-1].rpartition(",")[2].strip() == "chunked"
    return any(n.lower() == "content-length" for n, _ in listed)
