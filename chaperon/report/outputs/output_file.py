"""Writing an output to its path: whole or not at all, through nothing that another user put there."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from chaperon.errors import OutputError


def write_output(path: str | Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all; blocks. Raises OutputError, OSError.

    A regular file is replaced by rename; a link of one's own, or root's, stays and what it leads
    to is written. A terminal, a pipe or a character device, such as /dev/stdout, is written to;
    a pipe without a reader is an error, as are a block device and what `refuse_links` names.
    """
    refuse_links(path)
    place = Path(path)
    if place.exists() and not place.is_file():
        _write_to_device(place, text)
    else:
        _replace(Path(os.path.realpath(place)), text)


def probe_output(path: str | Path) -> None:
    """Raise OutputError unless `write_output` can write to *path*: its folder is there, and takes a file.

    A device or a pipe is not opened: whether it takes anything shows when it is written to.
    """
    refuse_links(path)
    place = Path(path)
    if place.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give the path of a file")
    if place.exists() and not place.is_file():
        return
    folder = Path(os.path.realpath(place)).parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}; make it, or give another path")
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=folder)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror or exc}; give another path") from exc
    os.close(handle)
    os.unlink(temporary)


def refuse_links(path: str | Path) -> None:
    """Refuse a path that leads through a symbolic link of another user. Raises OutputError.

    Such a link, in a folder that all may write to, lets its owner choose which file is
    overwritten. Links of root, which has no need of that, are part of the system.
    """
    pending, seen, here = list(reversed(Path(os.getcwd(), path).parts[1:])), 0, Path("/")
    while pending:
        part = pending.pop()
        here = here.parent if part == ".." else here / part
        try:
            status = here.lstat()
        except OSError:  # it is not there, or cannot be looked at: opening it says so
            continue
        if not stat.S_ISLNK(status.st_mode):
            continue
        if status.st_uid not in (os.geteuid(), 0):
            raise OutputError(f"{path} leads through {here}, a link of another user: give another path")
        seen += 1
        target = os.readlink(here)
        if seen > LINKS or "/proc/" in f"{here}":  # a link of /proc leads to what is open already, by no name
            return
        here = here.parent if not os.path.isabs(target) else Path("/")
        pending.extend(reversed([part for part in Path(target).parts if part != "/"]))


LINKS = 40
"""Links followed in one path, as many as Linux follows."""


def _write_to_device(place: Path, text: str) -> None:
    """Write to what is no regular file, if that is what it seems. Raises OutputError, OSError."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
    named = os.path.exists(os.path.realpath(place))  # else it is open already: a pipe of the shell's
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK  # a pipe without a reader is an error, and not waited for
    try:
        file = os.open(place, flags)
    except OSError as exc:
        if exc.errno != errno.ENXIO:
            raise
        raise OutputError(f"cannot write {place}: nobody reads it; give another path") from None
    with os.fdopen(file, "w", encoding="utf-8", errors="backslashreplace") as stream:
        status = os.fstat(file)
        if stat.S_ISBLK(status.st_mode):
            raise OutputError(f"cannot write {place}: it is a block device; give another path")
        if stat.S_ISFIFO(status.st_mode) and named and status.st_uid not in (os.geteuid(), 0):
            raise OutputError(f"cannot write {place}: it is a pipe of another user; give another path")
        os.set_blocking(file, True)
        stream.write(text)


def _replace(place: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        # half of a surrogate pair, which UTF-8 lacks, is escaped, as JSON may have it
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise
