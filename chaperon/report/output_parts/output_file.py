"""Writing an output to its path: atomically, and not through links or pipes of other users."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from chaperon.errors import OutputError


def write_output(path: str | Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all. Blocks. Raises OutputError, OSError.

    A regular file is replaced by rename. A symbolic link of the same user or of root is followed and
    kept. Terminals, pipes and character devices such as /dev/stdout are written to. A pipe without a
    reader, a block device, and links that `refuse_links` refuses are errors.
    """
    refuse_links(path)
    place = Path(path)
    if place.exists() and not place.is_file():
        _write_to_device(place, text)
    else:
        _replace(Path(os.path.realpath(place)), text)


def probe_output(path: str | Path) -> None:
    """Raise OutputError unless `write_output` can write to *path*: its folder exists and is writable.

    Devices and pipes are not opened; their errors show when they are written to.
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
        Path(folder).mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot make {folder}: {exc.strerror or exc}; give another path") from exc


def refuse_links(path: str | Path) -> None:
    """Raise OutputError if *path* contains a symbolic link of another user.

    In a folder that all users can write to, the owner of such a link chooses which file is
    overwritten. Links of root are part of the system and are allowed.
    """
    pending, seen, here = list(reversed(Path(os.getcwd(), path).parts[1:])), 0, Path("/")
    while pending:
        part = pending.pop()
        here = here.parent if part == ".." else here / part
        try:
            status = here.lstat()
        except OSError:  # missing or not accessible: opening it raises the error
            continue
        if not stat.S_ISLNK(status.st_mode):
            continue
        if status.st_uid not in (os.geteuid(), 0):
            raise OutputError(f"{path} leads through {here}, a link of another user: give another path")
        seen += 1
        target = os.readlink(here)
        if seen > LINKS or "/proc/" in f"{here}":  # links of /proc refer to open files, not to paths
            return
        here = here.parent if not os.path.isabs(target) else Path("/")
        pending.extend(reversed([part for part in Path(target).parts if part != "/"]))


LINKS = 40
"""Maximum number of links followed in one path, as in Linux."""


def _write_to_device(place: Path, text: str) -> None:
    """Write to a file that is not regular, after checking what was opened. Raises OutputError, OSError."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
    named = os.path.exists(os.path.realpath(place))  # otherwise an open pipe, made by the shell
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK  # do not wait for a reader of a pipe: without one it is an error
    try:
        file = os.open(place, flags)
    except OSError as exc:
        if exc.errno != errno.ENXIO:
            raise
        raise OutputError(f"cannot write {place}: no process reads it; give another path") from None
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
        # a lone surrogate, which UTF-8 cannot encode, is escaped, as in JSON
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise
