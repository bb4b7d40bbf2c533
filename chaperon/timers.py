"""Timers of a gevent hub with the resolution of the kernel's high-resolution clock. Moments are in seconds."""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from typing import Any

from chaperon import alarms

STALE = 1_000
"""The heap is rebuilt without cancelled calls if it holds more entries than this and over half are cancelled."""

CALLS_PER_ITERATION = 100
"""Maximum number of due calls made in one iteration of the event loop: between two such groups responses are read."""

LEAD = 300e-6
"""Upper bound, in seconds, of how early an alarm is set."""
STEP = 4e-6
"""Seconds by which the lead changes after each ring of the alarm."""
SPINNING = 0.01
"""Largest share of the run time, 0 to 1, that may be spent in busy-waiting."""


class Call:
    """A scheduled call. *deed* is None after the call was made or cancelled; a *sharp* call may be busy-waited for."""

    __slots__ = ("_timers", "deed", "sharp")

    def __init__(self, timers: Timers, deed: Callable[[], object], sharp: bool) -> None:
        self._timers = timers
        self.deed: Callable[[], object] | None = deed
        self.sharp = sharp

    def cancel(self) -> None:
        """Prevent the call. Does nothing if it was already made or cancelled."""
        if self.deed is not None:
            self.deed = None
            self._timers.cancelled()


