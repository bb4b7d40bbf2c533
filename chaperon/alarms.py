"""Alarms: one timer that wakes a gevent hub, by a timerfd where there is one. Moments are in seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

FAR = 1e9
"""The latest moment, in seconds, that a timer is set to. Later moments are reached in several waits."""


class Alarm(Protocol):
    """One timer that wakes a hub. `set` gives it its moment, `listen` enables it, `ignore` disables it.

    A *precise* one is late only by the kernel's wake-up latency, not by the event loop's rounding.
    """

    precise: bool

    @property
    def set(self) -> Callable[[float], object]: ...

    def listen(self, ring: Callable[[], object]) -> None: ...

    def ignore(self) -> None: ...


class LoopAlarm:
    """An alarm by a timer of the hub's loop, with a resolution of one millisecond."""

    __slots__ = ("_due", "_hub", "_now", "_ring", "_timer")

    precise = False

    def __init__(self, hub: Any, now: Callable[[], float]) -> None:
        self._hub = hub
        self._now = now
        self._due = 0.0
        self._ring: Callable[[], object] | None = None
        self._timer: Any = None

    def set(self, due: float) -> None:
        """Set the alarm to *due*, a reading of the clock in seconds; this replaces the previous moment."""
        self._due = due
        if self._ring is not None:
            self.listen(self._ring)

    def listen(self, ring: Callable[[], object]) -> None:
        """Enable the alarm: call *ring* once, at the moment set."""
        self.ignore()
        self._ring = ring
        self._timer = self._hub.loop.timer(min(max(self._due - self._now(), 0.0), FAR))
        self._timer.start(ring, update=True)

    def ignore(self) -> None:
        """Disable the alarm."""
        self._ring = None
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


class TimerFd:
    """An alarm by a timerfd on CLOCK_MONOTONIC, watched by the hub's loop. Raises OSError if none can be created.

    *set* sets it to a reading of the monotonic clock in seconds, which replaces the previous moment.
    """

    __slots__ = ("_fd", "_watcher", "set")

    precise = True

    def __init__(self, hub: Any) -> None:
        self._fd, self.set = _timerfd()
        self._watcher = hub.loop.io(self._fd, 1)

    def __del__(self) -> None:
        if hasattr(self, "_watcher"):
            self._watcher.stop()
            self._watcher.close()
            os.close(self._fd)

    def listen(self, ring: Callable[[], object]) -> None:
        """Enable the alarm: call *ring* at the moment set, and in every loop iteration after it until set again."""
        self._watcher.start(ring)

    def ignore(self) -> None:
        """Disable the alarm."""
        self._watcher.stop()


def alarm_of(hub: Any, now: Callable[[], float], *, monotonic: bool) -> Alarm:
    """Return a new alarm of *hub*: a precise one if *now* reads CLOCK_MONOTONIC and the system has timerfds."""
    try:
        return TimerFd(hub) if monotonic else LoopAlarm(hub, now)
    except (OSError, ImportError, AttributeError):  # another system, or no descriptor left
        return LoopAlarm(hub, now)


forks = 0
"""Number of forks between the first process and this one. A child shares its parent's timerfd and must not set it."""
_TFD_ABSTIME = 1
_MONOTONIC = 1


def _timerfd() -> tuple[int, Callable[[float], object]]:
    """Return a new timerfd, and what sets it to a moment in seconds. Raises OSError if unavailable."""
    if not sys.platform.startswith("linux"):
        raise OSError("timerfd exists on Linux only")
    system: Any = os
    if hasattr(system, "timerfd_create"):  # from Python 3.13 on
        fd = system.timerfd_create(_MONOTONIC, flags=system.TFD_NONBLOCK | system.TFD_CLOEXEC)
        set_ns, flags = system.timerfd_settime_ns, system.TFD_TIMER_ABSTIME
        return fd, lambda due: set_ns(fd, flags=flags, initial=_nanoseconds(due))
    return _by_libc()


def _nanoseconds(due: float) -> int:
    return int((due if 0.0 < due < FAR else min(max(due, 0.0), FAR)) * 1e9) + 1


def _by_libc() -> tuple[int, Callable[[float], object]]:
    import ctypes  # late: importing chaperon must stay light

    if ctypes.sizeof(ctypes.c_long) != 8:
        raise OSError("unknown layout of itimerspec: a C long is not 8 bytes")
    libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter lock: the calls never block
    fd = libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    spec = (ctypes.c_long * 4)()  # interval, then value: seconds with nanoseconds each
    settime = libc.timerfd_settime
    settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    place = ctypes.addressof(spec)

    def set_alarm(due: float, spec: Any = spec) -> None:  # *spec*: owns the memory at *place*
        spec[2], spec[3] = divmod(_nanoseconds(due), 1_000_000_000)
        settime(fd, _TFD_ABSTIME, place, None)

    return fd, set_alarm


def _forked() -> None:
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
