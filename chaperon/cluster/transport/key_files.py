"""Where keys come from: key files, two environment variables, the user's configuration folder."""

from __future__ import annotations

import errno
import os
import secrets
import select
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path

from chaperon.clock import default_clock
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.key_variables import FILE_VARIABLE, VARIABLE
from chaperon.cluster.transport.keys import (
    Key,
    MasterKey,
    WorkerKey,
    derived_worker_key,
    make_master_key,
    make_pair,
    parse_key,
    require_key,
)
from chaperon.errors import OutputError, UsageError
from chaperon.report.output_parts.output_file import followed

NAMES = {MasterKey: "master.key", WorkerKey: "worker.key"}
REMEDIES = "give one with --key FILE (chaperon keygen makes it), or do without on this machine with --no-key"

MAX_KEY_BYTES = 1_000
"""Maximum number of bytes read from a key file; a key has about a hundred."""
PATIENCE = 10.0
"""Seconds in which a key must be written to a pipe that it is read from."""


def choose_key(
    path: str | None,
    environ: Mapping[str, str],
    kind: type[Key],
    address: Address,
    verb: str,
    *,
    without: bool = False,
) -> Key | None:
    """Return the key to *verb* ("bind", "join") *address* with, or None if the user wants none.

    The order: the file at *path*, CHAPERON_KEY_FILE, CHAPERON_KEY, then, on this machine
    alone, the user's own folder, where a pair is made on first use. *without* is the user's
    wish for no key. Raises UsageError, with the remedy.
    """
    if without:
        if path:
            raise UsageError("--key and --no-key exclude each other: give one of them")
        if not address.loopback:
            raise UsageError(f"--no-key is for this machine alone: to {verb} {address}, give --key FILE")
        return None
    key = find_key(path, environ, kind)
    require_key(address, key, verb)
    return user_key(kind, environ) if key is None else key


def find_key(path: str | None, environ: Mapping[str, str], kind: type[Key]) -> Key | None:
    """Return the key in a file, else in the environment, else None. Raises UsageError if it is invalid."""
    path = path or environ.get(FILE_VARIABLE)
    if path:
        return _of_kind(_read(Path(path)), kind, path)  # an empty file is no key either
    text = environ.get(VARIABLE)
    return _of_kind(text, kind, VARIABLE) if text else None


def user_key(kind: type[Key], environ: Mapping[str, str]) -> Key:
    """Return the key of this user, from the user's own folder; a pair is made there on first use.

    Several processes may do so at once: all get keys of one pair. Raises UsageError where the
    folder cannot be written, or where another user could read or replace what is in it.
    """
    folder = None
    try:
        folder = user_folder(environ)
        _make_folder(folder)
        master, worker = folder / NAMES[MasterKey], folder / NAMES[WorkerKey]
        if os.path.lexists(worker) and (kind is WorkerKey or not os.path.lexists(master)):
            return _of_kind(_read(worker, private=True), kind, worker)
        if not os.path.lexists(master):
            with suppress(FileExistsError):  # another process of this user was faster: its key is the one
                _write_as(master, make_master_key(), os.link)
        found = _of_kind(_read(master, private=True), MasterKey, master)
        following = derived_worker_key(found) if isinstance(found, MasterKey) else None
        if following is not None and not os.path.lexists(worker):
            _write_as(worker, following, os.replace)
    except OSError as exc:
        where = f"none can be made in {folder or 'the home folder'}"
        raise UsageError(f"there is no key, and {where}: {exc.strerror or exc}; {REMEDIES}") from None
    if kind is MasterKey:
        return found
    if following is None:
        raise UsageError(f"{worker} is missing: copy it from where {master} was made, or remove that for a new pair")
    return following


def user_folder(environ: Mapping[str, str]) -> Path:
    """Return where this user's keys are: chaperon in $XDG_CONFIG_HOME, else in ~/.config.

    As the XDG base directory specification has it, a relative path does not count. Raises
    OSError where there is no home.
    """
    base = environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(base):
        return Path(base, "chaperon")
    home = os.path.expanduser("~")
    if not os.path.isabs(home) or not os.path.isdir(home):
        raise FileNotFoundError(f"{home} is no folder")
    return Path(home, ".config", "chaperon")


def write_pair(folder: Path) -> tuple[Path, Path]:
    """Write a new pair as master.key, worker.key, readable by their owner alone; raises OutputError."""
    paths = folder / NAMES[MasterKey], folder / NAMES[WorkerKey]
    followed(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        master, worker = make_pair()
        _create(paths[0], master)
        _create(paths[1], worker)
    except FileExistsError as exc:
        raise OutputError(f"{exc.filename} is there already: move it away, or choose another folder") from None
    except OSError as exc:
        raise OutputError(f"cannot write keys to {folder}: {exc.strerror}") from exc
    return paths


def _make_folder(folder: Path) -> None:
    """Make the user's folder unless it is there; refuse one that is not private. Raises UsageError, OSError."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    for status in (folder.lstat(), folder.stat()):  # a link of another user's leads where that user wants
        if status.st_uid != os.geteuid():
            raise UsageError(f"{folder} belongs to another user: move it away, or {REMEDIES}")
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{folder} is no folder")
    if status.st_mode & 0o077:
        raise UsageError(f"{folder} is open to others: chmod 700 {folder}; remove keys that may have been read")


def _write_as(path: Path, key: Key, rename: Callable[[Path, Path], None]) -> None:
    """Write a key beside *path*, then give it that name: with `os.link` only if the name is free, or `os.replace`."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _create(new, key)
        rename(new, path)
    finally:
        new.unlink(missing_ok=True)


def _create(path: Path, key: Key) -> None:
    """Write a key to a file that is not there yet, for its owner alone. Raises FileExistsError, OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(f"{key}\n")
        stream.flush()
        os.fsync(file)


def _of_kind(text: str, kind: type[Key], source: str | Path) -> Key:
    try:
        key = parse_key(text)
    except UsageError as exc:
        raise UsageError(f"{source}: {exc}") from None
    if not isinstance(key, kind):
        wanted, other = ("master", "worker") if kind is MasterKey else ("worker", "master")
        raise UsageError(f"{source}: this is the {other}'s key: a {wanted} takes {wanted}.key")
    return key


def _read(path: Path, *, private: bool = False) -> str:
    """Return the text of a key file; one in the user's *private* folder must be the user's. Raises UsageError.

    Blocks up to `PATIENCE` seconds for what writes to a pipe.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | (os.O_NOFOLLOW if private else 0))
        with os.fdopen(file, "rb", buffering=0) as stream:
            status = os.fstat(file)
            if private and status.st_uid != os.geteuid():
                raise UsageError(f"{path} belongs to another user: move it away, or {REMEDIES}")
            if status.st_mode & 0o077 and stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path} can be read by others: chmod 600 {path}")
            return _content(stream).decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is no text"
        if private and path.is_symlink():
            why = "it is a link; put the key itself there"
        raise UsageError(f"cannot read the key in {path}: {why}") from None


def _content(stream: FileIO) -> bytes:
    """Return the beginning of a file that was opened not to block. Raises OSError, as when nothing came in time."""
    now = default_clock().now
    content, ends = b"", now() + PATIENCE
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    while len(content) < MAX_KEY_BYTES:
        if not poll.poll(1000 * max(ends - now(), 0.0)):
            raise OSError(errno.ETIMEDOUT, f"nothing more was written to this pipe within {PATIENCE:g} s")
        part = stream.read(MAX_KEY_BYTES - len(content))
        if part == b"":
            break
        content += part or b""
    return content
