"""What was recorded since the last window was cut, in a file that is mapped into memory.

A fact counts from the moment one aligned word at the front, the number of the window with the
end of its facts, covers it: a single store, so that whatever moment the process is killed in, a
fact is there whole or not at all. A later word for another window takes all facts back at once.
Keys, failures, places, wordings are explained once a window, before the first fact that names them.
Byte order and alignment are the machine's own, for the file never leaves it.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from chaperon.errors import JournalError
from chaperon.measure.plain_text import WORDS
from chaperon.measure.recorder import VisitOutcome
from chaperon.measure.sample import Failure, Key
from chaperon.measure.window import RunEvent

MAGIC = b"CHAPJRN2"
SIZE = 4 << 20
"""Bytes there are at first: room for 170,000 samples of the plain kind."""
MOST = 64 << 20
"""Bytes there may be; what comes beyond is not kept, and counted."""
WORDINGS = 1_000
"""Failures kept with their own words in one window; later ones keep their class alone."""

FRONT = 4096
"""Where the facts begin; before them stands whose they are."""
COMMIT, MISSED = 1, 2
IDENTITY = struct.Struct("=II")
IDENTITY_AT = 24

PLAIN, WHOLE, ACCOUNT, DEALT, NOTE, TEXT = 1, 2, 3, 4, 5, 6
KIND_BITS = 3
HEAD = struct.Struct("=II")
LAYOUTS = {
    PLAIN: struct.Struct("=IIdd"),  # key, bytes, start, end
    WHOLE: struct.Struct("=IIddddq"),  # key, failure, start, end, due, value, bytes
    ACCOUNT: struct.Struct("=IIdd"),  # place, fate, due, waited
    DEALT: HEAD,  # place, rows
    NOTE: HEAD,  # words
}
FATES: tuple[VisitOutcome, ...] = get_args(VisitOutcome)
_FATE = {fate: place for place, fate in enumerate(FATES)}
_UNKNOWN = float("nan")

_pack_plain = LAYOUTS[PLAIN].pack_into


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """Whose journal it is.

    *began* is the recorder's, on the clock of this machine, *second* the one of its first window.
    """

    worker: str
    incarnation: int
    run: int
    began: float
    second: int = 0


class JournalFile:
    """Writes them; *size* bytes at first, *most* in the end. Raises OSError where *size* cannot be had.

    Later nothing raises: what there was no room for is counted, and a report says so should it
    ever be missed.
    """

    __slots__ = (
        "_base",
        "_end",
        "_failures",
        "_fd",
        "_keys",
        "_last",
        "_map",
        "_most",
        "_places",
        "_wordings",
        "_words",
        "any",
    )

    def __init__(self, path: Path, owner: JournalHeader, *, size: int = SIZE, most: int = MOST) -> None:
        self.any = False
        self._most = most
        self._end = FRONT
        self._keys: dict[Key, int] = {}
        self._failures: dict[Failure, int] = {}
        self._places: dict[tuple[str, str], int] = {}
        self._wordings: dict[str, int] = {}
        front = json.dumps(asdict(owner)).encode()
        if len(front) > FRONT - IDENTITY_AT - IDENTITY.size:
            raise JournalError(f"the name of a worker is too long to keep: {owner.worker[:60]!r}")
        fresh = path.with_suffix(".new")
        self._fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        _fill(self._fd, 0, FRONT + size)
        os.pwrite(self._fd, IDENTITY.pack(len(front), zlib.crc32(front)) + front, IDENTITY_AT)
        os.pwrite(self._fd, MAGIC, 0)
        self._mapped(FRONT + size)
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
        """Keep the fields of one sample: about 0.4 microseconds."""
        word = self._keys.get(key)
        at = self._end
        if word is None or at > self._last or failure is not None or due is not None or value is not None:
            self._whole(key, start, end, failure, bytes, due, value)
            return
        try:
            _pack_plain(self._map, at, word, bytes, start, end)
        except struct.error:  # more bytes than the plain kind has room for
            self._whole(key, start, end, failure, bytes, due, value)
            return
        self._end = at = at + 24
        self._words[COMMIT] = self._base + at

    def count_visit(self, label: str, due: float, fate: VisitOutcome, waited: float = 0.0, share: str = "") -> None:
        """Keep what became of a visit."""
        place = self._places.get((label, share)) or self._define(self._places, (label, share), "place", label, share)
        if place:
            self._append(ACCOUNT, place, _FATE[fate], due, waited)

    def record_rows(self, share: str, rows: int) -> None:
        """Keep how many unique rows of a share have been given out."""
        place = self._places.get(("", share)) or self._define(self._places, ("", share), "place", "", share)
        if place:
            self._append(DEALT, place, rows)

    def count_note(self, what: str) -> None:
        """Keep that something is to be counted."""
        words = self._wordings.get(what) or self._define(self._wordings, what, "note", what)
        if words:
            self._append(NOTE, words, 0)

    def record_event(self, what: RunEvent) -> None:
        """Keep what happened."""
        self.any |= self._text("happened", what.at, what.kind, what.text, what.took)

    def note_share_start(self, share: str, taken: int, ended: int, rows: int) -> None:
        """Keep where a share stands; accounts that name it count on from there."""
        self._text("share", share, taken, ended, rows)

    def start_window(self, seq: int) -> None:
        """Begin the facts of window *seq* in place of those of the last."""
        for table in (self._keys, self._failures, self._places, self._wordings):
            table.clear()
        self._base, self._end, self.any = seq << 32, FRONT, False
        self._words[MISSED] = 0
        self._words[COMMIT] = self._base + FRONT

    def close(self) -> None:
        """Keep nothing more, and let go of the file."""
        if self._fd >= 0:
            self._unmapped()
            os.close(self._fd)
            self._fd = self._last = -1

    def _whole(
        self,
        key: Key,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        """Keep a sample of whatever kind, its key with its failure explained first if they are new."""
        word = self._keys.get(key) or self._define(self._keys, key, "key", *key)
        why = 0 if failure is None else self._failure(failure)
        if word and why is not None:
            rest = (_UNKNOWN if due is None else due, _UNKNOWN if value is None else value)
            self._append(WHOLE, word, why >> KIND_BITS, start, end, *rest, bytes)

    def _failure(self, failure: Failure) -> int | None:
        known = self._failures.get(failure)
        if known is None and len(self._failures) >= WORDINGS:
            failure = failure._replace(message="")
            known = self._failures.get(failure)
        error, message, *rest = failure
        return known or self._define(self._failures, failure, "failure", error, message[:WORDS], *rest)

    def _define(self, table: dict[Any, int], what: Hashable, *text: object) -> int | None:
        """Explain what a number stands for until the next turn; return None where there is no room."""
        if not self._text(*text):
            return None
        word = table[what] = (len(table) + 1) << KIND_BITS | PLAIN
        return word

    def _append(self, kind: int, word: int, *rest: float) -> None:
        layout = LAYOUTS[kind]
        if not self._room(layout.size):
            return
        try:
            layout.pack_into(self._map, self._end, word - PLAIN + kind, *rest)
        except (struct.error, OverflowError):  # a number that no file has room for
            self._words[MISSED] += 1
            return
        self._commit(layout.size)
        self.any = True

    def _text(self, *text: object) -> bool:
        raw = json.dumps(text).encode()
        size = HEAD.size + len(raw)
        if not self._room(size):
            return False
        HEAD.pack_into(self._map, self._end, TEXT, len(raw))
        self._map[self._end + HEAD.size : self._end + size] = raw
        self._commit(size)
        return True

    def _commit(self, size: int) -> None:
        self._end += size
        self._words[COMMIT] = self._base + self._end

    def _room(self, size: int) -> bool:
        """Return whether so many bytes are to be had; what there is no room for is counted."""
        while self._fd >= 0 and self._end + size > len(self._map):
            if not self._grown():
                self._words[MISSED] += 1
                return False
        return self._fd >= 0

    def _grown(self) -> bool:
        size = len(self._map)
        if size >= FRONT + self._most:
            return False
        larger = min(2 * size, FRONT + self._most)
        try:
            _fill(self._fd, size, larger)
        except OSError:
            self._most = 0  # the disk is full: not to be tried again at every sample
            return False
        self._unmapped()
        self._mapped(larger)
        return True

    def _mapped(self, size: int) -> None:
        self._map = mmap.mmap(self._fd, size)
        self._words = memoryview(self._map)[:FRONT].cast("Q")
        self._last = size - LAYOUTS[PLAIN].size

    def _unmapped(self) -> None:
        self._words.release()
        self._map.close()


def _fill(fd: int, start: int, end: int) -> None:
    """Make room for real: a hole in a mapped file is a SIGBUS when the disk is full."""
    os.lseek(fd, start, os.SEEK_SET)
    write_all(fd, bytes(end - start))


def write_all(fd: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
