"""CurveZMQ keys as lines of text (RFC 26), and the authentication of workers (RFC 27/ZAP)."""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import field, replace
from typing import Any

import zmq
from zmq.utils import z85

from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.socket_reader import SocketReader
from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.background import OnFault, spawn_watched

MASTER, WORKER = "chp1-master", "chp1-worker"
DOMAIN = b"chaperon"
_ZAP = "inproc://zeromq.zap.01"


@lazy_dataclass(frozen=True, slots=True)
class MasterKey:
    """A master's key: its secret, the public key of the workers it admits, and that of its *own_worker*."""

    secret: bytes = field(repr=False)
    workers: bytes
    own_worker: bytes = b""

    def with_own_worker(self) -> tuple[MasterKey, WorkerKey]:
        """Return this key with a worker of the master's own admitted too, and the key for that worker."""
        public, secret = (z85.decode(part) for part in zmq.curve_keypair())
        return replace(self, own_worker=public), WorkerKey(_public(self.secret), secret)

    def __str__(self) -> str:
        return f"{MASTER}:{_base64(self.secret)}:{_base64(self.workers)}"

    def configure(self, socket: Any) -> None:
        """Configure a socket to accept authenticated peers only."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(self.secret))
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)

    def start_authenticator(self, context: Any, on_fault: OnFault = lambda text: None) -> SocketReader:
        """Answer authentication requests in a greenlet (RFC 27/ZAP); without it no peer is accepted.

        The reader that is returned is to be closed before the context is.
        """
        socket = context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(_ZAP)
        reader = SocketReader(socket)
        spawn_watched("the authentication of workers", self._authenticate, socket, reader, on_fault=on_fault, ends=True)
        return reader

    def _authenticate(self, socket: Any, reader: SocketReader) -> None:
        while True:
            try:
                version, request, *_, mechanism, key = reader.receive()[:7]
            except ValueError:
                version, request, mechanism, key = b"1.0", b"", b"", b""
            except zmq.ZMQError:
                return
            known = mechanism == b"CURVE" and key in (self.workers, self.own_worker)
            status = (b"200", b"OK") if known else (b"400", b"not a worker of this master")
            socket.send_multipart([version, request, *status, b"", b""], zmq.NOBLOCK)


@lazy_dataclass(frozen=True, slots=True)
class WorkerKey:
    """A worker's key: its secret, and the public key of the master it trusts."""

    master: bytes
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{WORKER}:{_base64(self.master)}:{_base64(self.secret)}"

    def configure(self, socket: Any) -> None:
        """Configure a socket to connect to that master only."""
        secret = z85.encode(self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(self.master))
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))

    def start_authenticator(self, context: Any, on_fault: OnFault = lambda text: None) -> None:
        """Do nothing: a worker accepts no connections."""


Key = MasterKey | WorkerKey


def make_pair() -> tuple[MasterKey, WorkerKey]:
    """Return a new pair: a worker's key cannot be used to pose as the master."""
    master_public, master_secret = (z85.decode(part) for part in zmq.curve_keypair())
    worker_public, worker_secret = (z85.decode(part) for part in zmq.curve_keypair())
    return MasterKey(master_secret, worker_public), WorkerKey(master_public, worker_secret)


def make_master_key() -> MasterKey:
    """Return a new master's key whose worker's key follows from it: see `derived_worker_key`."""
    secret = os.urandom(32)
    return MasterKey(secret, _public(_worker_secret(secret)))


def derived_worker_key(master: MasterKey) -> WorkerKey | None:
    """Return the worker's key that follows from a master's by HMAC-SHA256; None for one made otherwise.

    The master's secret does not follow from the worker's, so that such a worker cannot pose
    as the master either.
    """
    secret = _worker_secret(master.secret)
    return WorkerKey(_public(master.secret), secret) if _public(secret) == master.workers else None


def _worker_secret(master: bytes) -> bytes:
    return hmac.new(master, WORKER.encode(), "sha256").digest()


def _public(secret: bytes) -> bytes:
    return z85.decode(zmq.curve_public(z85.encode(secret)))


def require_key(address: Address, key: Key | None, verb: str) -> None:
    """Refuse to *verb* beyond this machine without a key. Raises UsageError."""
    if key is None and not address.loopback:
        raise UsageError(
            f"to {verb} {address} without a key would admit anyone: make one with chaperon keygen keys, "
            "then give --key keys/master.key here and --key keys/worker.key to the workers"
        )


def parse_key(text: str) -> Key:
    """Read a key from its line. Raises UsageError, which never shows the key."""
    kind, _, rest = text.strip().partition(":")
    try:
        first, second = (base64.b64decode(part + "=", altchars=b"-_", validate=True) for part in rest.split(":"))
    except ValueError:
        first = second = b""
    if kind not in (MASTER, WORKER) or len(first) != 32 or len(second) != 32:
        raise UsageError("this is no key of Chaperon's: it is one line, in a file made by chaperon keygen")
    return MasterKey(first, second) if kind == MASTER else WorkerKey(first, second)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
