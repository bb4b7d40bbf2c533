"""The heart: starts each visit when it is due, sees every one of them to its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import gevent
from gevent.event import Event

from chaperon.clock import Clock, Timer
from chaperon.errors import Interrupted
from chaperon.load.arrivals import Arrival, chance, numbers, offsets, starts
from chaperon.load.health import Health
from chaperon.load.profile import Iterations, Rate, Users
from chaperon.load.share import Share
from chaperon.measure.recorder import Fate, Recorder

PATIENCE = 15.0

if TYPE_CHECKING:
    Greenlet = gevent.Greenlet[..., Any]


def _me() -> Greenlet:
    return cast("Greenlet", gevent.getcurrent())


class _Woken(BaseException):
    """The run was stopped while somebody rested."""


class Visited(NamedTuple):
    """How a visit ended, and whether its user goes on."""

    fate: Fate
    stays: bool = True


class Visitor(Protocol):
    """Who makes the visits; neither verb may raise anything but `Interrupted`."""

    def visit(self, arrival: Arrival) -> Visited: ...

    def leave(self, entry: int, user: int) -> None:
        """Bid farewell to a user who makes no further visit."""


class Engine:
    """Performs shares of loads: `perform` blocks until the last visit has ended.

    *began* is the clock's reading that offsets count from. When a share's time is over, or
    after `stop`, visits in flight have *grace* seconds, then they are interrupted. Whoever
    does not end within *patience* after that is counted as interrupted and left behind.
    """

    def __init__(
        self,
        shares: Sequence[Share],
        visitor: Visitor,
        recorder: Recorder,
        clock: Clock,
        *,
        began: float,
        grace: float,
        health: Health | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._shares = shares
        self._visitor = visitor
        self._recorder = recorder
        self._clock = clock
        self._began = began
        self._grace = grace
        self._health = health or Health(clock)
        self._patience = patience
        self._stopped: float | None = None
        self._resting: set[Greenlet] = set()
        self._busy: dict[Greenlet, tuple[Share, float]] = {}
        self._alive: set[Greenlet] = set()
        self._idle: dict[int, list[int]] = defaultdict(list)
        self._opened: dict[str, int] = defaultdict(int)
        self._progress: dict[str, list[int]] = {share.name: [0, 0, 0] for share in shares}
        self._timers: list[Timer] = []
        self._present = 0
        self._over = Event()
        self.fault: BaseException | None = None

    @property
    def busy(self) -> int:
        """How many visits are in flight."""
        return len(self._busy)

    @property
    def present(self) -> int:
        """How many users are there: of closed loads all that live, of open ones the busy."""
        return self._present

    @property
    def progress(self) -> dict[str, tuple[int, int, int]]:
        """By share: visits started, visits ended, rows taken."""
        return {name: (p[0], p[1], p[2]) for name, p in self._progress.items()}

    def perform(self) -> None:
        """Make all visits; raises only for a fault of the visitor itself."""
        for share in self._shares:
            self._spawn(self._open if isinstance(share.load, Rate) else self._closed, share)
            if share.load.until is not None:
                over = self._began + share.load.until + self._grace - self._clock.now()
                self._after(over, partial(self._interrupt, share))
                self._after(over + self._patience, partial(self._abandon, share))
        self._over.wait()
        for entry, idle in self._idle.items():
            for user in idle:
                self._spawn(self._visitor.leave, entry, user)
        if self._alive:
            self._over.clear()
            self._after(self._patience, self._over.set)
            self._over.wait()
        for timer in self._timers:
            timer.cancel()
        self._abandon()
        if self.fault is not None:
            raise self.fault

    def stop(self, grace: float | None = None) -> None:
        """Start nothing more; visits in flight have *grace* seconds (else the engine's) to end."""
        if self._stopped is None:
            self._stopped = self._clock.now()
            self._after(0.0, self._wake)
        within = self._grace if grace is None else grace
        self._after(within, self._interrupt)
        self._after(within + self._patience, self._over.set)

    def _after(self, seconds: float, deed: Callable[[], object]) -> None:
        self._timers.append(self._clock.after(seconds, deed))

    def _spawn(self, deed: Callable[..., None], *args: object) -> Greenlet:
        greenlet = gevent.spawn(self._run, deed, *args)
        self._alive.add(greenlet)
        return greenlet

    def _run(self, deed: Callable[..., None], *args: object) -> None:
        try:
            deed(*args)
        except (Interrupted, gevent.GreenletExit):
            pass
        except BaseException as exc:  # a fault of ours: end the run and let perform raise it
            self.fault = self.fault or exc
            self.stop(0.0)
        finally:
            self._gone(_me())

    def _gone(self, greenlet: Greenlet) -> None:
        self._alive.discard(greenlet)
        if not self._alive:
            self._over.set()

    def _rest(self, until: float) -> None:
        """Wait for a moment, or until the run is stopped."""
        if self._stopped is not None:
            return
        me = _me()
        self._resting.add(me)
        try:
            self._clock.sleep(until - self._clock.now())
        except _Woken:
            pass
        finally:
            self._resting.discard(me)

    def _wake(self) -> None:
        """End every rest; runs in the hub, so that nobody can leave a rest meanwhile."""
        for greenlet in list(self._resting):
            greenlet.throw(_Woken())

    def _open(self, share: Share) -> None:
        assert isinstance(share.load, Rate)
        for number, offset in offsets(share.load, share.index, share.of):
            due = self._began + offset
            if self._stopped is None:
                self._rest(due)
            if self._stopped is not None:
                if due > self._stopped:
                    return
                self._recorder.account(share.label, due, "planned")
                self._recorder.account(share.label, due, "dropped")
                continue
            self._recorder.account(share.label, due, "planned")
            self._spawn(self._arrive, share, number, due)

    def _arrive(self, share: Share, number: int, due: float) -> None:
        assert isinstance(share.load, Rate)
        idle = self._idle[share.entry]
        user = idle.pop() if idle else self._newcomer(share)
        self._health.late(self._clock.now() - due)
        self._present += 1
        try:
            visited = self._visit(share, Arrival(share.entry, number, user, due), due)
        finally:
            self._present -= 1
        if visited.stays and not share.load.fresh:
            idle.append(user)
        else:
            self._visitor.leave(share.entry, user)

    def _newcomer(self, share: Share) -> int:
        opened = self._opened[share.name]
        self._opened[share.name] += 1
        return share.index + opened * share.of

    def _closed(self, share: Share) -> None:
        load = share.load
        assert not isinstance(load, Rate)
        left = numbers(load, share.index, share.of) if isinstance(load, Iterations) else None
        crowd = []
        for user, offset in starts(load, share.index, share.of):
            if offset:
                self._rest(self._began + offset)
            if self._stopped is not None:
                break
            crowd.append(self._spawn(self._live, share, user, left))
        if left is None:
            return
        gevent.joinall(crowd)
        now = self._clock.now()
        for _ in left:  # nobody is there any more to take these
            self._recorder.account(share.label, now, "planned")
            self._recorder.account(share.label, now, "dropped")

    def _live(self, share: Share, user: int, left: Iterator[int] | None) -> None:
        load = share.load
        assert not isinstance(load, Rate)
        end = None if load.until is None else self._began + load.until
        visits = 0
        self._present += 1
        try:
            while self._stopped is None and (end is None or self._clock.now() < end):
                number = visits if left is None else next(left, None)
                if number is None:
                    return
                due = self._clock.now()
                self._recorder.account(share.label, due, "planned")
                visited = self._visit(share, Arrival(share.entry, number, user), due)
                visits += 1
                if not visited.stays or (end is None and isinstance(load, Users)):
                    return
                think = load.think.draw(chance(share.seed, share.entry, user, visits, "think")) if load.think else 0.0
                wake = self._clock.now() + think
                self._rest(wake if end is None else min(wake, end))
        finally:
            self._present -= 1
            self._visitor.leave(share.entry, user)

    def _visit(self, share: Share, arrival: Arrival, due: float) -> Visited:
        me = _me()
        self._busy[me] = (share, due)
        self._progress[share.name][0] += 1
        try:
            visited = self._visitor.visit(arrival)
        except (Interrupted, gevent.GreenletExit):
            visited = Visited("interrupted", stays=False)
        except BaseException:
            self._ended(share, due, "failed")
            self._busy.pop(me, None)
            raise
        if self._busy.pop(me, None) is not None:
            self._ended(share, due, visited.fate)
        return visited

    def _ended(self, share: Share, due: float, fate: Fate) -> None:
        self._recorder.account(share.label, due, fate)
        self._progress[share.name][1] += 1

    def _interrupt(self, share: Share | None = None) -> None:
        """End the visits in flight of *share*, or of all; runs in the hub."""
        for greenlet, (whose, _) in list(self._busy.items()):
            if (share is None or whose is share) and greenlet in self._busy:
                greenlet.throw(Interrupted("the run ended"))

    def _abandon(self, share: Share | None = None) -> None:
        """Count who would not be interrupted as interrupted all the same."""
        for greenlet, (whose, due) in list(self._busy.items()):
            if share is None or whose is share:
                del self._busy[greenlet]
                self._ended(whose, due, "interrupted")
                greenlet.kill(block=False)
                self._gone(greenlet)
