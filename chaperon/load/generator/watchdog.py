"""Watchdog: a native thread that detects a blocked hub and the line that blocks it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chaperon.author_frames import author_frames, blocking_line, stack_text
from chaperon.clock import apart, cpu
from chaperon.load.generator.evidence import HALF, Counters, Read, Spent, cause
from chaperon.measure.window import RunEvent

EVERY = 0.04
BLOCKED = 0.1
"""Shortest stop of the hub or of the watching thread, in seconds, that is reported."""
MOST = 20


class _Stop(NamedTuple):
    """A possible blocking call: a frame of the scenario that has been running since a moment.

    A frame is known by its address, which the next call may have as well: it is the same only while the loop makes no
    turn (*turns*). *elsewhere* are the seconds since then in which the process was not run, which is reported apart.
    """

    frame: int
    turns: int
    since: float
    where: str
    elsewhere: float = 0.0


class BlockingWatchdog:
    """Detects stops of the hub from a native thread, and tells their causes apart.

    The hub calls `beat` in every tick. If it does not, or if the watching thread itself is late,
    the kernel's counters show whether the process was throttled, had no core, or lost it to
    another machine, and *gc* (seconds so far) whether garbage was collected. Otherwise, a watching
    thread that is on time reads the frame that blocks the hub (`sys._current_frames`); one that
    is late while the hub's thread ran could not get the interpreter lock. In all other cases the
    cause is unknown. *turns* returns how many turns the event loop has made. Moments of events are
    seconds from *began*. *read* replaces the file system in tests.
    """

    def __init__(
        self,
        now: Callable[[], float],
        began: float,
        *,
        gc: Callable[[], float] = lambda: 0.0,
        turns: Callable[[], int] = lambda: 0,
        read: Read | None = None,
    ) -> None:
        self._now = now
        self._began = began
        self._gc = gc
        self._turns = turns
        self._counters = Counters(apart.native(), read)
        self._base = Spent()
        self._elsewhere = 0.0  # since the last beat, as in `_Stop`
        self._hub = apart.current()
        self._beat = now()
        self._over = False
        self.fault: BaseException | None = None
        self._seen: deque[RunEvent] = deque(maxlen=MOST)
        self._stop: _Stop | None = None

    def __repr__(self) -> str:
        return f"<BlockingWatchdog of thread {self._hub}>"

    def start(self) -> None:
        """Start the thread that watches the hub of the thread that created this object."""
        self._beat = self._now()
        apart.start(self._watch_or_fail)

    def stop(self) -> None:
        """Stop the watching thread at its next check; report a call that still blocks the hub. Returns at once."""
        self._over = True
        stop, self._stop = self._stop, None
        if stop is not None and (took := self._now() - stop.since - stop.elsewhere) > BLOCKED:
            self._add_event(
                stop.since, "blocked", f"a call blocked every other visit to the end, at {stop.where}", took
            )

    def beat(self) -> None:
        """Report that the hub runs. Raises the exception that ended the watching thread, if any."""
        if self.fault is not None:
            raise self.fault
        self._beat = self._now()

    def seen(self) -> Iterator[RunEvent]:
        """Yield and remove the events detected since the last call."""
        while self._seen:
            yield self._seen.popleft()

    def _watch_or_fail(self) -> None:
        """Watch, and keep an exception for `beat` to raise in the hub: nothing else reports the end of the thread."""
        try:
            self._watch()
        except BaseException as exc:
            self.fault = exc

    def _watch(self) -> None:
        now, doze = self._now, apart.doze
        last, before = now(), self._spent()
        self._base = before
        while not self._over:
            doze(EVERY)
            at = now()
            missed = at - last - EVERY
            # first of all: reading the counters gives the interpreter lock back, and the hub runs on
            line = self._line() if missed > BLOCKED else ""
            here = self._spent()
            if missed > BLOCKED:
                self._missed(last, missed, here.since(before), line)
            if at - self._beat > BLOCKED:
                self._look(at, here)
            else:
                self._relieved(at, here)
                self._base, self._elsewhere = here, 0.0  # the counters of the next stop are compared with these
            last, before = at, here

    def _spent(self) -> Spent:
        return self._counters.spent(cpu=cpu(), gc=self._gc(), own=apart.native())

    def _missed(self, last: float, missed: float, spent: Spent, line: str) -> None:
        """Report a time in which this thread should have run and did not; *line* is what the hub ran at its end.

        A call that blocks the hub meanwhile goes on after it, and is not charged with that time, unless other processes
        had the cores: the call ran whenever this process did.
        """
        found = cause(spent, missed)
        if found is None or found[0] != "starved":
            self._base = self._base.plus(spent)
            self._elsewhere += missed
            if self._stop is not None:
                self._stop = self._stop._replace(elsewhere=self._stop.elsewhere + missed)
        if found is not None:
            self._add_event(last, found[0], f"the process was not run: {found[1]}", missed)
        elif spent.cpu + spent.queued >= HALF * missed:
            self._add_event(last, "held", f"a call kept the interpreter lock, at or just before {line}", missed)
        else:
            self._add_event(last, "paused", "the process was not run, cause unknown: it may have been paused", missed)

    def _look(self, at: float, here: Spent) -> None:
        frame = sys._current_frames().get(self._hub)
        if frame is None:
            return
        own = author_frames(frame)
        top, turns = id(own[-1]) if own else None, self._turns()  # the step itself: the frames it calls change
        if self._stop is None or (self._stop.frame, self._stop.turns) != (top, turns):
            self._relieved(at, here)
            self._stop = None if top is None else _Stop(top, turns, at, stack_text(own))

    def _relieved(self, at: float, here: Spent) -> None:
        """Report the frame that blocked the hub until now, or the cause that kept the process from running."""
        stop, self._stop = self._stop, None
        if stop is not None and at - stop.since - stop.elsewhere > BLOCKED:
            since, elsewhere = stop.since - BLOCKED, stop.elsewhere
            if at - self._beat > BLOCKED:
                since, elsewhere = min(self._beat, stop.since), self._elsewhere
            spent, took = here.since(self._base), at - since - elsewhere
            found = cause(spent, took)
            if found is not None and found[0] != "starved":
                self._add_event(since, found[0], f"the process was not run: {found[1]}", took)
            else:  # the same call ran all the time; having less of a core only made it longer
                self._add_event(since, "blocked", f"a call blocked every other visit, at {stop.where}", took)

    def _line(self) -> str:
        frame = sys._current_frames().get(self._hub)
        return blocking_line(frame) if frame is not None else "no line that could be seen"

    def _add_event(self, at: float, kind: str, text: str, took: float) -> None:
        self._seen.append(RunEvent(round(at - self._began, 3), kind, text, round(took, 3)))
