"""TLS contexts for services, and a TLS stream (MemoryBIO) over a TCP stream."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from typing import Any, Final
from weakref import WeakKeyDictionary

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from chaperon.client.network.tcp import TcpStream
from chaperon.client.network.tls_sessions import TlsSessions
from chaperon.errors import UsageError


def context_for(verify: bool | str = True, cert: Any = None) -> ssl.SSLContext:
    """Return the cached TLS context for *verify* and *cert*, which have the meaning of those of `requests`.

    Loading a CA bundle takes about 10 ms and 400 kB, so that all users share one context. Raises UsageError
    if a file cannot be read.
    """
    return _context(verify, tuple(cert) if isinstance(cert, list) else cert)


@lru_cache(maxsize=64)
def _context(verify: bool | str, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
            found = {"capath": bundle} if os.path.isdir(bundle) else {"cafile": bundle}
            context.load_verify_locations(**found)
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as exc:
        raise UsageError(f"no TLS with verify={verify!r}, cert={cert!r}: {exc}") from exc
    return context


RECORD: Final = 16_384
"""Bytes of the largest TLS record."""
SIZE: Final = 65_536
"""Bytes encrypted before they are sent, and the most that are decrypted at once."""
PIECE: Final = 18_437
"""Maximum bytes of an encrypted record (RFC 5246, 6.2.3). As many are written to a `MemoryBIO` at once, which keeps
a buffer of the most that it ever held, and a third more."""

_sessions: WeakKeyDictionary[ssl.SSLContext, TlsSessions] = WeakKeyDictionary()
"""By context: the sessions that its next connections resume."""


class TlsStream(TcpStream):
    """A TCP connection under TLS; `NetworkStream` describes its methods."""

    __slots__ = ("_dry", "_incoming", "_outgoing", "_place", "_rest", "_sessions", "_tls", "_unread")

    def secure(self, context: ssl.SSLContext, host: str, port: int) -> None:
        """Perform the TLS handshake, resuming a recent session with the same host and port; blocks.

        Raises `ssl.SSLError`, OSError, SocketTimeout.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        sessions = _sessions.get(context)
        if sessions is None:
            sessions = _sessions[context] = TlsSessions()
        self._sessions = sessions
        self._place = host, port
        self._unread = True
        self._dry = False
        self._rest: memoryview | None = None
        self._tls: Any = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=sessions.session_for(self._place)
        )
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush_out()
                if not self._feed_rest():
                    self._feed(super().receive())
            except ssl.SSLError:
                self._alert()
                raise
        self._flush_out()

    def send(self, data: bytes) -> None:
        """See `NetworkStream.send`."""
        if len(data) <= SIZE:
            self._tls.write(data)
            super().send(self._outgoing.read())
            return
        for start in range(0, len(data), SIZE):
            self._tls.write(data[start : start + SIZE])
            super().send(self._outgoing.read())

    def receive(self) -> bytes:
        """See `NetworkStream.receive`."""
        while True:
            if self._dry:
                self._feed(super().receive())
            data = self._decrypted()
            if data is not None:
                return data

    def receive_now(self) -> bytes | None:
        """See `NetworkStream.receive_now`."""
        while True:
            if self._dry:
                raw = super().receive_now()
                if raw is None:
                    return None
                self._feed(raw)
            data = self._decrypted()
            if data is not None:
                return data

    @property
    def has_more(self) -> bool:
        """See `NetworkStream.has_more`."""
        return not self._dry

    def send_now(self, data: bytes) -> int:
        """See `NetworkStream.send_now`."""
        self._tls.write(data)
        return super().send_now(self._outgoing.read())

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(self._tls.session_reused)

    @property
    def peer(self) -> dict[str, Any] | None:
        """The certificate of the peer, as `ssl.SSLObject.getpeercert` returns it."""
        found: dict[str, Any] | None = self._tls.getpeercert()
        return found

    def _decrypted(self) -> bytes | None:
        """Return the next decrypted bytes, b"" at the end of the stream, None if more must be received first."""
        if self._rest is not None and self._incoming.pending < PIECE:  # a whole record: an exception costs some 3 µs
            self._feed_rest()
        while True:
            try:
                data: bytes = self._tls.read(SIZE)
                break
            except ssl.SSLWantReadError:
                if not self._feed_rest():
                    self._dry = True
                    return None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
        self._dry = len(data) < RECORD and not self._incoming.pending and self._rest is None
        if self._unread:
            self._after_first_read()
        return data

    def _after_first_read(self) -> None:
        """Keep the session if it is wanted, and free the write buffer.

        OpenSSL allocates that buffer, 16 kB, to process the session tickets received by the first read, and frees it
        after the next write. A write of no bytes sends nothing (SSL_write_ex(3)).
        """
        self._unread = False
        now = self._now()
        if self._sessions.wanted(self._place, now):
            self._sessions.keep(self._place, self._tls.session, now)
        self._tls.write(b"")

    def _feed(self, data: bytes) -> None:
        if not data:
            self._incoming.write_eof()
        elif len(data) <= PIECE:
            self._incoming.write(data)
        else:
            self._rest = memoryview(data)
            self._feed_rest()
        self._dry = False

    def _feed_rest(self) -> bool:
        """Feed the next piece of what was received; return whether there was one."""
        rest = self._rest
        if rest is None:
            return False
        self._incoming.write(rest[:PIECE])
        self._rest = rest[PIECE:] if len(rest) > PIECE else None
        return True

    def _flush_out(self) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read())

    def _alert(self) -> None:
        """Send the TLS alert of a failed handshake; ignore a connection that is already lost."""
        try:
            self._flush_out()
        except OSError:
            return
