"""A folder of one's own, for journals or sockets: taken away when its header is gone, however that came."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from chaperon.cluster.journal.journal_file import MAX_SIZE
from chaperon.errors import JournalError

PREFIX = "chaperon-own-"
SHARED_MEMORY = Path("/dev/shm")


class PrivateDir:
    """A folder only its header may enter, in memory where the machine offers that; gone when the block is left.

    Whoever is killed leaves one behind. The next to open one in the same place takes it away:
    a lock says whether somebody still lives there. Raises JournalError where none can be made.
    """

    def __init__(self, within: Path | None = None) -> None:
        place = within or _parent_folder()
        _remove_abandoned(place)
        try:
            folder = Path(tempfile.mkdtemp(prefix="chaperon-new-", dir=place))
            self._lock = _lock(folder, os.O_CREAT)
            self.folder = folder.rename(place / folder.name.replace("chaperon-new-", PREFIX))
        except OSError as exc:
            raise JournalError(f"no folder of our own can be made in {place}: {exc.strerror}") from exc

    def __repr__(self) -> str:
        return f"<PrivateDir {self.folder}>"

    def __enter__(self) -> PrivateDir:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def journal_folders(self) -> Iterator[Path]:
        """Yield where the journals are, those of the first to be made first."""
        yield from sorted((p.parent for p in self.folder.glob("*/open")), key=lambda folder: folder.stat().st_mtime_ns)

    def close(self) -> None:
        """Take the folder away with whatever is in it."""
        if self._lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _parent_folder() -> Path:
    """Return where journals are best kept: in memory if there is room for a few, else where temporary files go."""
    with suppress(OSError):
        if os.access(SHARED_MEMORY, os.W_OK) and shutil.disk_usage(SHARED_MEMORY).free > 2 * MAX_SIZE:
            return SHARED_MEMORY
    return Path(tempfile.gettempdir())


def _lock(folder: Path, flags: int = 0) -> int:
    """Take the lock of a folder; raises OSError where somebody has it."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _remove_abandoned(place: Path) -> None:
    """Take away what those left behind who were killed."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody lives there, or it is somebody else's
            if folder.stat().st_uid != os.getuid():
                continue
            lock = _lock(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
