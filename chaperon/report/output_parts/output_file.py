"""Writing an output to its path: atomically, and not through links or pipes of other users."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from chaperon.errors import OutputError

LINKS = 40
"""Maximum number of links followed in one path, as in Linux."""
MOVED_DESCRIPTORS: dict[int, int] = {}
"""The descriptors in whose place outputs write to others: standard streams that are kept for an output."""
_DESCRIPTOR = re.compile(rf"/proc/(?:self|thread-self|{os.getpid()})/fd/(\d{{1,9}})")


def write_output(path: str | Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all. Blocks. Raises OutputError, OSError.

    A regular file is replaced by rename. A symbolic link of the same user or of root is followed and
    kept. Terminals, pipes, character devices and open descriptors such as /dev/stdout are written to. A pipe without
    a reader, a block device, and links that `followed` refuses are errors.
    """
    place = followed(path)
    if is_replaced(place):
        _replace(place, text)
        return
    with os.fdopen(_open_special(place), "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)


def open_output(path: str | Path, mode: int) -> int:
    """Return a descriptor of *path* for an output that is written piece by piece: *mode* are its permissions.

    A regular file is replaced by a new one at once; what else there may be is opened as by
    `write_output`. Never waits for the reader of a pipe. Raises OutputError, OSError.
    """
    place = followed(path)
    if not is_replaced(place):
        return _open_special(place)
    handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        os.fchmod(handle, mode)
        os.replace(temporary, place)
    except BaseException:
        os.close(handle)
        os.unlink(temporary)
        raise
    return handle


def default_mode() -> int:
    """Return the permissions of a new file of this process."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def probe_output(path: str | Path) -> None:
    """Raise OutputError unless `write_output` can write to *path*: its folder exists and is writable.

    Devices and pipes are not opened; their errors show when they are written to.
    """
    place = followed(path)
    if place.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give the path of a file")
    if not is_replaced(place):
        return
    folder = place.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}; make it, or give another path")
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=folder)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror or exc}; give another path") from exc
    os.close(handle)
    os.unlink(temporary)


def probe_output_folder(folder: str | Path) -> None:
    """Raise OutputError unless files can be written to *folder*, or it can be made in the folder above it."""
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise OutputError(f"cannot write to {folder}: it is not a folder; give the path of a folder")
    probe_output(place / "index" if place.is_dir() else place)


def make_output_folder(folder: str | Path) -> None:
    """Make *folder* if it is not there. Raises OutputError if that cannot be done, or it cannot be written to."""
    probe_output_folder(folder)
    try:
        followed(folder).mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot make {folder}: {exc.strerror or exc}; give another path") from exc


def followed(path: str | Path) -> Path:
    """Return *path* without symbolic links; raise OutputError if it contains one of another user.

    In a folder that all users can write to, the owner of such a link chooses which file is
    overwritten. Links of root are part of the system and are allowed. Of an open descriptor the
    path is in /proc/self/fd. What is written to the path returned goes through no link that is made afterwards.
    Raises OSError where links lead in a circle.
    """
    pending, seen, here = list(reversed(Path(os.getcwd(), path).parts[1:])), 0, Path("/")
    while pending:
        part = pending.pop()
        here = here.parent if part == ".." else here / part
        if here == Path("/proc"):  # its links refer to open files, not to paths
            return here.joinpath(*reversed(pending))
        try:
            status = here.lstat()
        except OSError:  # missing or not accessible: opening it raises the error
            continue
        if not stat.S_ISLNK(status.st_mode):
            continue
        if status.st_uid not in (os.geteuid(), 0):
            raise OutputError(f"{path} leads through {here}, a link of another user: give another path")
        seen += 1
        if seen > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = os.readlink(here)
        here = here.parent if not os.path.isabs(target) else Path("/")
        pending.extend(reversed([part for part in Path(target).parts if part != "/"]))
    return here


def descriptor_of(path: str | Path) -> int | None:
    """Return the number of the open descriptor that *path* names, as /dev/stdout names 1; None for other paths."""
    try:
        named = _DESCRIPTOR.fullmatch(str(followed(path)))
    except (OutputError, OSError):  # opening it raises the error
        return None
    return None if named is None else int(named[1])


def is_replaced(place: Path) -> bool:
    """Return whether an output at *place*, which `followed` has returned, replaces what is there: a file or nothing."""
    try:
        return stat.S_ISREG(place.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):  # a file in place of its folder: making it raises the error
        return _DESCRIPTOR.fullmatch(str(place)) is None


def _open_special(place: Path) -> int:
    """Open what is no regular file, check what was opened, return its descriptor. Raises OutputError, OSError."""
    number = _DESCRIPTOR.fullmatch(str(place))
    if number is not None:
        for stream in (sys.stdout, sys.stderr):  # what was printed before stands before
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        return os.dup(MOVED_DESCRIPTORS.get(int(number[1]), int(number[1])))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
    # do not wait for a reader of a pipe: without one it is an error
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    in_proc = place.parts[:2] == ("/", "proc")
    try:
        file = os.open(place, flags if in_proc else flags | os.O_NOFOLLOW)
    except OSError as exc:
        if exc.errno != errno.ENXIO:
            raise
        raise OutputError(f"cannot write {place}: no process reads it; give another path") from None
    status = os.fstat(file)
    refused = ""
    if stat.S_ISBLK(status.st_mode):
        refused = "it is a block device"
    elif stat.S_ISFIFO(status.st_mode) and not in_proc and status.st_uid not in (os.geteuid(), 0):
        refused = "it is a pipe of another user"
    elif stat.S_ISREG(status.st_mode) and not in_proc:
        refused = "another process has put a file there meanwhile"
    if refused:
        with os.fdopen(file, "wb"):  # closes it at once; `os.close` of gevent waits for its loop
            raise OutputError(f"cannot write {place}: {refused}; give another path")
    os.set_blocking(file, True)
    return file


def _replace(place: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        # a lone surrogate, which UTF-8 cannot encode, is escaped, as in JSON
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.chmod(temporary, default_mode())
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise
