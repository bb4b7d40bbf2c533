"""The write-ahead log of an engine: what it has recorded and the master has not acknowledged.

It is in a folder that outlives the process. `kill -9` of an engine loses nothing recorded: what
a call here has written is in the page cache of the kernel, which a process's death does not affect. (A
crash of the machine does.)

A worker keeps one journal for each run it joins and passes it to its `Recorder`. The sink packs
each window, seals it here, then sends it. Nothing may be recorded between the cut of a window
and its sealing, so nothing on that path may wait::

    journal = Journal(folder / str(incarnation), JournalHeader(worker, incarnation, run, began, second))
    recorder = Recorder(worker, began=began, second=second, journal=journal)
    ...
    journal.note_share_start(share.name, share.start, share.rows)   # when a share is leased
    ...
    body = pack_window(window, began=began)                         # in the sink
    journal.seal(window, body)
    link.send_window(WindowFrame(worker, incarnation, run, window.seq, body))
    ...
    journal.acknowledge(pong.acked)                                 # when the master has them
    journal.close()                                                 # at the end

The supervisor owns the folder (`private_dir.PrivateDir`) and reads the journal with
`recovery.recover` after the engine's death.

The file «open» has the records of the window that is not cut yet. Each cut window that is not
acknowledged is in a file of its own: its packed bytes after their length and CRC. Sealing writes
that file, then starts the next window in «open». If both contain a window, the file
counts; if the file is damaged, the records do.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections import deque
from pathlib import Path

from chaperon.cluster.journal.journal_file import INITIAL_SIZE, MAGIC, MAX_SIZE, JournalFile, JournalHeader, write_all
from chaperon.cluster.journal.journal_texts import JournalTexts
from chaperon.errors import JournalError
from chaperon.measure.window import Window

SEALED = struct.Struct("=8sQII")


def window_file(folder: Path, seq: int) -> Path:
    """Return the path of a cut window that is not acknowledged."""
    return folder / f"{seq:08d}.window"


class Journal:
    """Keeps the records of a recorder until they are acknowledged, in *folder*, which it creates.

    *texts* removes secrets from what is written, also from a window before it is sealed; by default nothing.
    It has *size* bytes for the open window at first and *max_size* at most. *seq* is the number of
    that window, *fault* the reason why the last one could not be sealed, which matters only if the
    engine dies. Raises JournalError if *size* bytes cannot be allocated.
    """

    def __init__(
        self,
        folder: Path,
        header: JournalHeader,
        *,
        texts: JournalTexts | None = None,
        size: int = INITIAL_SIZE,
        max_size: int = MAX_SIZE,
    ) -> None:
        self.folder = folder
        self.texts = JournalTexts() if texts is None else texts
        self.seq = 1
        self.fault: str | None = None
        self._sealed: deque[int] = deque()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file = JournalFile(folder / "open", header, texts=self.texts, size=size, max_size=max_size)
        except OSError as exc:
            raise JournalError(f"no journal can be kept in {folder}: {exc.strerror}") from exc
        self.record_fields = self._file.record_fields
        self.amend = self._file.amend
        self.count_visit = self._file.count_visit
        self.record_rows = self._file.record_rows
        self.count_note = self._file.count_note
        self.record_event = self._file.record_event

    def __repr__(self) -> str:
        return f"<Journal in {self.folder} at window {self.seq}, {len(self._sealed)} waiting>"

    def note_share_start(self, share: str, taken: int = 0, rows: int = 0) -> None:
        """Record the progress of a share that was leased, so that recovery knows it to the last visit."""
        self._file.note_share_start(share, taken, 0, rows)

    def seal(self, window: Window, body: bytes) -> None:
        """Replace the records of the window that was just cut by its packed *body*. Raises JournalError."""
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

    def acknowledge(self, upto: int) -> None:
        """Delete every window up to this number: the master has them."""
        while self._sealed and self._sealed[0] <= upto:
            window_file(self.folder, self._sealed.popleft()).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the journal. The folder is deleted if everything was acknowledged, else it stays for recovery."""
        self._file.close()
        if not self._sealed and not self._file.has_records:
            shutil.rmtree(self.folder, ignore_errors=True)
