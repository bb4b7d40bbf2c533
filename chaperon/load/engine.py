"""The heart: starts each visit when it is due, sees every one of them to its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import gevent
from gevent.event import Event

from chaperon.clock import Clock, Timer
from chaperon.errors import Interrupted
from chaperon.load.arrivals import Arrival, chance, numbers, offsets, starts
from chaperon.load.health import Health
from chaperon.load.profile import Iterations, Rate, Users
from chaperon.load.share import Holding, Share, Standing
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
    While it is *staying*, the engine waits for further shares when it has none.
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
        staying: bool = False,
    ) -> None:
        self._visitor = visitor
        self._recorder = recorder
        self._clock = clock
        self._began = began
        self._grace = grace
        self._health = health or Health(clock)
        self._patience = patience
        self._stopped: float | None = None
        self._resting: set[Greenlet] = set()
        self._busy: dict[Greenlet, tuple[Holding, float]] = {}
        self._alive: dict[Greenlet, Holding | None] = {}
        self._idle: dict[int, list[int]] = defaultdict(list)
        self._opened: dict[str, int] = defaultdict(int)
        self.holdings: dict[str, Holding] = {share.name: Holding(share) for share in shares}
        self._staying = staying
        self._performing = False
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
        """By share: arrivals taken from its schedule, those before its *start* included; visits ended; rows taken."""
        return {name: (h.taken, h.ended, h.rows) for name, h in self.holdings.items()}

    @property
    def standings(self) -> dict[str, Standing]:
        """By share: whether it is going on, done to its end, or was given back when it was released."""
        return {
            name: h.standing if self._performing else "going" for name, h in self.holdings.items()
        }

    def take(self, share: Share) -> None:
        """Perform *share* too, from its *start*: what was due before is started late."""
        holding = self.holdings[share.name] = Holding(share)
        if self._performing:
            self._begin(holding)

    def release(self, name: str) -> None:
        """Start nothing more of a share; it is returned when its visits in flight have ended."""
        holding = self.holdings.get(name)
        if holding is not None and holding.alive:
            holding.released = True
            self._after(0.0, self._wake)

    def finish(self) -> None:
        """Stay no longer than the shares that are here take."""
        self._staying = False
        if not self._alive:
            self._over.set()

    def perform(self) -> None:
        """Make all visits; raises only for a fault of the visitor itself."""
        self._performing = True
        for holding in self.holdings.values():
            self._begin(holding)
        self._end_if_idle()
        self._over.wait()
        for entry, idle in self._idle.items():
            for user in idle:
                self._spawn(None, self._visitor.leave, entry, user)
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
        self._staying = False
        self._end_if_idle()
        self._after(within, self._interrupt)
        self._after(within + self._patience, self._over.set)

    def _after(self, seconds: float, deed: Callable[[], object]) -> None:
        self._timers.append(self._clock.after(seconds, deed))

    def _begin(self, holding: Holding) -> None:
        share = holding.share
        self._spawn(holding, self._open if isinstance(share.load, Rate) else self._closed, holding)
        if share.load.until is not None:
            over = self._began + share.load.until + self._grace - self._clock.now()
            self._after(over, partial(self._interrupt, holding))
            self._after(over + self._patience, partial(self._abandon, holding))

    def _spawn(self, holding: Holding | None, deed: Callable[..., None], *args: object) -> Greenlet:
        greenlet = gevent.spawn(self._run, deed, *args)
        self._alive[greenlet] = holding
        if holding is not None:
            holding.alive += 1
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
        if greenlet in self._alive:
            holding = self._alive.pop(greenlet)
            if holding is not None:
                holding.alive -= 1
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if not self._alive and not self._staying:
            self._over.set()

    def _rest(self, holding: Holding, until: float) -> None:
        """Wait for a moment, or until the run is stopped or the share released."""
        if self._stopped is not None or holding.released:
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
        """End every rest that has no more reason; runs in the hub, so that nobody can leave a rest meanwhile."""
        for greenlet in list(self._resting):
            holding = self._alive.get(greenlet)
            if self._stopped is not None or (holding is not None and holding.released):
                greenlet.throw(_Woken())

    def _open(self, holding: Holding) -> None:
        share = holding.share
        assert isinstance(share.load, Rate)
        for number, offset in islice(offsets(share.load, share.index, share.of), share.start, None):
            due = self._began + offset
            if self._stopped is None:
                self._rest(holding, due)
            if holding.released and due > self._clock.now():
                return
            if self._stopped is not None:
                if due > self._stopped:
                    return
                holding.taken += 1
                self._recorder.account(share.label, due, "planned")
                self._recorder.account(share.label, due, "dropped")
                continue
            holding.taken += 1
            self._recorder.account(share.label, due, "planned")
            self._spawn(holding, self._arrive, holding, number, due)

    def _arrive(self, holding: Holding, number: int, due: float) -> None:
        share = holding.share
        assert isinstance(share.load, Rate)
        idle = self._idle[share.entry]
        user = idle.pop() if idle else self._newcomer(share)
        self._health.late(self._clock.now() - due)
        self._present += 1
        try:
            visited = self._visit(holding, Arrival(share.entry, number, user, due), due)
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

    def _closed(self, holding: Holding) -> None:
        share, load = holding.share, holding.share.load
        assert not isinstance(load, Rate)
        left = None
        if isinstance(load, Iterations):
            left = islice(numbers(load, share.index, share.of), share.start, None)
        crowd = []
        # without an end each user makes one visit, so that whoever has begun it is past
        past = share.start if left is None and load.until is None else 0
        for user, offset in islice(starts(load, share.index, share.of), past, None):
            if offset:
                self._rest(holding, self._began + offset)
            if self._stopped is not None or holding.released:
                break
            crowd.append(self._spawn(holding, self._live, holding, user, left))
        if left is None:
            return
        gevent.joinall(crowd)
        if holding.released:
            return
        now = self._clock.now()
        for _ in left:  # nobody is there any more to take these
            holding.taken += 1
            self._recorder.account(share.label, now, "planned")
            self._recorder.account(share.label, now, "dropped")

    def _live(self, holding: Holding, user: int, left: Iterator[int] | None) -> None:
        share, load = holding.share, holding.share.load
        assert not isinstance(load, Rate)
        end = None if load.until is None else self._began + load.until
        mine = count(share.start if end is not None else 0) if left is None else left
        self._present += 1
        try:
            while self._stopped is None and not holding.released and (end is None or self._clock.now() < end):
                number = next(mine, None)
                if number is None:
                    return
                due = self._clock.now()
                holding.taken += 1
                self._recorder.account(share.label, due, "planned")
                visited = self._visit(holding, Arrival(share.entry, number, user), due)
                if not visited.stays or (end is None and isinstance(load, Users)):
                    return
                think = 0.0
                if load.think:
                    think = load.think.draw(chance(share.seed, share.entry, user, number, "think"))
                wake = self._clock.now() + think
                self._rest(holding, wake if end is None else min(wake, end))
        finally:
            self._present -= 1
            self._visitor.leave(share.entry, user)

    def _visit(self, holding: Holding, arrival: Arrival, due: float) -> Visited:
        me = _me()
        self._busy[me] = (holding, due)
        try:
            visited = self._visitor.visit(arrival)
        except (Interrupted, gevent.GreenletExit):
            visited = Visited("interrupted", stays=False)
        except BaseException:
            self._ended(holding, due, "failed")
            self._busy.pop(me, None)
            raise
        if self._busy.pop(me, None) is not None:
            self._ended(holding, due, visited.fate)
        return visited

    def _ended(self, holding: Holding, due: float, fate: Fate) -> None:
        self._recorder.account(holding.share.label, due, fate)
        holding.ended += 1

    def _interrupt(self, holding: Holding | None = None) -> None:
        """End the visits in flight of a share, or of all; runs in the hub."""
        for greenlet, (whose, _) in list(self._busy.items()):
            if holding in (None, whose) and greenlet in self._busy:
                greenlet.throw(Interrupted("the run ended"))

    def _abandon(self, holding: Holding | None = None) -> None:
        """Count who would not be interrupted as interrupted all the same."""
        for greenlet, (whose, due) in list(self._busy.items()):
            if holding in (None, whose):
                del self._busy[greenlet]
                self._ended(whose, due, "interrupted")
                greenlet.kill(block=False)
                self._gone(greenlet)
