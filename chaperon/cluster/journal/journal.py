"""What an engine has recorded that nobody has acknowledged yet, in a folder that outlives it.

`kill -9` of an engine loses nothing its recorder was told: what a call here wrote when it
returned is in the kernel's page cache, which the death of a process does not touch. (The loss of
the machine does.)

A worker keeps one journal for each run it joins and gives it to its `Recorder`. Its sink packs
each window, seals it here, then hands it to the link; nothing may be recorded between the cut
of a window and its sealing, so nothing on that way may wait::

    journal = Journal(shelter / f"{run}-{incarnation}", Owner(worker, incarnation, run, began, second))
    recorder = Recorder(worker, began=began, second=second, journal=journal)
    ...
    journal.stands(share.name, share.start, share.rows)   # whenever it takes a share up
    ...
    body = pack_window(window, began=began)               # in the sink
    journal.seal(window, body)
    link.send(Frame(worker, incarnation, run, window.seq, body))
    ...
    journal.acknowledged(pong.acked)                      # when the master has them
    journal.close()                                       # when it leaves

The supervisor keeps the folder (`shelter.Shelter`), and reads what is in it with
`recovery.recover` when the engine is dead.

In the journal's folder, «open» holds every fact of the window that is not cut yet, and each cut
window waits for its acknowledgement in a file of its own: its packed bytes behind their length
with a CRC. Sealing writes that file whole, then turns «open» to the next window. Whoever finds
both believes the file; whoever finds it torn takes the records.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections import deque
from collections.abc import Collection
from pathlib import Path

from chaperon.cluster.journal.journal_file import INITIAL_SIZE, MAGIC, MAX_SIZE, JournalFile, JournalHeader, write_all
from chaperon.errors import JournalError
from chaperon.measure.window import Window

SEALED = struct.Struct("=8sQII")
SECRETS_FILE = "secrets"


def window_file(folder: Path, seq: int) -> Path:
    """Return where a cut window waits for its acknowledgement."""
    return folder / f"{seq:08d}.window"


class Journal:
    """Keeps what a recorder takes until it is acknowledged, in *folder*, which it makes.

    It starts with *size* bytes for the open window and never has more than *max_size*. *seq* is the
    number of that window, *fault* why the last one could not be sealed, which changes nothing unless the
    engine dies. Raises JournalError where *size* bytes cannot be had.
    """

    def __init__(
        self, folder: Path, header: JournalHeader, *, size: int = INITIAL_SIZE, max_size: int = MAX_SIZE
    ) -> None:
        self.folder = folder
        self.seq = 1
        self.fault: str | None = None
        self._sealed: deque[int] = deque()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file = JournalFile(folder / "open", header, size=size, max_size=max_size)
        except OSError as exc:
            raise JournalError(f"no journal can be kept in {folder}: {exc.strerror}") from exc
        self.record_fields = self._file.record_fields
        self.count_visit = self._file.count_visit
        self.record_rows = self._file.record_rows
        self.count_note = self._file.count_note
        self.record_event = self._file.record_event

    def __repr__(self) -> str:
        return f"<Journal in {self.folder} at window {self.seq}, {len(self._sealed)} waiting>"

    def note_share_start(self, share: str, taken: int = 0, rows: int = 0) -> None:
        """Note where a share stands that is taken up, so that its progress is known to the last visit."""
        self._file.note_share_start(share, taken, 0, rows)

    def seal(self, window: Window, body: bytes) -> None:
        """Keep the window that was just cut as its packed *body*, in place of the records it was made of."""
        if window.seq != self.seq:
            raise JournalError(f"window {window.seq} was cut, but window {self.seq} is the open one")
        path = window_file(self.folder, window.seq)
        self.fault = None
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                write_all(fd, SEALED.pack(MAGIC, window.seq, len(body), zlib.crc32(body)) + body)
            finally:
                os.close(fd)
        except OSError as exc:
            self.fault = f"window {window.seq} could not be written to {path}: {exc.strerror}"
        self._sealed.append(window.seq)
        self.seq += 1
        self._file.start_window(self.seq)
        for share, (taken, ended, rows) in window.progress.items():
            self._file.note_share_start(share, taken, ended, rows)

    def write_secrets(self, secrets: Collection[str], unshared: Collection[str]) -> None:
        """Write which values are secret, so that the supervisor can remove them from recovered windows.

        *unshared* are those that the master does not know. If the file cannot be written, `fault` says why.
        """
        path = self.folder / SECRETS_FILE
        try:
            fd = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                write_all(fd, json.dumps([sorted(secrets), sorted(unshared)]).encode())
            finally:
                os.close(fd)
            path.with_suffix(".new").rename(path)
        except OSError as exc:
            self.fault = f"secrets could not be written to {path}: {exc.strerror}"

    def acknowledge(self, upto: int) -> None:
        """Forget every window up to this number: somebody else has them now."""
        while self._sealed and self._sealed[0] <= upto:
            window_file(self.folder, self._sealed.popleft()).unlink(missing_ok=True)

    def close(self) -> None:
        """Keep nothing more. The folder goes if all was acknowledged, else it stays for whoever recovers it."""
        self._file.close()
        if not self._sealed and not self._file.has_records:
            shutil.rmtree(self.folder, ignore_errors=True)
