"""The records of the window that is not cut yet, in a file mapped into memory.

A record counts once the aligned word at the front, the number of the window with the end of its
records, covers it. That word is written by a single store, so that a process killed at any
moment leaves each record whole or absent. A word for another window discards all records.
Keys, failures, places and notes are defined once a window, before the first record that refers to
them. Byte order and alignment are those of the machine: the file does not leave it.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections import Counter
from collections.abc import Hashable
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from chaperon.cluster.journal.journal_texts import JournalTexts
from chaperon.errors import JournalError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.plain_text import WORDS
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import RunEvent, VisitOutcome

MAGIC = b"CHAPJRN6"
INITIAL_SIZE = 4 << 20
"""Initial size in bytes: room for 170,000 plain samples."""
MAX_SIZE = 64 << 20
"""Maximum size in bytes; records beyond it are counted and dropped."""
MAX_FAILURE_TEXTS = 1_000
"""Failures recorded with their messages in one window; further ones are recorded by class."""
MESSAGES = 10
"""Different messages of one error class of a series that are recorded in one window, which keeps that of the first."""

HEADER_SIZE = 4096
"""Where the records begin; the header is before them."""
COMMIT, DROPPED = 1, 2
HEADER_HEAD = struct.Struct("=II")
HEADER_AT = 24

PLAIN, FULL, VISIT, ROWS, NOTE, TEXT = 1, 2, 3, 4, 5, 6
KIND_BITS = 3
RECORD_HEAD = struct.Struct("=II")
LAYOUTS = {
    PLAIN: struct.Struct("=IIdd"),  # key, bytes, start, end
    FULL: struct.Struct("=IIddddq"),  # key, failure, start, end, due, value, bytes
    VISIT: struct.Struct("=IIdd"),  # place, outcome, due, waited
    ROWS: RECORD_HEAD,  # place, rows
    NOTE: RECORD_HEAD,  # words
}
OUTCOMES: tuple[VisitOutcome, ...] = get_args(VisitOutcome)
_OUTCOME_NUMBER = {outcome: place for place, outcome in enumerate(OUTCOMES)}
_UNKNOWN = float("nan")

_pack_plain = LAYOUTS[PLAIN].pack_into


@lazy_dataclass(frozen=True, slots=True)
class JournalHeader:
    """The worker and run of a journal.

    *began* is the start of the run on the clock of this machine, *second* the second of its first window.
    """

    worker: str
    incarnation: int
    run: int
    began: float
    second: int = 0


class JournalFile:
    """Writes the records of the open window, as a `JournalWriter`.

    *texts* redacts what is written. The file has *size* bytes at first and *max_size* at most. Raises
    OSError if *size* bytes cannot be allocated. Afterwards no method raises: records without space are
    counted, and the report says so if they are needed.
    """

    __slots__ = (
        "_base",
        "_described",
        "_end",
        "_failures",
        "_fd",
        "_keys",
        "_last_plain",
        "_map",
        "_max_size",
        "_places",
        "_texts",
        "_wordings",
        "_words",
        "has_records",
    )

    def __init__(
        self,
        path: Path,
        header: JournalHeader,
        *,
        texts: JournalTexts,
        size: int = INITIAL_SIZE,
        max_size: int = MAX_SIZE,
    ) -> None:
        self.has_records = False
        self._texts = texts
        self._max_size = max_size
        self._end = HEADER_SIZE
        self._keys: dict[Key, int] = {}
        self._failures: dict[Failure, int] = {}
        self._described: Counter[tuple[str, str, str]] = Counter()
        self._places: dict[tuple[str, str], int] = {}
        self._wordings: dict[str, int] = {}
        front = json.dumps(asdict(header)).encode()
        if len(front) > HEADER_SIZE - HEADER_AT - HEADER_HEAD.size:
            raise JournalError(f"the name of a worker is too long to keep: {header.worker[:60]!r}")
        fresh = path.with_suffix(".new")
        self._fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        _allocate(self._fd, 0, HEADER_SIZE + size)
        os.pwrite(self._fd, HEADER_HEAD.pack(len(front), zlib.crc32(front)) + front, HEADER_AT)
        os.pwrite(self._fd, MAGIC, 0)
        self._map_file(HEADER_SIZE + size)
        self.start_window(1)
        fresh.rename(path)

    def record_fields(
        self,
        key: Key,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        """See `JournalWriter.record_fields`; takes about 0.4 microseconds."""
        word = self._keys.get(key)
        at = self._end
        if word is None or at > self._last_plain or failure is not None or due is not None or value is not None:
            self._append_full(Sample(key, start, end, failure, bytes, due, value))
            return
        try:
            _pack_plain(self._map, at, word, bytes, start, end)
        except struct.error:  # more bytes than the plain kind has room for
            self._append_full(Sample(key, start, end, failure, bytes, due, value))
            return
        self._end = at = at + 24
        self._words[COMMIT] = self._base + at

    def amend(self, key: Key, start: float, end: float, before: str | None, failure: Failure) -> None:
        """Write that a sample written before is in error."""
        texts = self._texts
        outcome = None if before is None else texts.name(before)
        self._append_text(
            "amended", *texts.key(key), start, end, outcome, texts.name(failure.error), self._message(failure)
        )

    def count_visit(self, label: str, due: float, outcome: VisitOutcome, waited: float = 0.0, share: str = "") -> None:
        """Write the outcome of a visit."""
        place = self._places.get((label, share)) or self._define_place(label, share)
        if place:
            self._append(VISIT, place, _OUTCOME_NUMBER[outcome], due, waited)

    def record_rows(self, share: str, rows: int) -> None:
        """Write how many unique rows of a share were used."""
        place = self._places.get(("", share)) or self._define_place("", share)
        if place:
            self._append(ROWS, place, rows)

    def count_note(self, what: str) -> None:
        """Write one occurrence of a note."""
        words = self._wordings.get(what) or self._define(self._wordings, what, "note", self._texts.text(what))
        if words:
            self._append(NOTE, words, 0)

    def record_event(self, what: RunEvent) -> None:
        """Write an event."""
        self.has_records |= self._append_text("happened", what.at, what.kind, self._texts.text(what.text), what.took)

    def note_share_start(self, share: str, taken: int, ended: int, rows: int) -> None:
        """Write the progress of a share; visits of the share count from there."""
        self._append_text("share", self._texts.name(share), taken, ended, rows)

    def start_window(self, seq: int) -> None:
        """Start window *seq*: discard the records of the last one."""
        for table in (self._keys, self._failures, self._places, self._wordings, self._described):
            table.clear()
        self._base, self._end, self.has_records = seq << 32, HEADER_SIZE, False
        self._words[DROPPED] = 0
        self._words[COMMIT] = self._base + HEADER_SIZE

    def close(self) -> None:
        """Close the file; later records are ignored."""
        if self._fd >= 0:
            self._unmap_file()
            os.close(self._fd)
            self._fd = self._last_plain = -1

    def _append_full(self, sample: Sample) -> None:
        """Write a sample with all its fields, after the definitions of its key and failure if they are new."""
        key, start, end, failure, size, due, value = sample
        word = self._keys.get(key) or self._define(self._keys, key, "key", *self._texts.key(key))
        why = 0 if failure is None else self._define_failure(key, failure)
        if word and why is not None:
            rest = (_UNKNOWN if due is None else due, _UNKNOWN if value is None else value)
            self._append(FULL, word, why >> KIND_BITS, start, end, *rest, size)

    def _define_failure(self, key: Key, failure: Failure) -> int | None:
        known = self._failures.get(failure)
        place = key.scenario, key.name, failure.error
        if known is None and (self._described[place] >= MESSAGES or len(self._failures) >= MAX_FAILURE_TEXTS):
            failure = failure._replace(message="")
            known = self._failures.get(failure)
        if known:
            return known
        self._described[place] += 1
        texts = self._texts
        error, _, listed, censored, begun, where, _ = failure  # the traces are for a tap alone
        parts = (texts.name(error), self._message(failure), listed, censored, begun, texts.text(where))
        return self._define(self._failures, failure, "failure", *parts)

    def _message(self, failure: Failure) -> str:
        return self._texts.text(failure.message)[:WORDS]

    def _define_place(self, label: str, share: str) -> int | None:
        name = self._texts.name
        return self._define(self._places, (label, share), "place", name(label), name(share))

    def _define(self, table: dict[Any, int], what: Hashable, *text: object) -> int | None:
        """Define a number for the rest of the window; return None if there is no room."""
        if not self._append_text(*text):
            return None
        word = table[what] = (len(table) + 1) << KIND_BITS | PLAIN
        return word

    def _append(self, kind: int, word: int, *rest: float) -> None:
        layout = LAYOUTS[kind]
        if not self._reserve(layout.size):
            return
        try:
            layout.pack_into(self._map, self._end, word - PLAIN + kind, *rest)
        except (struct.error, OverflowError):  # a number out of range
            self._words[DROPPED] += 1
            return
        self._commit(layout.size)
        self.has_records = True

    def _append_text(self, *text: object) -> bool:
        raw = json.dumps(text).encode()
        size = RECORD_HEAD.size + len(raw)
        if not self._reserve(size):
            return False
        RECORD_HEAD.pack_into(self._map, self._end, TEXT, len(raw))
        self._map[self._end + RECORD_HEAD.size : self._end + size] = raw
        self._commit(size)
        return True

    def _commit(self, size: int) -> None:
        self._end += size
        self._words[COMMIT] = self._base + self._end

    def _reserve(self, size: int) -> bool:
        """Return whether *size* bytes are available, growing the file if needed; count a failure."""
        while self._fd >= 0 and self._end + size > len(self._map):
            if not self._grow():
                self._words[DROPPED] += 1
                return False
        return self._fd >= 0

    def _grow(self) -> bool:
        size = len(self._map)
        if size >= HEADER_SIZE + self._max_size:
            return False
        larger = min(2 * size, HEADER_SIZE + self._max_size)
        try:
            _allocate(self._fd, size, larger)
        except OSError:
            self._max_size = 0  # the disk is full: do not try again at every sample
            return False
        self._unmap_file()
        self._map_file(larger)
        return True

    def _map_file(self, size: int) -> None:
        self._map = mmap.mmap(self._fd, size)
        self._words = memoryview(self._map)[:HEADER_SIZE].cast("Q")
        self._last_plain = size - LAYOUTS[PLAIN].size

    def _unmap_file(self) -> None:
        self._words.release()
        self._map.close()


def _allocate(fd: int, start: int, end: int) -> None:
    """Write zeros to allocate: a hole in a mapped file raises SIGBUS when the disk is full."""
    os.lseek(fd, start, os.SEEK_SET)
    write_all(fd, bytes(end - start))


def write_all(fd: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
