"""Where sessions wait for each other."""

from __future__ import annotations

from gevent.event import Event

from chaperon.clock import Clock
from chaperon.errors import PlanError, RendezvousTimeout, UsageError
from chaperon.script.waiting import awaited


class _Gathering:
    __slots__ = ("complete", "most", "present", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.present = 0
        self.most = 0
        self.complete = Event()


class Rendezvous:
    """The gatherings of one engine, by name; each lets its sessions go together, then begins anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, _Gathering] = {}

    def meet(self, name: str, n: int, within: float) -> int:
        """Wait until *n* have come; return as which one this came, from 0.

        Raises RendezvousTimeout: who gives up is no longer counted, the others wait on.
        """
        if n < 1:
            raise PlanError(f"a rendezvous needs at least 1 session, got {n!r}")
        gathering = self._open.get(name)
        if gathering is None:
            gathering = self._open[name] = _Gathering(n)
        if gathering.wanted != n:
            raise UsageError(f"the rendezvous {name!r} waits for {gathering.wanted} sessions, not for {n}")
        place = gathering.present
        gathering.present += 1
        gathering.most = max(gathering.most, gathering.present)
        if gathering.present == n:
            del self._open[name]
            gathering.complete.set()
            return place
        try:
            awaited(gathering.complete, self._clock, within)
        finally:
            if not gathering.complete.ready():
                self._left(name, gathering)
        if not gathering.complete.ready():
            came = f"only {gathering.most} of {n} sessions"
            raise RendezvousTimeout(f"{came} came to the rendezvous {name!r} within {within:g} s")
        return place

    def _left(self, name: str, gathering: _Gathering) -> None:
        gathering.present -= 1
        if not gathering.present:
            del self._open[name]
