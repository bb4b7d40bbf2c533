"""The workers as their master knows them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import field
from itertools import chain, count

from chaperon._version import VERSION
from chaperon.cluster.master.progress import ShareProgressLog
from chaperon.cluster.master.quotas import WorkerId
from chaperon.cluster.master.windows import WindowSequencer
from chaperon.cluster.protocol.messages import Hello, Ping, State
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.closing import Closing
from chaperon.measure.quantity import count_text

SUSPECT_AFTER = 0.3
"""Part of the worker timeout after which a silent worker is offered no further shares."""

RECONNECT_WITHIN = 0.2
"""Part of the worker timeout, two heartbeats, within which a worker whose connection was closed must reconnect."""

LAST_WINDOWS_WITHIN = 0.1
"""Part of the worker timeout, one heartbeat, within which the last windows of a dead engine must arrive."""


MAX_WORKERS = 10_000
"""Maximum number of incarnations of workers in one run."""

MAX_NAME = 200
"""Maximum length of a worker's name, host and versions, in characters."""


@lazy_dataclass(slots=True)
class WorkerRecord:
    """One incarnation of a worker; *title* is its name, with a number from its second incarnation on, and unique.

    *last_word_at* is the time of its last message, *last_heard_at* the same, extended by pauses of the master since.
    *connection* is the ZeroMQ routing id of the connection by which its newest ping came, *pinged_at* when that was
    sent, by its clock. *disconnected_at* is when this connection was closed, None while it is open. A worker is *lost*
    when it was given up, *left* when it ended in order. After its death its last windows may arrive until
    *windows_until*; *all_windows_known* says that *cut* is then the number of the last one. *progress_log* is what it
    reported of its shares, *lost_shares* are the shares taken from it, with the visits begun and the rows taken in
    each, *loss_notes* the notes on their loads, *closing* came with its last window.
    It has *joined* the run when its windows are waited for.
    """

    hello: Hello
    title: str
    last_heard_at: float
    connection: bytes = b""
    pinged_at: float = -math.inf
    disconnected_at: float | None = None
    state: State = "loading"
    note: str = ""
    windows: WindowSequencer = field(default_factory=WindowSequencer)
    cut: int = 0
    over: bool = False
    lost: bool = False
    left: bool = False
    windows_until: float | None = None
    all_windows_known: bool = False
    progress_log: ShareProgressLog = field(default_factory=ShareProgressLog)
    loss_notes: set[str] = field(default_factory=set)
    closing: Closing | None = None
    joined: bool = False
    last_word_at: float = -math.inf
    lost_shares: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def peer(self) -> WorkerId:
        """Its name with its incarnation."""
        return self.hello.worker, self.hello.incarnation

    @property
    def present(self) -> bool:
        """Whether it is neither lost nor gone."""
        return not (self.lost or self.left)

    @property
    def complete(self) -> bool:
        """Whether everything it will send has arrived."""
        return self.lost or self.left or (self.over and self.windows.acked >= self.cut)

    @property
    def all_windows_in(self) -> bool:
        """Whether every window it cut has arrived; false if their number is unknown."""
        return (self.over or self.all_windows_known) and self.windows.acked >= self.cut

    def why_lost(self, began: float) -> str:
        """Return the reason for which it is given up, with its moment in seconds since *began*."""
        if self.windows_until is not None:
            return "its process ended"
        if self.disconnected_at is not None:
            return f"its connection was closed at {max(self.disconnected_at - began, 0.0):.1f} s, and it has no other"
        return f"silent since {max(self.last_heard_at - began, 0.0):.1f} s"

    def record_ping(self, ping: Ping, now: float, second: int, connection: bytes = b"") -> None:
        """Record its state, received in a *second* of the run by a *connection*."""
        if ping.sent_at >= self.pinged_at:  # else it waited in a connection that was closed since
            self.pinged_at, self.connection = ping.sent_at, connection
        if not self.lost:  # what it did after its last word is estimated from when that was
            self.last_heard_at, self.last_word_at, self.disconnected_at = now, now, None
        self.state, self.note = ping.state, ping.note
        self.cut, self.over = max(self.cut, ping.cut), self.over or ping.over
        self.closing = ping.closing or self.closing
        self.progress_log.record(chain(ping.leases, ping.done, ping.returned), second, self.windows.progress)


