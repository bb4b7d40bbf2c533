"""Recovery of a dead engine's journal: the windows that the master has not acknowledged.

The supervisor calls it after the engine's death and sends the windows under the engine's own
name, incarnation and numbers. The master counts each number once, so that it then has everything
that was recorded::

    for folder in private_dir.journal_folders():
        found = recover(folder)
        began = found.header.began
        windows = [*found.sealed, *((w.seq, pack_window(w, began=began)) for w in found.unsealed)]
        ...                                   # send each as a WindowFrame until it is acknowledged
        WorkerDied(worker, incarnation, code, cut=found.cut)
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaperon.cluster.journal.journal import SEALED
from chaperon.cluster.journal.journal_file import (
    COMMIT,
    DROPPED,
    FULL,
    HEADER_AT,
    HEADER_HEAD,
    HEADER_SIZE,
    KIND_BITS,
    LAYOUTS,
    MAGIC,
    NOTE,
    OUTCOMES,
    PLAIN,
    RECORD_HEAD,
    ROWS,
    TEXT,
    VISIT,
    JournalHeader,
)
from chaperon.errors import JournalError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import RunEvent, Window

NO_ROOM = "records a worker that died had no room for in its journal"
TRUNCATED = "journals of workers that died cut off before their end"


@lazy_dataclass(frozen=True, slots=True)
class Recovered:
    """The contents of a journal: *sealed* are packed windows by number, *unsealed* the window that was not cut yet.

    *unsealed* is empty if nothing was recorded since the last cut. *cut* is the number of the last
    window of this incarnation, acknowledged or not.
    """

    header: JournalHeader
    sealed: Sequence[tuple[int, bytes]]
    unsealed: Sequence[Window]
    cut: int


def recover(folder: Path) -> Recovered:
    """Read the journal in *folder*; changes nothing. Raises JournalError if there is none or it is damaged."""
    try:
        data = (folder / "open").read_bytes()
    except OSError as exc:
        raise JournalError(f"no journal can be read in {folder}: {exc.strerror}") from exc
    header = _read_header(data)
    (commit,), (missed,) = struct.unpack_from("=Q", data, COMMIT * 8), struct.unpack_from("=Q", data, DROPPED * 8)
    seq, end = commit >> 32, commit & 0xFFFFFFFF
    sealed = _read_sealed(folder)
    if any(number >= seq for number, _ in sealed):  # it died between sealing the window and starting the next
        return Recovered(header, sealed, (), seq)
    records = _Replay(header)
    whole = records.read(memoryview(data)[HEADER_SIZE:end]) and end <= len(data)
    if missed:
        records.notes[NO_ROOM] += missed
    if not whole:
        records.notes[TRUNCATED] += 1
    if not records.has_records:
        return Recovered(header, sealed, (), seq - 1)
    return Recovered(header, sealed, (records.window(seq),), seq)


def _read_header(data: bytes) -> JournalHeader:
    if len(data) < HEADER_SIZE:
        raise JournalError("a journal that is cut off before its first fact")
    if data[: len(MAGIC)] != MAGIC:
        raise JournalError(f"none of our journals, or of another version: {data[:8]!r}")
    size, crc = HEADER_HEAD.unpack_from(data, HEADER_AT)
    front = data[HEADER_AT + HEADER_HEAD.size :][:size]
    if zlib.crc32(front) != crc:
        raise JournalError("a journal whose front is damaged")
    return JournalHeader(**json.loads(front))


def _read_sealed(folder: Path) -> list[tuple[int, bytes]]:
    """Return the windows that are whole, in order; one that was being written at the death is not."""
    whole = []
    for path in sorted(folder.glob("*.window")):
        data = path.read_bytes()
        if len(data) >= SEALED.size:
            magic, seq, size, crc = SEALED.unpack_from(data)
            body = data[SEALED.size :]
            if magic == MAGIC and size == len(body) and crc == zlib.crc32(body):
                whole.append((seq, body))
    return whole


class _Replay:
    """Replays the records of one open window into a recorder."""

    def __init__(self, header: JournalHeader) -> None:
        self.notes: Counter[str] = Counter()
        self.has_records = False
        self._identity = header
        self._recorder = Recorder(header.worker, began=header.began)
        self._keys: list[Key] = []
        self._failures: list[Failure | None] = [None]
        self._places: list[tuple[str, str]] = []
        self._wordings: list[str] = []
        self._progress: dict[str, list[int]] = {}

    def read(self, data: memoryview) -> bool:
        """Replay every record; return whether all of them can be read."""
        at = 0
        try:
            while at < len(data):
                head, second = RECORD_HEAD.unpack_from(data, at)
                kind = head & ((1 << KIND_BITS) - 1)
                if kind == TEXT:
                    raw = data[at + RECORD_HEAD.size :][:second]
                    if len(raw) < second:
                        return False
                    self._apply_text(*json.loads(bytes(raw)))
                    at += RECORD_HEAD.size + second
                else:
                    fields = LAYOUTS[kind].unpack_from(data, at)
                    self._apply(kind, (head >> KIND_BITS) - 1, *fields[1:])
                    at += LAYOUTS[kind].size
        except (struct.error, ValueError, TypeError, LookupError):
            return False
        return True

    def window(self, seq: int) -> Window:
        """Return the window of all records."""
        window = self._recorder.cut()
        progress = {share: (taken, ended, rows) for share, (taken, ended, rows) in self._progress.items()}
        at = self._identity.second + seq - 1
        return replace(window, seq=seq, at=at, progress=progress, notes=self.notes)

    def _apply(self, kind: int, number: int, *rest: Any) -> None:
        self.has_records = True
        if kind == PLAIN:
            size, start, end = rest
            self._recorder.record(Sample(self._keys[number], start, end, None, size))
        elif kind == FULL:
            why, start, end, due, value, size = rest
            sample = Sample(
                self._keys[number], start, end, self._failures[why], size, _none_if_nan(due), _none_if_nan(value)
            )
            self._recorder.record(sample)
        elif kind == VISIT:
            outcome, due, waited = rest
            self._count_visit(*self._places[number], outcome, due, waited)
        elif kind == ROWS:
            _, share = self._places[number]
            if share in self._progress:
                self._progress[share][2] = rest[0]
        elif kind == NOTE:
            self.notes[self._wordings[number]] += 1

    def _count_visit(self, label: str, share: str, outcome: int, due: float, waited: float) -> None:
        self._recorder.count_visit(label, due, OUTCOMES[outcome], waited)
        stands = self._progress.get(share)
        if stands is not None:
            stands[0] += OUTCOMES[outcome] == "planned"
            stands[1] += OUTCOMES[outcome] in ("done", "failed", "interrupted", "no_row")

    def _apply_text(self, what: str, *rest: Any) -> None:
        if what == "key":
            scenario, name, kind, phase, tags = rest
            self._keys.append(Key(scenario, name, kind, phase, tuple((k, v) for k, v in tags)))
        elif what == "failure":
            self._failures.append(Failure(*rest))
        elif what == "amended":
            scenario, name, kind, phase, tags, start, end, before, error, message = rest
            key = Key(scenario, name, kind, phase, tuple((k, v) for k, v in tags))
            self._recorder.amend(key, start, end, before, Failure(error, message))
        elif what == "place":
            label, share = rest
            self._places.append((label, share))
        elif what == "note":
            self._wordings.append(*rest)
        elif what == "happened":
            self.has_records = True
            self._recorder.record_event(RunEvent(*rest))
        elif what == "share":
            share, taken, ended, rows = rest
            self._progress[share] = [taken, ended, rows]
        else:
            raise ValueError(f"no record is called {what!r}")


def _none_if_nan(number: float) -> float | None:
    return None if math.isnan(number) else number
