"""A worker: one engine process that sends what its master deals it, once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.cluster.journal.orphaned_windows import FAULTED
from chaperon.cluster.protocol.codec import OtherProtocol
from chaperon.cluster.protocol.messages import (
    BundleChunk,
    Bye,
    Lease,
    Message,
    Offer,
    Ping,
    Pong,
    Reject,
    State,
    Welcome,
)
from chaperon.cluster.transport.link import FAULTS, WorkerLink
from chaperon.cluster.worker.assignment import Assignment
from chaperon.cluster.worker.clock_offset import KEPT, ClockOffset
from chaperon.cluster.worker.join import DIAL, Furnish, Identity, Join, Joined
from chaperon.cluster.worker.supervisor import LEFT, ORPHANED, OVER, REFUSED
from chaperon.cluster.worker.window_sender import WindowSender
from chaperon.load.background import spawn_watched
from chaperon.report.redaction.redaction import Redactor

STANDSTILL = 1.8
"""Beats after which a standstill of this process may have cost it its shares: a master deals those
of a worker whose connection was closed after two."""


class Worker:
    """Joins a master, sends the shares it is dealt, leaves when all its windows are in.

    *run* blocks until then and returns the exit code; *told* is why, where there is a why. Its
    *journal* is kept in that folder. For a master to answer it waits *patience* seconds, or for
    ever. Without *fetching* the scenario is one of its own. What it says to the master holds no
    secret that *redact* knows, or that the environment has.
    """

    def __init__(
        self,
        link: WorkerLink,
        identity: Identity,
        furnish: Furnish,
        clock: Clock,
        *,
        journal: Path | None = None,
        fetching: bool = True,
        patience: float | None = None,
        tell: Callable[[str], None] = lambda text: None,
        redact: Redactor | None = None,
    ) -> None:
        self.told = ""
        self._redact = redact or Redactor()
        self._link = link
        self._identity = identity
        self._clock = clock
        self._tell = tell
        self._joining = Join(
            link, identity, furnish, clock, self._ready, fetching=fetching, patience=patience, tell=tell
        )
        self._timepiece = ClockOffset()
        self._dispatch = WindowSender(identity, link, clock, journal, tell)
        self._over = Event()
        self._code = OVER
        self._state: State = "loading"
        self._note = ""
        self._stop_run = ""
        self._fault = ""
        self._stint: Assignment | None = None
        self._last = False
        self._beat = DIAL
        self._order = ""
        self._said = -math.inf
        self._heard = self._alive = self._leased = clock.now()
        self._held_since: float | None = None
        self._backoff = 1.0
        self._asked_to_leave = 0

    def __repr__(self) -> str:
        return f"<Worker {self._identity.name}, {self._state}>"

    def run(self) -> int:
        """Do all that a worker does, blocking; return what its process exits with."""
        self._link.listen(self._hear, self._foreign, self._joining.refused, self._connection)
        ticking = spawn_watched("the heartbeat of a worker", self._tick_on, on_fault=self._crashed)
        try:
            self._over.wait()
        finally:
            ticking.kill()
            self._link.close()
            self._dispatch.close()
        return self._code

    def leave(self) -> None:
        """Give all shares back, then go; a second time: interrupt visits; a third time: go now."""
        self._asked_to_leave += 1
        stint = self._stint
        if stint is None or not stint.sends or self._asked_to_leave > 2:
            self._end(LEFT, "told to leave")
        elif self._asked_to_leave == 2:
            stint.stop()
        else:
            self._state, self._code, self.told = "leaving", LEFT, "told to leave"
            self._link.close_work()
            stint.hand_back()
            self._ping()

    # What is heard

    def _hear(self, message: Message) -> None:
        self._look()
        welcome = self._joining.welcome
        match message:
            case Pong():
                self._obey(message)
            case Offer(run=run, lease=lease):
                if welcome is not None and run == welcome.run and self._state in ("ready", "sending"):
                    self._ping(claims=(lease,))
            case Welcome():
                if self._joining.enter(message):
                    self._heard = self._leased = self._clock.now()
                    self._beat = message.silence / 10
                    self._dispatch.expect(message.run, beat=self._beat)
            case BundleChunk():
                self._joining.piece(message)
            case Reject(why=why):
                self._end(REFUSED, f"the master does not take this worker: {why}")
            case _:
                pass

    def _connection(self, stands: bool) -> None:
        """Pause as soon as the connection is closed: the master gives this worker's shares to others soon."""
        if stands:
            self._ping()
        elif self._joining.welcome is not None:
            self._hold(self._clock.now(), "the connection to the master was closed")

    def _foreign(self, exc: OtherProtocol) -> None:
        self._end(REFUSED, str(exc))

    def _ready(self, joined: Joined) -> None:
        if joined.hopeless:
            self._end(REFUSED, self._redact(joined.why))
            return
        if joined.plan is None or joined.shares is None:
            self._state, self._note = "failed", self._redact(joined.why)
        else:
            self._redact.add(joined.plan.secrets)
            self._stint = Assignment(
                joined.plan,
                joined.shares,
                self._dispatch,
                self._clock,
                worker=self._identity.name,
                engines=self._joining.welcome.workers if self._joining.welcome else 1,
                held=self._is_held,
                changed=self._ping,
                stop_run=self._stop,
                on_fault=self._faulted,
                ended=self._ended,
                redact=self._redact,
            )
            if self._state == "loading":
                self._state = "ready"
                self._link.open_work()
        self._alive = self._clock.now()  # importing took its time, and that is no standstill
        self._ping()

    def _obey(self, pong: Pong) -> None:
        welcome, now = self._joining.welcome, self._clock.now()
        if welcome is None:
            return
        if pong.run != welcome.run:
            self._abandon(ORPHANED, "the master has begun another run")
            return
        if pong.said < self._said:
            return
        self._said, self._heard, self._backoff = pong.said, now, 1.0
        self._leased = max(self._leased, pong.asked)
        if self._held_since is not None and pong.asked >= self._held_since:
            self._held_since = None
        self._timepiece.note(pong.asked, pong.heard, pong.said, now)
        self._dispatch.acknowledged(pong)
        if pong.order == "over":
            if not self._dispatch:
                self._link.send(Bye(self._identity.name, self._identity.incarnation))
                self._end(self._code, self.told)
            return
        if self._stint is not None:
            self._stint.hold(pong.leases)
            if pong.order == "run" and pong.began is not None and self._state == "ready":
                self._state = "sending"
                self._stint.begin(pong.began - self._timepiece.ahead)
            self._stint.change(pong.changes)
        if pong.order != self._order:
            self._order = pong.order
            if self._stint is not None and self._stint.sends:
                self._stint.follow(pong.order, pong.grace)
            elif pong.order in ("end", "stop", "kill"):
                self._ended()

    # What is done

    def _ended(self) -> None:
        if self._state != "leaving":
            self._state = "ended"
        self._last = True
        self._ping()

    def _stop(self, reason: str) -> None:
        self._stop_run = self._stop_run or self._redact(reason)
        self._ping()

    def _faulted(self, text: str) -> None:
        """Let the master hear of a fault of ours, for as long as it takes."""
        self._fault = self._fault or f"{self._redact(text)} (on {self._identity.name})"
        self._ping()

    def _crashed(self, text: str) -> None:
        """End, for no sign of life follows: the supervisor passes on what it was by the exit code."""
        try:
            self._faulted(text)
        finally:
            self._end(FAULTED, text)

    def _ping(self, claims: tuple[Lease, ...] = ()) -> None:
        welcome, mine = self._joining.welcome, self._identity
        if welcome is None:
            return
        going, done, returned = self._stint.standing if self._stint else ((), (), ())
        unheard = self._link.tally[FAULTS]
        fault = self._fault or (f"{unheard} {FAULTS} (on {mine.name})" if unheard else "")
        cut = self._stint.cut if self._stint else 0
        closing = self._stint.closing if self._stint and self._last else None
        ping = Ping(
            mine.name,
            mine.incarnation,
            welcome.run,
            self._state,
            self._clock.now(),
            self._note,
            claims,
            going,
            done,
            returned,
            cut,
            self._last,
            self._stop_run,
            fault,
            closing,
        )
        self._link.send(ping)

    # What time brings

    def _tick_on(self) -> None:
        while True:
            self._tick()
            settled = self._timepiece.exchanges >= KEPT
            self._clock.sleep(self._beat / (2 if settled else 10))

    def _tick(self) -> None:
        now = self._look()
        self._joining.tick()
        welcome = self._joining.welcome
        if welcome is None:
            return
        silent = now - self._heard
        if self._state == "leaving" and silent > welcome.silence:  # it has given us up: no need to wait for it
            self._abandon(LEFT, f"told to leave; no word from the master for {silent:.0f} s")
        elif silent > welcome.dead_man:
            self._abandon(ORPHANED, f"no word from the master for {silent:.0f} s: nothing more is sent")
        elif silent > 5 * self._beat * self._backoff:
            self._backoff *= 2
            self._link.reconnect()
            self._dispatch.hurry()
        self._ping()
        self._dispatch.flush()

    def _look(self) -> float:
        """Note that this process goes on, and could not hear its master for as long as it did not; return now."""
        now = self._clock.now()
        self._is_held()
        gap = now - self._alive
        if gap > self._beat:
            self._heard += gap
            self._joining.stood_still(gap)
        self._alive = now
        return now

    def _is_held(self) -> bool:
        """Return whether to start nothing until the master has answered again: it may have given us up.

        A lease ends on its holder's side first: one beat before the master, counting from when we
        asked what it answered last, so that no share is sent twice (Gray and Cheriton, Leases, 1989).
        """
        welcome = self._joining.welcome
        if welcome is not None and self._held_since is None:
            now = self._clock.now()
            if now - self._alive > STANDSTILL * self._beat:
                self._hold(now, f"this process stood still for {now - self._alive:.1f} s")
            elif now - self._leased > welcome.silence - self._beat:
                self._hold(now, f"no word from the master for {now - self._leased:.1f} s")
        return self._held_since is not None

    def _hold(self, now: float, why: str) -> None:
        """Start nothing until the master has answered what is asked from *now* on."""
        if self._held_since is None and self._state == "sending":
            self._tell(f"worker {self._identity.name}: {why}: it pauses until the master answers")
        self._held_since = now

    def _abandon(self, code: int, told: str) -> None:
        """Send nothing more, for nobody wants it: what is due from now on is not this worker's to drop."""
        if self._stint is not None:
            self._stint.hand_back(at_once=True)
        self._end(code, told)

    def _end(self, code: int, told: str) -> None:
        if not self._over.is_set():
            self._code, self.told = code, told
            self._over.set()
