"""Sends the windows of a worker until the master has acknowledged them (transactional outbox)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chaperon.clock import Clock
from chaperon.cluster.journal.journal import Journal
from chaperon.cluster.journal.journal_file import JournalHeader
from chaperon.cluster.journal.journal_texts import JournalTexts
from chaperon.cluster.protocol.messages import Lease, Pong, WindowFrame
from chaperon.cluster.transport.link import WorkerLink
from chaperon.cluster.transport.outbox import MAX_BYTES, Outbox
from chaperon.cluster.worker.join import Identity
from chaperon.cluster.worker.window_size import pack_to_fit
from chaperon.errors import JournalError
from chaperon.measure.window import Window

NO_ROOM = f"windows beyond {MAX_BYTES:,} bytes that the master has not acknowledged: their contents are lost"
UNPACKED = "windows that could not be packed: their contents are lost"


class WindowSender:
    """Packs each window, seals it in the journal, sends it until it is acknowledged.

    The journal is kept in *folder*. If none can be made, *notify* is called and windows are sent without it.
    """

    def __init__(
        self, identity: Identity, link: WorkerLink, clock: Clock, folder: Path | None, notify: Callable[[str], None]
    ) -> None:
        self._identity = identity
        self._link = link
        self._clock = clock
        self._folder = folder
        self._notify = notify
        self._outbox = Outbox()
        self._journal: Journal | None = None
        self._run = 0
        self._began = 0.0
        self._dropped = 0

    def __repr__(self) -> str:
        return f"<WindowSender of {self._identity.name}: {self._outbox}>"

    def __bool__(self) -> bool:
        return len(self._outbox) > 0

    def start_run(self, run: int, *, heartbeat_interval: float) -> None:
        """Start with an empty outbox for a run; *heartbeat_interval* is in seconds."""
        self._run, self._outbox = run, Outbox(heartbeat_interval=heartbeat_interval)

    def open_journal(self, began: float, texts: JournalTexts, second: int) -> Journal | None:
        """Return the journal of a run that begins at *began*, from a second of it on, or None; see `Journal`."""
        self._began = began
        if self._folder is None:
            return None
        mine = self._identity
        header = JournalHeader(mine.name, mine.incarnation, self._run, began, second)
        try:
            self._journal = Journal(self._folder, header, texts=texts)
        except JournalError as exc:
            self._notify(f"worker {mine.name}: {exc}: if the process is killed, its last second is lost")
        return self._journal

    def note_share_start(self, lease: Lease) -> None:
        """Record the progress of a share that was leased."""
        if self._journal is not None:
            self._journal.note_share_start(lease.share, lease.start, lease.rows)

    def send(self, window: Window) -> None:
        """Send a window that was just cut: the sink of a worker. An exception is a fault of Chaperon's own."""
        try:
            body = pack_to_fit(window, began=self._began)
        except BaseException:  # an empty window has its number, so that the master does not wait for it
            self._outbox.put(window.seq, self._pack_empty(window, UNPACKED))
            raise
        if not self._outbox.has_room(len(body)):
            body = self._pack_empty(window, NO_ROOM)
            if not self._dropped:
                self._notify(f"worker {self._identity.name}: {NO_ROOM}")
            self._dropped += 1
        try:
            if self._journal is not None:
                self._journal.seal(window, self._written(self._journal.texts, window, body))
        finally:
            self._outbox.put(window.seq, body)
        self.flush()

    def _written(self, texts: JournalTexts, window: Window, body: bytes) -> bytes:
        """Return what the journal keeps of a window: *body*, the window as it is sent, unless a name holds a secret."""
        written = texts.window(window)
        return body if written is window else pack_to_fit(written, began=self._began)

    def _pack_empty(self, window: Window, note: str) -> bytes:
        """Return a window of the same number with nothing but a note."""
        return pack_to_fit(Window(window.worker, window.seq, window.at, notes={note: 1}), began=self._began)

    def flush(self) -> None:
        """Send the windows that are due."""
        self._outbox.flush(self._clock.now(), self._send_window)

    def acknowledge(self, pong: Pong) -> None:
        """Drop the windows that the master has acknowledged."""
        self._outbox.acknowledge(pong.acked, pong.ahead)
        if self._journal is not None:
            self._journal.acknowledge(pong.acked)

    def resend_all(self) -> None:
        """Send all windows again, over new sockets."""
        self._outbox.resend_all()

    def close(self) -> None:
        """Close the journal; its folder stays if it has records that are not acknowledged."""
        if self._journal is not None:
            self._journal.close()

    def _send_window(self, seq: int, body: bytes) -> bool:
        return self._link.send_window(
            WindowFrame(self._identity.name, self._identity.incarnation, self._run, seq, body)
        )
