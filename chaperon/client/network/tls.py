"""TLS: contexts of a service, and a TLS stream over a TCP stream."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from chaperon.client.network.tcp import SIZE, TcpStream
from chaperon.errors import UsageError


def context_for(verify: bool | str = True, cert: Any = None) -> ssl.SSLContext:
    """Return the context for a service's *verify* and *cert*, as `requests` takes them.

    Loading a bundle of certificates takes about 10 ms and 400 kB, so thousands of users share
    one. Raises UsageError where a file cannot be read.
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


RECORD = 16_384
SESSIONS = 1_000

_sessions: dict[tuple[int, str, int], ssl.SSLSession] = {}


class TlsStream(TcpStream):
    """A TCP connection under TLS."""

    __slots__ = ("_dry", "_incoming", "_kept", "_key", "_outgoing", "_tls")

    def secure(self, context: ssl.SSLContext, host: str, port: int) -> None:
        """Shake hands, resuming the last session with the same host. Raises `ssl.SSLError`, OSError, Expired."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._key = (id(context), host, port)
        self._kept = False
        self._dry = False
        self._tls: Any = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=_sessions.get(self._key)
        )
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._take_in()
            except ssl.SSLError:
                self._alert()
                raise
        self._flush()

    def send(self, data: bytes) -> None:
        """Send all of *data*. Raises OSError, Expired."""
        if len(data) <= SIZE:
            self._tls.write(data)
            super().send(self._outgoing.read())
            return
        for start in range(0, len(data), SIZE):
            self._tls.write(data[start : start + SIZE])
            super().send(self._outgoing.read())

    def receive(self) -> bytes:
        """Return what has come, waiting for it if need be; b"" at the end. Raises OSError, Expired."""
        while True:
            if self._dry:
                self._take_in()
            try:
                data: bytes = self._tls.read(SIZE)
            except ssl.SSLWantReadError:
                self._dry = True
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            self._dry = len(data) < RECORD and not self._incoming.pending
            if not self._kept:
                self._keep()
            return data

    @property
    def resumed(self) -> bool:
        """Whether the handshake took up an earlier session."""
        return bool(self._tls.session_reused)

    @property
    def peer(self) -> dict[str, Any] | None:
        """The certificate of the peer, as `ssl` tells it."""
        found: dict[str, Any] | None = self._tls.getpeercert()
        return found

    def _keep(self) -> None:
        session = self._tls.session
        if session is not None:
            self._kept = True
            if len(_sessions) < SESSIONS or self._key in _sessions:
                _sessions[self._key] = session

    def _take_in(self) -> None:
        data = super().receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        self._dry = False

    def _flush(self) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read())

    def _alert(self) -> None:
        """Tell the peer why the handshake failed, if it can still hear it."""
        try:
            self._flush()
        except OSError:
            return
