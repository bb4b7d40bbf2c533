"""Who may speak to whom: CurveZMQ keys, in one line each, with the door that asks for them."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gevent
import zmq
from zmq.utils import z85

from chaperon.cluster.address import Address
from chaperon.errors import OutputError, UsageError

MASTER, WORKER = "chp1-master", "chp1-worker"
DOMAIN = b"chaperon"
VARIABLE, FILE_VARIABLE = "CHAPERON_KEY", "CHAPERON_KEY_FILE"
_ZAP = "inproc://zeromq.zap.01"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """What a master has: its secret, with the public key of the workers it lets in, and of its *own* one."""

    secret: bytes = field(repr=False)
    workers: bytes
    own: bytes = b""

    def admitting(self) -> tuple[MasterKey, WorkerKey]:
        """Return this key, letting in a worker of the master's own too, with a key for that."""
        public, secret = (z85.decode(part) for part in zmq.curve_keypair())
        master = z85.decode(zmq.curve_public(z85.encode(self.secret)))
        return replace(self, own=public), WorkerKey(master, secret)

    def __str__(self) -> str:
        return f"{MASTER}:{_text(self.secret)}:{_text(self.workers)}"

    def apply(self, socket: Any) -> None:
        """Let a socket speak only to those the door lets in."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(self.secret))
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)

    def guard(self, context: Any) -> None:
        """Answer, in a greenlet, who may come in (RFC 27/ZAP); without it nobody may."""
        door = context.socket(zmq.REP)
        door.setsockopt(zmq.LINGER, 0)
        door.bind(_ZAP)
        gevent.spawn(self._answer, door)

    def _answer(self, door: Any) -> None:
        while True:
            try:
                version, request, *_, mechanism, key = door.recv_multipart()[:7]
            except ValueError:
                version, request, mechanism, key = b"1.0", b"", b"", b""
            except zmq.ZMQError:
                return
            known = mechanism == b"CURVE" and key in (self.workers, self.own)
            status = (b"200", b"OK") if known else (b"400", b"not a worker of this master")
            door.send_multipart([version, request, *status, b"", b""])


@dataclass(frozen=True, slots=True)
class WorkerKey:
    """What a worker has: its secret, with the public key of the master it trusts."""

    master: bytes
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{WORKER}:{_text(self.master)}:{_text(self.secret)}"

    def apply(self, socket: Any) -> None:
        """Let a socket speak only to that master."""
        secret = z85.encode(self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(self.master))
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))

    def guard(self, context: Any) -> None:
        """Nobody comes in at a worker."""


Key = MasterKey | WorkerKey


def make() -> tuple[MasterKey, WorkerKey]:
    """Return a new pair: a worker's key cannot be used to pose as the master."""
    master_public, master_secret = (z85.decode(part) for part in zmq.curve_keypair())
    worker_public, worker_secret = (z85.decode(part) for part in zmq.curve_keypair())
    return MasterKey(master_secret, worker_public), WorkerKey(master_public, worker_secret)


def write(folder: Path) -> tuple[Path, Path]:
    """Write a new pair as master.key, worker.key, readable by their owner alone; raises OutputError."""
    paths = folder / "master.key", folder / "worker.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, key in zip(paths, make(), strict=True):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w", encoding="ascii") as stream:
                stream.write(f"{key}\n")
    except FileExistsError as exc:
        raise OutputError(f"{exc.filename} is there already: move it away, or choose another folder") from None
    except OSError as exc:
        raise OutputError(f"cannot write keys to {folder}: {exc.strerror}") from exc
    return paths


def guarded(address: Address, key: Key | None, verb: str) -> None:
    """Refuse to *verb* beyond this machine without a key. Raises UsageError."""
    if key is None and not address.loopback:
        raise UsageError(
            f"to {verb} {address} without a key would let anybody in: make one with chaperon keygen keys, "
            "then give --key keys/master.key here and --key keys/worker.key to the workers"
        )


def parse(text: str) -> Key:
    """Read a key from its line. Raises UsageError, which never shows the key."""
    kind, _, rest = text.strip().partition(":")
    try:
        first, second = (base64.b64decode(part + "=", altchars=b"-_", validate=True) for part in rest.split(":"))
    except ValueError:
        first = second = b""
    if kind not in (MASTER, WORKER) or len(first) != 32 or len(second) != 32:
        raise UsageError("this is no key of Chaperon's: it is one line, in a file made by chaperon keygen")
    return MasterKey(first, second) if kind == MASTER else WorkerKey(first, second)


def find(path: str | None, environ: Mapping[str, str], kind: type[Key]) -> Key | None:
    """Return the key in a file, else in the environment, else None. Raises UsageError where it is of no use."""
    path = path or environ.get(FILE_VARIABLE)
    text = _read(Path(path)) if path else environ.get(VARIABLE)
    if not text:
        return None
    key = parse(text)
    if not isinstance(key, kind):
        wanted, other = ("master", "worker") if kind is MasterKey else ("worker", "master")
        raise UsageError(f"this is the {other}'s key: a {wanted} takes {wanted}.key")
    return key


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077 and path.is_file():
            raise UsageError(f"{path} can be read by others: chmod 600 {path}")
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the key in {path}: {why}") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
