"""Clocks: the only module that imports `time`. All moments and spans are in seconds."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from chaperon.errors import PlanError

if TYPE_CHECKING:
    from chaperon.timers import Timers


class Timer(Protocol):
    """A scheduled call. `cancel` prevents it if it was not made yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """A source of time, passed to all code that waits or measures, so that tests can replace it.

    `now` returns a monotonic moment in seconds, `sleep` blocks the calling greenlet, `after`
    schedules a call in the hub and returns at once.
    """

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def after(self, seconds: float, deed: Callable[[], object]) -> Timer: ...


class HubClock:
    """The process's monotonic clock. Waits run on gevent's hub; on Linux they end within 0.1 ms of the due time."""

    now = staticmethod(time.perf_counter)

    def sleep(self, seconds: float) -> None:
        """Block the calling greenlet for at least *seconds*; other greenlets run meanwhile."""
        if seconds > 0.0:
            _timers().sleep(seconds)
        else:
            from gevent import sleep  # late: importing chaperon must stay light

            sleep(0)

    def after(self, seconds: float, deed: Callable[[], object]) -> Timer:
        """Schedule *deed* to be called by the hub in *seconds*. It must not block. Returns at once."""
        return _timers().at(time.perf_counter() + seconds, deed)


_hub_and_timers: tuple[Callable[[], Any], Callable[..., Timers]] | None = None


def _timers() -> Timers:
    global _hub_and_timers
    if _hub_and_timers is None:
        from gevent import get_hub  # late: importing chaperon must stay light

        from chaperon.timers import timers_of

        _hub_and_timers = get_hub, timers_of
    get_hub, timers_of = _hub_and_timers
    return timers_of(get_hub(), time.perf_counter, _MONOTONIC)


_MONOTONIC = "CLOCK_MONOTONIC" in time.get_clock_info("perf_counter").implementation


def default_clock() -> Clock:
    """Return the clock of objects that are used outside a run: a `HubClock`."""
    return HubClock()


def today() -> str:
    """Return the current date and time in UTC as an ISO 8601 string. It is for labels, not for measuring."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


epoch = time.time
"""The wall clock in seconds since 1970, for dates that other programs set: the expiry of cookies."""


def cpu() -> float:
    """Return the CPU seconds this process has used so far."""
    return time.process_time()


def thread_cpu() -> float:
    """Return the CPU seconds this thread has used so far."""
    return time.thread_time()


class _Apart:
    """Native threads, also where gevent has patched `threading`: they run while the hub is blocked."""

    def current(self) -> int:
        """Return the identifier of the calling thread, as `threading.get_ident` does."""
        return int(self._real("get_ident")())

    def native(self) -> int:
        """Return the thread identifier that the kernel gave the calling thread (`threading.get_native_id`)."""
        return int(self._real("get_native_id")())

    def start(self, deed: Callable[[], object]) -> None:
        """Call *deed* in a new daemon thread."""
        self._real("start_new_thread")(deed, ())

    @property
    def doze(self) -> Callable[[float], None]:
        """The unpatched `time.sleep`: blocks the calling thread for the given seconds."""
        return self._real("sleep", "time")  # type: ignore[no-any-return]

    @staticmethod
    def _real(name: str, module: str = "_thread") -> Any:
        from gevent.monkey import get_original  # late: importing chaperon must stay light

        return get_original(module, name)


apart = _Apart()


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(us|ms|s|m|h|d)")


WAIT = 600.0
"""The longest think time, timeout or other wait, in seconds, that is accepted as a number without a unit."""
LASTING = 86_400.0
"""The longest part of a load, in seconds, that is accepted as a number without a unit."""


def seconds(span: float | str, *, most: float = math.inf) -> float:
    """Return a time span in seconds. *span* is a number of seconds or text such as "250ms", "30s", "1m30s".

    A whole number, or text, without a unit is refused if it is more than *most*: it is more likely
    meant in milliseconds. A float is never refused for its size, since code computes floats. Raises
    PlanError if the span is negative, infinite or unreadable as well.
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
    if not 0.0 <= value < math.inf:
        raise PlanError(f"a time span must be finite and not negative, got {span!r}")
    if value > most and not isinstance(span, float):
        number, quote = str(span).strip(), "" if isinstance(span, str) else "'"
        would = f"{number} without a unit would be {_span_text(value)}"
        raise PlanError(f"{would}: write {quote}{number}ms{quote} or {quote}{number}s{quote}")
    return value


def named_seconds(what: str, span: float | str, most: float = WAIT) -> float:
    """Return a time span as `seconds` does; *what* begins the message of its PlanError."""
    try:
        return seconds(span, most=most)
    except PlanError as exc:
        raise PlanError(f"{what}: {exc}") from None


def _span_text(span: float) -> str:
    """Return a span of at least a minute in its two largest units: "16m 40s"."""
    parts: list[str] = []
    rest = span
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(rest, _UNITS[unit])
        if number or parts:
            parts.append(f"{number:,.0f}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0"))
