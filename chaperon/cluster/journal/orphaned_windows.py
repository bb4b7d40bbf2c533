"""Sends the windows in the journal of a dead engine to the master."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.journal.journal_file import JournalHeader
from chaperon.cluster.journal.journal_texts import HiddenNames
from chaperon.cluster.journal.recovery import Recovered, recover
from chaperon.cluster.protocol.messages import WindowFrame, WindowsReceived, WorkerDied
from chaperon.cluster.transport.link import WorkerLink
from chaperon.cluster.transport.outbox import Outbox
from chaperon.cluster.transport.pause_detector import PauseDetector
from chaperon.cluster.worker.window_size import pack_to_fit
from chaperon.measure.encoding.window_codec import unpack_window

EXIT_FAULT = 70
"""Exit code of an engine that ends by a fault of Chaperon's own, which the master may not know yet."""
RESEND_INTERVAL = 0.3
GIVE_UP_AFTER = 15.0
"""Seconds after the master's first answer after which windows it has not accepted are dropped."""


class OrphanedWindows:
    """Reports an engine's death to the master and sends the windows that the engine had not delivered.

    They have the engine's own name, incarnation and numbers, so that none counts twice. *folder* is
    its journal, None without one, *names* the names that it hides; *journal_found* says whether it exists. *fault* is
    the reason why it cannot be sent, or the fault of Chaperon's own that ended the engine: it is reported to the
    master, whose run is INVALID.
    """

    def __init__(
        self,
        name: str,
        incarnation: int,
        code: int,
        folder: Path | None,
        link: WorkerLink,
        clock: Clock,
        names: HiddenNames | None = None,
    ) -> None:
        self.fault = f"{name} ended by a fault of Chaperon's own" if code == EXIT_FAULT else ""
        self._death = WorkerDied(name, incarnation, code, fault=self.fault)
        self._folder = folder
        self._link = link
        self._clock = clock
        self._outbox = Outbox()
        self._run = 0
        self.journal_found = False
        self._answered_at: float | None = None
        self._wake = Event()
        self._names = HiddenNames() if names is None else names
        if folder is not None:
            self._recover(folder)

    def __repr__(self) -> str:
        return f"<OrphanedWindows of {self._death.worker}: {self._outbox}>"

    def __bool__(self) -> bool:
        return self._outbox.unacknowledged > 0

    def acknowledge(self, message: WindowsReceived) -> None:
        """Drop the windows that the master has."""
        if self._answered_at is None:
            self._answered_at = self._clock.now()
        self._outbox.acknowledge(message.upto, message.ahead)
        self._wake.set()

    def send_all(self) -> None:
        """Repeat the report and the windows until the master has all of them, then delete the journal. Blocks."""
        pause_detector = PauseDetector(self._clock, 2 * RESEND_INTERVAL)
        while not self._finished():
            self._link.send(self._death)
            self._outbox.flush(self._clock.now(), self._send)
            self._wake.clear()
            call = self._clock.after(RESEND_INTERVAL, self._wake.set)
            self._wake.wait()
            call.cancel()
            gap = pause_detector.check()
            if self._answered_at is not None:
                self._answered_at += gap
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _recover(self, folder: Path) -> None:
        """Read the journal, if there is one: an engine that died before it had recorded anything has none."""
        if not (folder / "open").exists():
            return
        try:
            self._load(recover(folder))
        except Exception as exc:  # any fault: the master must know that data is missing
            self.fault = f"what {self._death.worker} left cannot be sent: {type(exc).__name__}: {exc}"
            self._death = replace(self._death, fault=self.fault)

    def _load(self, found: Recovered) -> None:
        header = found.header
        self.journal_found, self._run = True, header.run
        self._death = WorkerDied(header.worker, header.incarnation, self._death.code, found.cut, self.fault)
        for seq, body in found.sealed:
            self._outbox.put(seq, self._restored(body, header))
        for window in found.unsealed:
            self._outbox.put(window.seq, pack_to_fit(self._names.restore(window), began=header.began))

    def _restored(self, body: bytes, header: JournalHeader) -> bytes:
        """Return a sealed window with the names that the journal hides."""
        window = unpack_window(body, header.worker, began=header.began)
        restored = self._names.restore(window)
        return body if restored is window else pack_to_fit(restored, began=header.began)

    def _finished(self) -> bool:
        if self._answered_at is None:
            return False
        return not self or self._clock.now() - self._answered_at > GIVE_UP_AFTER

    def _send(self, seq: int, body: bytes) -> bool:
        return self._link.send_window(WindowFrame(self._death.worker, self._death.incarnation, self._run, seq, body))
