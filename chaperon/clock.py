"""The only room that knows the time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Protocol

from chaperon.errors import PlanError
from chaperon.timers import Timers, timers_of


class Timer(Protocol):
    """A call that is due later and can still be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What waits or measures is handed one of these."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def after(self, seconds: float, deed: Callable[[], object]) -> Timer: ...


class HubClock:
    """The monotonic clock, waiting on gevent's hub; on Linux waits end within a tenth of a millisecond."""

    now = staticmethod(time.perf_counter)

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for at least *seconds*. Blocks the calling greenlet alone."""
        if seconds > 0.0:
            _timers().sleep(seconds)
        else:
            from gevent import sleep  # late: importing chaperon must stay light

            sleep(0)

    def after(self, seconds: float, deed: Callable[[], object]) -> Timer:
        """Call *deed* from the hub in *seconds*; it must not block."""
        return _timers().at(time.perf_counter() + seconds, deed)


def _timers() -> Timers:
    from gevent import get_hub  # late: importing chaperon must stay light

    return timers_of(get_hub(), time.perf_counter, monotonic=_MONOTONIC)


_MONOTONIC = "CLOCK_MONOTONIC" in time.get_clock_info("perf_counter").implementation


def default_clock() -> Clock:
    """Return the clock of what belongs to no run: the monotonic one."""
    return HubClock()


def today() -> str:
    """Return the wall-clock moment as an ISO 8601 string in UTC, for labels only."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


epoch = time.time
"""The wall clock in seconds since 1970, for what others date by it: cookies."""


def cpu() -> float:
    """Return the CPU seconds this process has used so far."""
    return time.process_time()


def thread_cpu() -> float:
    """Return the CPU seconds this thread has used so far."""
    return time.thread_time()


class _Apart:
    """Threads that are real, whatever gevent has patched: for what must run while the hub does not."""

    def current(self) -> int:
        """Return the identity of the thread that asks."""
        return int(self._real("get_ident")())

    def native(self) -> int:
        """Return the same as the system numbers it."""
        return int(self._real("get_native_id")())

    def start(self, deed: Callable[[], object]) -> None:
        """Do *deed* in a thread of its own, which ends with the process."""
        self._real("start_new_thread")(deed, ())

    @property
    def doze(self) -> Callable[[float], None]:
        """What lets such a thread wait for so many seconds."""
        return self._real("sleep", "time")  # type: ignore[no-any-return]

    @staticmethod
    def _real(name: str, module: str = "_thread") -> Any:
        from gevent.monkey import get_original  # late: importing chaperon must stay light

        return get_original(module, name)


apart = _Apart()


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(us|ms|s|m|h|d)")


def seconds(span: float | str) -> float:
    """Read a time span: a number of seconds, or text such as "250ms", "30s", "1m30s".

    Raises PlanError for negative, infinite or unreadable spans.
    """
    if isinstance(span, str):
        text = span.strip()
        parts = _PART.findall(text)
        if parts and "".join(n + unit for n, unit in parts) == text.replace(" ", ""):
            return sum(float(n) * _UNITS[unit] for n, unit in parts)
        try:
            value = float(text)
        except ValueError:
            raise PlanError(f"{span!r} is not a time span: write 30s, 5m, 250ms or 1m30s") from None
    elif isinstance(span, (int, float)) and not isinstance(span, bool):
        value = float(span)
    else:
        raise PlanError(f"{span!r} is not a time span: write a number of seconds or text such as '30s'")
    if not 0.0 <= value < float("inf"):
        raise PlanError(f"a time span must be finite and not negative, got {span!r}")
    return value
