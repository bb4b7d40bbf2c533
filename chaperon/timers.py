"""Timers of a gevent hub at the resolution of the kernel's high-resolution clock."""

from __future__ import annotations

import heapq
import math
import os
import sys
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

STALE = 1_000
"""From so many cancelled calls on, once they are more than half, the heap is rebuilt without them."""

FAR = 1e9
"""Moments beyond that reading of the clock are waited for in steps: no timer takes them."""


LEAD = 300e-6
"""An alarm is set at most so many seconds early."""
STEP = 4e-6
"""By how much the lead is changed each time the alarm was seen to ring, in seconds."""
SPINNING = 0.02
"""Which share of the time may be spent waiting for the last microseconds in a loop."""


class Alarm(Protocol):
    """Wakes a hub at one moment; `listen` and `ignore` say whether it is wanted.

    One that is *precise* rings within microseconds of what the kernel takes to run a thread.
    """

    precise: bool

    def set(self, due: float) -> None: ...

    def listen(self, ring: Callable[[], object]) -> None: ...

    def ignore(self) -> None: ...


class Call:
    """A call that is due at a moment; *deed* is None once it was made or cancelled."""

    __slots__ = ("_timers", "deed", "sharp")

    def __init__(self, timers: Timers, deed: Callable[[], object], sharp: bool) -> None:
        self._timers = timers
        self.deed: Callable[[], object] | None = deed
        self.sharp = sharp

    def cancel(self) -> None:
        """Make the call no more; does nothing once it was made."""
        if self.deed is not None:
            self.deed = None
            self._timers.cancelled()


