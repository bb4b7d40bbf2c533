"""Servers with invalid, unusual or endless response bodies."""

from __future__ import annotations

import gzip
import zlib
from functools import lru_cache

from chaperon.testing.hostile.heads import saying
from chaperon.testing.hostile.server import OK, Peer, Server

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEBIBYTE = 1 << 20


def wrong_chunk_size(said: bytes) -> Server:
    """Send a chunk of five bytes with a wrong size, such as `b"3"`, `b"64"`, `b"-5"`, `b"zz"`; then close."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(CHUNKED, said, b"\r\nhello\r\n0\r\n\r\n")

    return Server(treat)


def chunk_extensions() -> Server:
    """Send chunks with extensions, which a client ignores (RFC 9112, 7.1.1)."""
    return saying(CHUNKED, b'2;a=b\r\nhe\r\n3;quoted="x;y";flag\r\nllo\r\n0;last\r\n\r\n')


def trailers() -> Server:
    """Send fields after the last chunk (RFC 9112, 7.1.2)."""
    return saying(CHUNKED, b"5\r\nhello\r\n0\r\nX-Checksum: 5d41402a\r\nX-More: yes\r\n\r\n")


def forbidden_body(status: int = 204) -> Server:
    """Send a body with a status that must not have one, 204 or 304 (RFC 9110, 6.4.1)."""
    return saying(b"HTTP/1.1 %d So It Is\r\nContent-Length: 5\r\n\r\nhello" % status)


def head_with_body() -> Server:
    """Send a body in answer to any method, HEAD included."""
    return saying(OK, b"Content-Length: 5\r\n\r\nhello")


def bare_head() -> Server:
    """Announce a body but send none, as is correct for HEAD (RFC 9110, 9.3.2)."""
    return saying(OK, b"Content-Length: 5\r\n\r\n")


def dripping_body(every: float = 0.01) -> Server:
    """Send a body of a million bytes, one byte every *every* seconds."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(OK, b"Content-Length: 1000000\r\n\r\n")
        peer.drip((b"x" for _ in range(1_000_000)), every)

    return Server(treat)


def endless_body() -> Server:
    """Send chunks without end, as fast as the client reads."""
    chunk = b"%x\r\n" % 65_536 + b"x" * 65_536 + b"\r\n"

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(CHUNKED)
        while True:
            peer.say(chunk)

    return Server(treat)


def gzip_bomb(mebibytes: int = 256) -> Server:
    """Send a gzip body that decodes to *mebibytes* MiB, a thousand times its size."""
    body = _bomb(mebibytes)
    return saying(OK, b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body), body)


def truncated_gzip() -> Server:
    """Send half of a gzip stream as a complete body."""
    whole = gzip.compress(bytes(range(256)) * 16)
    body = whole[: len(whole) // 2]
    return saying(OK, b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body), body)


@lru_cache(maxsize=4)
def _bomb(mebibytes: int) -> bytes:
    """Return a gzip stream of zeros, made of one repeated compressed block."""
    zeros = bytes(MEBIBYTE)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(mebibytes):
        check = zlib.crc32(zeros, check)
    head, last = b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\x03\0"
    return head + block * mebibytes + last + check.to_bytes(4, "little") + (mebibytes * MEBIBYTE).to_bytes(4, "little")