class Timers:
    """The scheduled calls of one hub, a heap ordered by due time (readings of *now*, in seconds).

    libev waits in epoll for whole milliseconds, rounded up, so a gevent timer fires up to
    1.2 ms late on an idle machine. Here one *alarm* wakes the hub for the earliest call: on
    Linux a timerfd (timerfd_create(2)), elsewhere a gevent timer. A thread that sleeps on an
    idle core takes another 50 to 300 µs to wake. The alarm of a sharp call is therefore set
    earlier by the median of the wake-up latencies observed so far (the lead), and the rest of
    the wait is a busy loop, limited to 1 % of the run time. A call for which no such time is
    left has no lead, so that the hub wakes up once for it.

    The alarm is set once per iteration of the event loop, after the greenlets that are ready have
    run: setting it takes up to 15 µs on a virtual machine, by which a visit would start later.
    """

    __slots__ = (
        "_alarm",
        "_armed",
        "_arming",
        "_budget",
        "_calls",
        "_current",
        "_hub",
        "_lead",
        "_listening",
        "_live",
        "_moment",
        "_now",
        "_order",
        "_since",
        "forks",
    )

    def __init__(self, hub: Any, now: Callable[[], float], alarm: alarms.Alarm) -> None:
        from gevent import getcurrent  # late: importing chaperon must stay light

        self._hub = hub
        self._current: Callable[[], Any] = getcurrent
        self._now = now
        self._alarm = alarm
        self._calls: list[tuple[float, int, Call]] = []
        self._order = count()
        self._live = 0
        self._armed = self._moment = math.inf
        self._listening = self._arming = False  # arming: `_arm` is called in this iteration of the loop
        self._lead = self._budget = 0.0
        self._since = now()
        self.forks = alarms.forks

    def __repr__(self) -> str:
        return f"<Timers with {self._live} calls>"

    def at(self, due: float, deed: Callable[[], object], *, sharp: bool = False) -> Call:
        """Schedule *deed* to be called by the hub at *due*, and return the call. *deed* must not block.

        *sharp* reduces the lateness to microseconds, by an early alarm and a short busy loop.
        """
        call = Call(self, deed, sharp)
        heapq.heappush(self._calls, (due, next(self._order), call))
        self._live += 1
        if not self._arming and (due < self._armed or not self._listening):
            self._arm_later()
        return call

    def sleep(self, seconds: float) -> None:
        """Block the calling greenlet for *seconds*, which must be positive; other greenlets run meanwhile.

        Raises RuntimeError if called from the hub.
        """
        me = self._current()
        if me is self._hub:
            raise RuntimeError("the hub itself cannot sleep: what it calls must not block")
        call = self.at(self._now() + seconds, me.switch, sharp=True)
        try:
            while call.deed is not None:
                self._hub.switch()
        finally:
            call.cancel()

    def cancelled(self) -> None:
        """Count one cancelled call, and rebuild the heap when most of its entries are cancelled."""
        self._live -= 1
        if not self._live or (len(self._calls) > STALE and 2 * self._live < len(self._calls)):
            self._calls = [entry for entry in self._calls if entry[2].deed is not None]
            heapq.heapify(self._calls)
            if not self._arming:
                self._arm_later()

    def _arm_later(self) -> None:
        self._arming = True
        self._hub.loop.run_callback(self._arm)

    def _arm(self) -> None:
        self._arming = False
        calls = self._calls
        while calls and calls[0][2].deed is None:
            heapq.heappop(calls)
        if not calls:
            if self._listening:
                self._listening = False
                self._alarm.ignore()
            return
        due = calls[0][0]
        if due < self._armed:
            self._armed = self._moment = due
            if calls[0][2].sharp and self._lead <= self._budget:
                self._moment -= self._lead
            if self.forks == alarms.forks:  # else the parent process has the alarm
                self._alarm.set(self._moment)
        if not self._listening:
            self._listening = True
            self._alarm.listen(self._ring)

    def _wait_out(self, now: float) -> float:
        """Adjust the lead to the observed lateness, busy-wait for a call due within the budget, return the new time."""
        late = now - self._moment
        if 0.0 <= late < LEAD:
            step = STEP if late > self._lead else -STEP
            self._lead = min(max(self._lead + step, 0.0), LEAD)
        self._budget = min(self._budget + (now - self._since) * SPINNING, LEAD)
        self._since = now
        due = self._armed
        if now < due <= now + self._budget:
            self._budget -= due - now
            while now < due:
                now = self._now()
        return now

    def _ring(self) -> None:
        """Make the calls that are due now, `CALLS_PER_ITERATION` at most; the next iterations of the loop make more."""
        now = self._now()
        due: list[Call] = []
        if self._alarm.precise:
            now = self._wait_out(now)
        self._armed = math.inf
        while self._calls and self._calls[0][0] <= now and len(due) < CALLS_PER_ITERATION:
            due.append(heapq.heappop(self._calls)[2])
        self._arming = True
        try:
            for call in due:
                deed = call.deed
                if deed is None:
                    continue
                call.deed = None
                self._live -= 1
                try:
                    deed()
                except BaseException:  # the calls after it must still be made
                    self._hub.handle_error(call, *sys.exc_info())
        finally:
            self._arm_later()  # after the greenlets that these calls made ready


def call_in_groups(
    after: Callable[[float, Callable[[], object]], object], deed: Callable[[Any], object], items: Iterator[Any]
) -> None:
    """Call *deed* with `CALLS_PER_ITERATION` items now, and with as many in each later iteration of the event loop.

    What is done to thousands of items takes seconds, during which responses of others must be read. *after* schedules a
    call in a number of seconds.
    """
    made = 0
    for item in islice(items, CALLS_PER_ITERATION):
        deed(item)
        made += 1
    if made == CALLS_PER_ITERATION:
        after(0.0, partial(call_in_groups, after, deed, items))


def timers_of(hub: Any, now: Callable[[], float], monotonic: bool) -> Timers:
    """Return the timers of *hub*: one object per hub, created anew in a forked child process.

    *monotonic* is true if *now* reads CLOCK_MONOTONIC, the clock a timerfd uses.
    """
    timers: Timers | None = getattr(hub, "chaperon_timers", None)
    if timers is None or timers.forks != alarms.forks:
        timers = hub.chaperon_timers = Timers(hub, now, alarms.alarm_of(hub, now, monotonic=monotonic))
    return timers