class Timers:
    """The calls of one hub, ordered by when they are due: readings of *now*, in seconds.

    libev waits in epoll for whole milliseconds, rounded up, so that a gevent timer rings up
    to 1.2 ms late on an idle machine. Here one *alarm* wakes the hub for the earliest call:
    on Linux a timerfd (timerfd_create(2)), elsewhere a gevent timer. A thread that sleeps on
    an idle core needs another 50 to 300 µs to run; so the alarm for a sharp call is set
    earlier by the median of what that was seen to take, and what is left of the wait is
    spent in a loop, in all at most 2 % of the time.
    """

    __slots__ = (
        "_alarm",
        "_armed",
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
        "_ringing",
        "_since",
        "forks",
    )

    def __init__(self, hub: Any, now: Callable[[], float], alarm: Alarm) -> None:
        from gevent import getcurrent  # late: importing chaperon must stay light

        self._hub = hub
        self._current: Callable[[], Any] = getcurrent
        self._now = now
        self._alarm = alarm
        self._calls: list[tuple[float, int, Call]] = []
        self._order = count()
        self._live = 0
        self._armed = self._moment = math.inf
        self._listening = self._ringing = False
        self._lead = self._budget = 0.0
        self._since = now()
        self.forks = _forks

    def __repr__(self) -> str:
        return f"<Timers with {self._live} calls>"

    def at(self, due: float, deed: Callable[[], object], *, sharp: bool = False) -> Call:
        """Call *deed* from the hub as soon as it is *due*, or a *sharp* one within microseconds; it must not block."""
        call = Call(self, deed, sharp)
        heapq.heappush(self._calls, (due, next(self._order), call))
        self._live += 1
        if not self._ringing and (due < self._armed or not self._listening):
            self._arm()
        return call

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for *seconds*, more than 0. Blocks the calling greenlet alone."""
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
        """Note that one of the calls will not be made."""
        self._live -= 1
        if not self._live or (len(self._calls) > STALE and 2 * self._live < len(self._calls)):
            self._calls = [entry for entry in self._calls if entry[2].deed is not None]
            heapq.heapify(self._calls)
            if not self._ringing:
                self._arm()

    def _arm(self) -> None:
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
            self._armed = due
            self._moment = due - self._lead if calls[0][2].sharp else due
            self._alarm.set(self._moment)
        if not self._listening:
            self._listening = True
            self._alarm.listen(self._ring)

    def _wait_out(self, now: float) -> float:
        """Learn from how late the alarm rang; wait in a loop for a call that is due in less than the lead."""
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
        """Make every call that is due by now; what becomes due meanwhile waits for the next turn of the hub."""
        now, due = self._now(), []
        if self._alarm.precise:
            now = self._wait_out(now)
        self._armed = math.inf
        while self._calls and self._calls[0][0] <= now:
            due.append(heapq.heappop(self._calls)[2])
        self._ringing = True
        try:
            for call in due:
                deed = call.deed
                if deed is None:
                    continue
                call.deed = None
                self._live -= 1
                try:
                    deed()
                except BaseException:  # one that fails takes no other with it
                    self._hub.handle_error(call, *sys.exc_info())
        finally:
            self._ringing = False
            self._arm()


class LoopAlarm:
    """Wakes a hub by a timer of its loop, in whole milliseconds."""

    __slots__ = ("_due", "_hub", "_now", "_ring", "_timer")

    precise = False

    def __init__(self, hub: Any, now: Callable[[], float]) -> None:
        self._hub = hub
        self._now = now
        self._due = 0.0
        self._ring: Callable[[], object] | None = None
        self._timer: Any = None

    def set(self, due: float) -> None:
        """Ring at *due*, a reading of the clock, in place of any moment before."""
        self._due = due
        if self._ring is not None:
            self.listen(self._ring)

    def listen(self, ring: Callable[[], object]) -> None:
        """Call *ring* when it is due."""
        self.ignore()
        self._ring = ring
        self._timer = self._hub.loop.timer(min(max(self._due - self._now(), 0.0), FAR))
        self._timer.start(ring, update=True)

    def ignore(self) -> None:
        """Ring no more."""
        self._ring = None
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


class TimerFd:
    """Wakes a hub by a timerfd of CLOCK_MONOTONIC, which its loop watches. Raises OSError where there is none."""

    __slots__ = ("_fd", "_set", "_watcher")

    precise = True

    def __init__(self, hub: Any) -> None:
        self._fd, self._set = _timerfd()
        self._watcher = hub.loop.io(self._fd, 1)

    def __del__(self) -> None:
        if hasattr(self, "_watcher"):
            self._watcher.stop()
            self._watcher.close()
            os.close(self._fd)

    def set(self, due: float) -> None:
        """Ring at *due*, a reading of the monotonic clock, in place of any moment before."""
        self._set(int(min(max(due, 0.0), FAR) * 1e9) + 1)

    def listen(self, ring: Callable[[], object]) -> None:
        """Call *ring* when it is due, again and again until it is set anew."""
        self._watcher.start(ring)

    def ignore(self) -> None:
        """Ring no more."""
        self._watcher.stop()


def timers_of(hub: Any, now: Callable[[], float], *, monotonic: bool) -> Timers:
    """Return the timers of *hub*, always the same ones; a process that was forked off gets new ones.

    *monotonic* says that *now* reads CLOCK_MONOTONIC, as a timerfd does.
    """
    timers: Timers | None = getattr(hub, "chaperon_timers", None)
    if timers is None or timers.forks != _forks:
        alarm: Alarm
        try:
            alarm = TimerFd(hub) if monotonic else LoopAlarm(hub, now)
        except (OSError, ImportError, AttributeError):  # another system, or no descriptor left
            alarm = LoopAlarm(hub, now)
        timers = hub.chaperon_timers = Timers(hub, now, alarm)
    return timers


_forks = 0
"""How often this process was forked off another: a child must not set the alarm of its parent."""
_TFD_ABSTIME = 1
_MONOTONIC = 1


def _timerfd() -> tuple[int, Callable[[int], None]]:
    """Return a new timerfd with the function that sets it, to nanoseconds of the clock."""
    if not sys.platform.startswith("linux"):
        raise OSError("no timerfd but on Linux")
    system: Any = os
    if hasattr(system, "timerfd_create"):  # from Python 3.13 on
        fd = system.timerfd_create(_MONOTONIC, flags=system.TFD_NONBLOCK | system.TFD_CLOEXEC)
        set_ns, flags = system.timerfd_settime_ns, system.TFD_TIMER_ABSTIME
        return fd, lambda due: set_ns(fd, flags=flags, initial=due)
    return _by_libc()


def _by_libc() -> tuple[int, Callable[[int], None]]:
    import ctypes  # late: importing chaperon must stay light

    if ctypes.sizeof(ctypes.c_long) != 8:
        raise OSError("the layout of itimerspec is not known here")
    libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter lock: the calls never block
    fd = libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    spec = (ctypes.c_long * 4)()  # interval, then value: seconds with nanoseconds each
    settime = libc.timerfd_settime
    settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def set_ns(due: int) -> None:
        spec[2], spec[3] = divmod(due, 1_000_000_000)
        settime(fd, _TFD_ABSTIME, spec, None)

    return fd, set_ns


def _forked() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
