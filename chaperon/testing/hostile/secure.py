"""Servers with invalid certificates or faulty TLS handshakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from chaperon.errors import UsageError
from chaperon.testing.hostile.server import ANSWER, Peer, Server

if TYPE_CHECKING:
    import trustme

LOOPBACK = "127.0.0.1"
LONG_AGO = parsedate_to_datetime("Mon, 31 Dec 2001 00:00:00 +0000")


@contextmanager
def trusted() -> Iterator[Server]:
    """Answer each request over valid TLS; clients must trust the certificate *authority*."""
    authority = _authority()
    with _serving(authority, authority.issue_cert(LOOPBACK)) as server:
        yield server


@contextmanager
def expired() -> Iterator[Server]:
    """Present a certificate that expired at the end of 2001."""
    authority = _authority()
    with _serving(authority, authority.issue_cert(LOOPBACK, not_after=LONG_AGO)) as server:
        yield server


@contextmanager
def other_host() -> Iterator[Server]:
    """Present a certificate for elsewhere.example."""
    authority = _authority()
    with _serving(authority, authority.issue_cert("elsewhere.example")) as server:
        yield server


@contextmanager
def self_signed() -> Iterator[Server]:
    """Present a self-signed certificate."""
    with _serving(_authority(), _authority()) as server:
        yield server


@contextmanager
def cut_handshake() -> Iterator[Server]:
    """Close the connection in the middle of the TLS handshake."""

    def treat(peer: Peer) -> None:
        peer.receive()
        peer.say(b"\x16\x03\x03\x00\x7a\x02\x00")  # of a ServerHello that would be 122 bytes long

    with _trusting(_authority()) as bundle, Server(treat, authority=bundle) as server:
        yield server


@contextmanager
def stalled_handshake() -> Iterator[Server]:
    """Send nothing after the ClientHello."""

    def treat(peer: Peer) -> None:
        peer.receive()
        peer.stay()

    with _trusting(_authority()) as bundle, Server(treat, authority=bundle) as server:
        yield server


@contextmanager
def dripping_handshake(every: float = 0.01) -> Iterator[Server]:
    """Send the reply to the ClientHello one byte every *every* seconds."""

    def treat(peer: Peer) -> None:
        peer.receive()
        peer.drip((bytes([byte]) for byte in b"\x16\x03\x03\x40\x00\x02" + bytes(0x3FFF)), every)

    with _trusting(_authority()) as bundle, Server(treat, authority=bundle) as server:
        yield server


def _authority() -> trustme.CA:
    try:
        import trustme  # late: needed by tests only, so not a dependency of Chaperon
    except ImportError as exc:
        raise UsageError("servers with TLS need trustme: pip install trustme") from exc
    return trustme.CA()


@contextmanager
def _trusting(authority: trustme.CA) -> Iterator[str]:
    """Keep the certificate of an authority in a file."""
    with TemporaryDirectory(prefix="chaperon-") as folder:
        bundle = Path(folder) / "authority.pem"
        authority.cert_pem.write_to_path(bundle)
        yield str(bundle)


@contextmanager
def _serving(authority: trustme.CA, shown: Any) -> Iterator[Server]:
    """Answer over TLS with the certificate *shown*, the authority's clients in mind."""
    from gevent.ssl import PROTOCOL_TLS_SERVER, SSLContext  # late: it brings ssl, which must be patched first

    context = SSLContext(PROTOCOL_TLS_SERVER)
    if hasattr(shown, "configure_cert"):
        shown.configure_cert(context)
    else:  # an authority's own
        with shown.cert_pem.tempfile() as certificate, shown.private_key_pem.tempfile() as key:
            context.load_cert_chain(certificate, key)

    def treat(peer: Peer) -> None:
        peer.secure(context)
        while True:
            peer.hear()
            peer.say(ANSWER)

    with _trusting(authority) as bundle, Server(treat, authority=bundle) as server:
        yield server
