"""Writing a run file while the run goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from chaperon.errors import OutputError
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.quantity import count_text
from chaperon.measure.window import VisitCounts, Window
from chaperon.measure.window_merge import merge_windows
from chaperon.report.output_parts.output_file import open_output
from chaperon.report.run_file.frames import write_frame
from chaperon.report.run_file.records import (
    Correction,
    ExtraRecord,
    LostVisitsRecord,
    MergedRecord,
    Noted,
    Record,
    RunEnded,
    RunFooter,
    RunHeader,
    WindowRecord,
    WorkerJoined,
    WorkerLeft,
    encode,
)
from chaperon.report.texts import map_fields

LIMIT = 1 << 30
"""Bytes after which windows are written merged, by default."""
STEP = 10
"""Windows of a worker that are merged into one beyond the limit."""
MERGED = f"the run file reached its limit of {{limit:,}} bytes: from second {{second}} on it has steps of {STEP} s"


class RunFileWriter:
    """Appends the windows and events of a run to a file. Implements `RunLog`; every call blocks for a file write.

    The file is usable at any moment: `read_run` reads what has been written. If the disk is full
    the rest of the run is not written: `failure` says why, and no call raises. Beyond *limit*
    bytes, windows are merged into steps of ten seconds. Raises OutputError if the file cannot
    be created.
    """

    def __init__(self, path: str | Path, *, limit: int = LIMIT) -> None:
        self.path = Path(path)
        self.failure: str | None = None
        self._redact: Callable[[str], str] = str
        self._limit = limit
        self._size = self._runs = 0
        self._digest = sha256()
        self._began = 0.0
        self._before: list[Record] | None = []  # what is recorded before the header, written after it
        self._merging: dict[str, list[Window]] | None = None
        try:
            self._fd = open_output(path, 0o600)
        except OSError as exc:
            raise OutputError(f"cannot write {path}: {exc.strerror or exc}; give --run-file another path") from exc

    def __repr__(self) -> str:
        return f"<RunFileWriter {self.path}, {count_text(self._size, 'byte')}>"

    @property
    def sha256(self) -> str:
        """The SHA-256 of the whole file as hexadecimal digits, "" as long as it is written."""
        return "" if self._fd >= 0 or self.failure is not None else self._digest.hexdigest()

    def begin(self, header: RunHeader, redact: Callable[[str], str]) -> None:
        """Write the header of a run, then what was recorded before it. *redact* removes secrets from every text."""
        self._began, self._merging, self._redact = header.began, None, redact
        before, self._before = self._before or [], None
        self._runs += 1
        for record in (replace(header, number=self._runs), *before):
            self._write(record)

    def record_window(self, window: Window) -> Window:
        """Write a window and return it as the file has it: with the precision of the encoding."""
        masked = map_fields(window, self._redact)
        body = masked.body or pack_window(masked, began=self._began)
        if self._merging is None and self._size + len(body) > self._limit:
            self._merging = {}
            text = MERGED.format(limit=self._limit, second=window.at)
            self._write(Noted(text, 1))
        if self._merging is None:
            self._write(WindowRecord(window.worker, window.at, body))
        else:
            waiting = self._merging.setdefault(window.worker, [])
            waiting.append(masked)
            if len(waiting) >= STEP:
                self._write_merged(window.worker)
        if window.body is not None:  # it came encoded: it has that precision
            return window
        return self._as_written(window, body, masked is window)

    def record_extra(self, window: Window) -> Window:
        """Write samples that no window of a worker contains; return them as the file has them."""
        masked = map_fields(window, self._redact)
        body = pack_window(masked, began=self._began)
        self._write(ExtraRecord(window.worker, window.at, body))
        return self._as_written(window, body, masked is window)

    def record_join(self, worker: str) -> None:
        """Write that the windows of a worker are waited for."""
        self._write(WorkerJoined(worker))

    def record_leave(self, worker: str, lost: bool) -> None:
        """Write that the windows of a worker are no longer waited for."""
        self._write_merged(worker)
        self._write(WorkerLeft(worker, lost))

    def record_lost_visits(self, worker: str, visits: int) -> None:
        """Write how many visits were lost with a worker."""
        self._write(LostVisitsRecord(worker, visits))

    def record_correction(self, ledger: Mapping[tuple[str, int], VisitCounts]) -> None:
        """Write changes to the ledger that no window brings."""
        self._write(Correction(tuple((label, due, replace(counts)) for (label, due), counts in ledger.items())))

    def record_note(self, text: str, times: int) -> None:
        """Write a note of the report."""
        self._write(Noted(text, times))

    def record_end(self, how: str, reason: str) -> None:
        """Write why the run ends or is INVALID: *how* is "fault", "aborted" or "failed"."""
        self._write(RunEnded(how, reason))

    def finish(self, footer: RunFooter) -> None:
        """Write the end of the run. Another run may begin after it."""
        for worker in list(self._merging or ()):
            self._write_merged(worker)
        self._write(footer)
        self._before = []

    def close(self) -> None:
        """Close the file. Does nothing if it is closed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _as_written(self, window: Window, body: bytes, plain: bool) -> Window:
        """Return a window with the precision of its encoding, without redaction; *body* has it if it is *plain*."""
        if not plain:
            body = pack_window(window, began=self._began)
        return unpack_window(body, window.worker, began=self._began)

    def _write_merged(self, worker: str) -> None:
        waiting = self._merging.pop(worker, None) if self._merging else None
        if waiting:
            whole = merge_windows(waiting)
            parts = tuple((window.seq, window.at, window.users) for window in waiting)
            self._write(MergedRecord(worker, parts, pack_window(whole, began=self._began)))

    def _write(self, record: Record) -> None:
        if self.failure is not None or self._fd < 0:
            return
        if self._before is not None:
            self._before.append(record)
            return
        try:
            self._size += write_frame(self._fd, *encode(map_fields(record, self._redact)), self._digest)
        except OSError as exc:
            self.failure = (
                f"cannot write {self.path}: {exc.strerror or exc}; it ends after {count_text(self._size, 'byte')}"
            )
