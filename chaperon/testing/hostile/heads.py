"""Servers with invalid, unusual or endless response heads."""

from __future__ import annotations

from itertools import chain, repeat

from chaperon.testing.hostile.server import ANSWER, OK, Peer, Server


def saying(*parts: bytes) -> Server:
    """Answer each request with the same bytes and keep the connection open."""

    def treat(peer: Peer) -> None:
        while True:
            peer.hear()
            peer.say(*parts)

    return Server(treat)


def garbage() -> Server:
    """Answer with bytes that are not HTTP."""
    return saying(b"\x00\xff\x16SSH-2.0-OpenSSH_9.6\r\nhello there\r\n\r\n")


def huge_header(size: int = 10_000_000) -> Server:
    """Send one header field of *size* bytes."""
    return saying(OK, b"X-Huge: ", b"x" * size, b"\r\nContent-Length: 5\r\n\r\nhello")


def million_headers(number: int = 1_000_000) -> Server:
    """Send *number* header fields."""
    return saying(OK, b"X-Many: 1\r\n" * number, b"Content-Length: 5\r\n\r\nhello")


def dripping_head(every: float = 0.01) -> Server:
    """Send one header field every *every* seconds, without end."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.drip(chain([OK], repeat(b"X-Drip: 1\r\n")), every)

    return Server(treat)


def endless_head() -> Server:
    """Send header fields without end, as fast as the client reads."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(OK)
        while True:
            peer.say(b"X-Endless: 1\r\n" * 1000)

    return Server(treat)


def odd_length(said: bytes) -> Server:
    """Send the given Content-Length, such as `b"-5"`, with a body of five bytes, then close."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(OK, b"Content-Length: ", said, b"\r\n\r\nhello")

    return Server(treat)


def odd_status(said: bytes = b"000") -> Server:
    """Answer with an invalid status code."""
    return saying(b"HTTP/1.1 ", said, b" Odd\r\nContent-Length: 5\r\n\r\nhello")


def folded_header() -> Server:
    """Send a field folded over two lines, which is obsolete: clients replace the fold by a space (RFC 9112, 5.2)."""
    return saying(OK, b"X-Folded: two\r\n\t words\r\nContent-Length: 5\r\n\r\nhello")


def two_answers() -> Server:
    """Send two responses to each request."""
    return saying(ANSWER + OK + b"Content-Length: 8\r\n\r\nsmuggled")


def two_framings() -> Server:
    """Send a chunked body with a Content-Length, as in request smuggling (RFC 9112, 6.3)."""
    return saying(OK, b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n")


def continued() -> Server:
    """Send 100 Continue before the response, whether the client expects it or not."""
    return saying(b"HTTP/1.1 100 Continue\r\n\r\n", ANSWER)


def informed(times: int = 20) -> Server:
    """Send *times* responses of class 1xx before the answer (RFC 9110, 15.2)."""
    hints = b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"
    return saying(*(hints[n % 2] for n in range(times)), ANSWER)


def redirect_loop() -> Server:
    """Redirect each request to the same URL."""
    return saying(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


def bad_redirect(to: bytes = b"http://[::nowhere/") -> Server:
    """Redirect each request to an invalid URL."""
    return saying(b"HTTP/1.1 302 Found\r\nLocation: ", to, b"\r\nContent-Length: 0\r\n\r\n")


def bad_cookies() -> Server:
    """Answer with malformed cookies and one valid cookie."""
    cookies = [
        b"",
        b";;;",
        b"=; =",
        b"sane=yes; Path=/",
        b"other=1; Domain=elsewhere.example",
        b"never=1; Expires=Someday, 99 Foo 9999 99:99:99 GMT; Max-Age=soon",
        b"\xff\xfe=\x80; Path",
        b"long=" + b"x" * 8000,
    ]
    return saying(OK, b"".join(b"Set-Cookie: " + each + b"\r\n" for each in cookies), b"Content-Length: 5\r\n\r\nhello")
