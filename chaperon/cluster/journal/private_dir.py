"""A private folder for journals or sockets, deleted when its owner has ended in any way."""

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
    """A folder that only its owner may enter, in memory if possible; deleted at the end of the block.

    A killed owner leaves its folder. The next one created in the same place deletes it: a lock on
    the folder shows whether its owner is alive. Raises JournalError if none can be created.
    """

    def __init__(self, within: Path | None = None) -> None:
        place = within or _parent_folder()
        _remove_abandoned(place)
        try:
            folder = Path(tempfile.mkdtemp(prefix="chaperon-new-", dir=place))
            self._lock = _lock(folder, os.O_CREAT)
            self.folder = folder.rename(place / folder.name.replace("chaperon-new-", PREFIX))
        except OSError as exc:
            raise JournalError(f"no private folder can be made in {place}: {exc.strerror}") from exc

    def __repr__(self) -> str:
        return f"<PrivateDir {self.folder}>"

    def __enter__(self) -> PrivateDir:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def journal_folders(self) -> Iterator[Path]:
        """Yield the folders of journals, oldest first."""
        yield from sorted((p.parent for p in self.folder.glob("*/open")), key=lambda folder: folder.stat().st_mtime_ns)

    def close(self) -> None:
        """Delete the folder with everything in it."""
        if self._lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _parent_folder() -> Path:
    """Return the place for journals: in memory if there is room for two, else the folder of temporary files."""
    with suppress(OSError):
        if os.access(SHARED_MEMORY, os.W_OK) and shutil.disk_usage(SHARED_MEMORY).free > 2 * MAX_SIZE:
            return SHARED_MEMORY
    return Path(tempfile.gettempdir())


def _lock(folder: Path, flags: int = 0) -> int:
    """Lock a folder. Raises OSError if it is locked."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _remove_abandoned(place: Path) -> None:
    """Delete the folders of killed owners."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # in use, or another user's
            if folder.stat().st_uid != os.getuid():
                continue
            lock = _lock(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