class WorkerRegistry:
    """Admits workers; of one name, one incarnation at a time."""

    def __init__(self, worker_timeout: float) -> None:
        self._worker_timeout = worker_timeout
        self._workers: dict[WorkerId, WorkerRecord] = {}
        self._by_name: defaultdict[str, list[WorkerRecord]] = defaultdict(list)
        self._titles: set[str] = set()
        self._contested: dict[WorkerId, float] = {}

    def __repr__(self) -> str:
        return f"<WorkerRegistry of {', '.join(worker.title for worker in self.present) or 'no workers'}>"

    def __iter__(self) -> Iterator[WorkerRecord]:
        return iter(list(self._workers.values()))

    def __getitem__(self, peer: WorkerId) -> WorkerRecord | None:
        return self._workers.get(peer)

    @property
    def present(self) -> list[WorkerRecord]:
        """The workers that are neither lost nor gone."""
        return [worker for worker in self._workers.values() if not (worker.lost or worker.left)]

    @property
    def ready(self) -> list[WorkerRecord]:
        """The workers that can perform shares, or do."""
        return [
            worker for worker in self.present if worker.state in ("ready", "sending") and worker.windows_until is None
        ]

    def eligible(self, now: float) -> list[WorkerRecord]:
        """Return the workers that may get shares: ready, connected, with a recent ping."""
        return [
            worker
            for worker in self.ready
            if worker.disconnected_at is None and now - worker.last_heard_at < SUSPECT_AFTER * self._worker_timeout
        ]

    def expired(self, now: float) -> list[WorkerRecord]:
        """Return the workers to give up.

        They have sent nothing for the worker timeout, or had no connection for two heartbeats, or
        are dead and all their windows have arrived or are overdue.
        """
        return [
            worker
            for worker in self.present
            if now - worker.last_heard_at > self._worker_timeout
            or (
                worker.disconnected_at is not None
                and now - worker.disconnected_at > RECONNECT_WITHIN * self._worker_timeout
            )
            or (
                worker.windows_until is not None and (now >= worker.windows_until or worker.windows.acked >= worker.cut)
            )
        ]

    def record_disconnect(self, peer: bytes, now: float) -> None:
        """Record that a connection was closed; *peer* is its ZeroMQ routing id.

        A worker that has another connection meanwhile is not disconnected.
        """
        for worker in self.present:
            if worker.disconnected_at is None and worker.connection == peer:
                worker.disconnected_at = now

    def extend_deadlines(self, gap: float) -> None:
        """Extend all deadlines of workers by *gap* seconds, in which the master received nothing."""
        for worker in self.present:
            worker.last_heard_at += gap
            worker.disconnected_at = None if worker.disconnected_at is None else worker.disconnected_at + gap
            worker.windows_until = None if worker.windows_until is None else worker.windows_until + gap
        self._contested = {peer: since + gap for peer, since in self._contested.items()}

    def admit(self, hello: Hello, now: float) -> WorkerRecord | str | None:
        """Return the record of an admitted worker, the reason for a refusal, or None: its name may be in use."""
        peer = hello.worker, hello.incarnation
        known = self._workers.get(peer)
        if known is not None:
            return known
        why = self._rejection(hello)
        if why:
            return why
        if len(self._workers) >= MAX_WORKERS or len(self._contested) >= MAX_WORKERS:
            return f"this master has had {MAX_WORKERS:,} workers, which is the maximum"
        for other in self._by_name[hello.worker]:
            if not other.present:
                continue
            since = self._contested.setdefault(peer, now)
            if other.last_heard_at > since:
                return f"a worker named {hello.worker!r} is here already: give one of them another --name"
            if (
                other.windows_until is None
                and other.disconnected_at is None
                and now - other.last_heard_at < SUSPECT_AFTER * self._worker_timeout
            ):
                return None
        worker = self._workers[peer] = WorkerRecord(hello, self._title(hello.worker), now)
        self._by_name[hello.worker].append(worker)
        return worker

    def _title(self, name: str) -> str:
        """Return *name*, with the number of its incarnation from the second on; no two workers have the same title."""
        earlier = len(self._by_name[name])
        numbers = count(max(earlier, 1) + 1)
        title = f"{name}#{next(numbers)}" if earlier else name
        while title in self._titles:
            title = f"{name}#{next(numbers)}"
        self._titles.add(title)
        return title

    @staticmethod
    def _rejection(hello: Hello) -> str | None:
        for what, said in (
            ("name", hello.worker),
            ("host", hello.host),
            ("Chaperon", hello.chaperon),
            ("Python", hello.python),
        ):
            if len(said) > MAX_NAME:
                return f"its {what} has {count_text(len(said), 'character')}, {MAX_NAME} are the most"
        if hello.chaperon.split(".")[:2] != VERSION.split(".")[:2]:
            return f"it is Chaperon {hello.chaperon}, the master {VERSION}: install the same on both"
        if not 0.0 < hello.capacity < float("inf"):
            return f"its capacity is {hello.capacity:g}: it must be more than nothing"
        return None
