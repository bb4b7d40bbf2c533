"""The performer of closed loads: users start, make one visit after another, and leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from chaperon.load.arrival import Arrival
from chaperon.load.arrivals import seeded_random, user_intervals
from chaperon.load.curve import Curve, UserInterval
from chaperon.load.in_flight import LONG_REST, ParkedUser, VisitsInFlight
from chaperon.load.kinds.iterations import Iterations
from chaperon.load.kinds.users import Users
from chaperon.load.performers.performer import Terms, drawn
from chaperon.load.share import ShareProgress

LONG = 3600.0
BACK_OFF = 0.1
"""Seconds from the start of a user's second visit in a row without a connection to its next one; doubled each time."""
LONGEST_BACK_OFF = 1.0


class _ActiveUser:
    """A user that makes visits.

    *off* is the moment until which it starts visits, None without an end, and *wake* that until which it rests after
    the last one: readings of the clock. *refused* visits in a row had no connection.
    """

    __slots__ = ("number", "numbers", "off", "parked", "refused", "wake")

    def __init__(self, number: int, numbers: _Numbers, off: float | None) -> None:
        self.number = number
        self.numbers = numbers
        self.off = off
        self.wake = 0.0
        self.refused = 0
        self.parked: ParkedUser | None = None

    @property
    def until(self) -> float:
        """The moment at which its rest ends."""
        return self.wake if self.off is None else min(self.wake, self.off)


class _Numbers:
    """The numbers of a user's visits: from *number* in steps of *stride*, below *end* if that is not negative.

    With *shared* they come from an iterator that several users share.
    """

    __slots__ = ("_end", "_number", "_shared", "_stride")

    def __init__(self, number: int, stride: int, end: int, shared: Iterator[int] | None) -> None:
        self._number = number
        self._stride = stride
        self._end = end
        self._shared = shared

    def next(self) -> int:
        """Return the next number, -1 if there is none."""
        if self._shared is not None:
            return next(self._shared, -1)
        number = self._number
        if 0 <= self._end <= number:
            return -1
        self._number = number + self._stride
        return number


class ClosedLoad:
    """Performs one share of users or iterations."""

    def __init__(self, flight: VisitsInFlight, progress: ShareProgress, terms: Terms) -> None:
        load, share = progress.load, progress.share
        assert isinstance(load, (Users, Iterations))
        self._flight = flight
        self._progress = progress
        self._load: Users | Iterations = load
        self._begun = flight.began + share.at
        self._active: dict[int, _ActiveUser] = {}
        self._finished: set[int] = set()
        self._starting = False
        self._left: Iterator[int] | None = None
        if isinstance(load, Iterations) and not (load.each and not share.start):
            self._left = islice(load.numbers(share.index, share.of), share.start, None)
        # without an end each user makes one visit: users that have started theirs are done
        past = share.start if isinstance(load, Users) and load.until is None else 0
        self._upcoming = deque(self._intervals()[past:])

    def __repr__(self) -> str:
        return f"<ClosedLoad {self._progress.share.name} of {len(self._active)}>"

    def follow_curve(self, curve: Curve) -> None:
        """Continue along another curve: surplus users leave after their current visit, missing ones start."""
        flight = self._flight
        self._progress.load = self._load = self._load.following(curve)
        now = flight.clock.now() - self._begun
        intervals = [s for s in self._intervals() if s.off is None or s.off > now]
        here = {s.user: s for s in intervals if s.on <= now}
        for user, active in self._active.items():
            before = active.until
            active.off = self._reading(here[user].off) if user in here else flight.clock.now()
            if active.parked is not None and active.until < before:
                flight.resume(active.parked)
        missing = [s for s in intervals if s.on > now or not (s.user in self._active or s.user in self._finished)]
        self._upcoming = deque(missing)
        if missing and not self._starting:
            flight.spawn(self._progress, self.run)

    def run(self) -> None:
        """Start every user at its time. Blocks until the last one has started."""
        flight, progress = self._flight, self._progress
        self._starting = True
        while self._upcoming and flight.going(progress):
            on = self._begun + self._upcoming[0].on
            if flight.clock.now() < on:
                flight.rest(progress, on)
                continue  # the next user may have changed
            interval = self._upcoming.popleft()
            if interval.user in self._active:  # still making its previous visit
                self._active[interval.user].off = self._reading(interval.off)
                continue
            user = interval.user
            active = self._active[user] = _ActiveUser(user, self._numbers(user), self._reading(interval.off))
            self._finished.discard(user)
            flight.spawn(progress, self._run_user, active)
        self._starting = False
        self._drop_the_rest()

    def _run_user(self, active: _ActiveUser) -> None:
        """Make the visits of a user until it leaves, or until a long rest, after which another greenlet continues."""
        flight = self._flight
        if active.parked is None:
            flight.present += 1
        resting = False
        try:
            resting = self._make_visits(active)
        finally:
            if not resting:
                flight.present -= 1
                del self._active[active.number]
                share = self._progress.share
                flight.visitor.leave(share.entry, share.unique(active.number))
                self._drop_the_rest()

    def _make_visits(self, active: _ActiveUser) -> bool:
        """Make visits until the user leaves (False) or is parked (True)."""
        flight, progress, share, load = self._flight, self._progress, self._progress.share, self._load
        user, numbers, me = active.number, active.numbers, share.unique(active.number)
        now: Callable[[], float] = flight.clock.now
        restless = load.think is None and load.pacing is None
        once = isinstance(load, Users) and load.visits == 1
        recorder, loop, planned = flight.recorder, flight.loop, flight.planned_of(share.label)
        if active.parked is not None and now() < active.until and self._rests(active):
            return True
        while flight.going(progress):
            due = now()
            if active.off is not None and due >= active.off:
                break
            if flight.paused:
                flight.rest(progress, due + LONG if active.off is None else active.off)
                continue
            if flight.suspended():
                flight.wait_while_suspended(progress)
                continue
            number = numbers.next()
            if number < 0:
                self._finished.add(user)
                break
            progress.taken += 1
            planned.n += 1
            recorder.count_visit(share.label, due, "planned", 0.0, share=progress.name)
            phase = share.phases.name_at(due - flight.began)
            arrival = Arrival(share.entry, share.unique(number), me, None, phase)
            before = loop.iteration
            visited = flight.visit(progress, arrival, due)
            active.refused = active.refused + 1 if visited.unconnected else 0
            if once or not visited.stays:
                self._finished.add(user)
                break
            if active.refused > 1:
                back_off = self._back_off(user, number, active.refused)
                active.wake = max(self._wake(user, number, due), due + back_off)
            elif not restless or loop.iteration == before:  # else the visit waited, and the other greenlets ran
                active.wake = self._wake(user, number, due)
            else:
                continue
            if self._rests(active):
                return True
        return False

    def _numbers(self, user: int) -> _Numbers:
        load, start = self._load, self._progress.share.start
        if self._left is not None:
            return _Numbers(0, 0, 0, self._left)
        if isinstance(load, Iterations):
            return _Numbers(user, load.users, load.total, None)
        return _Numbers(0 if load.until is None else start, 1, -1, None)

    def _wake(self, user: int, number: int, begun: float) -> float:
        """Return the moment of a user's next visit."""
        load, now = self._load, self._flight.clock.now()
        source = self._progress.share.source
        rested = now + drawn(load.think, source, user, number, "think")
        return max(rested, begun + drawn(load.pacing, source, user, number, "pacing"))

    def _back_off(self, user: int, number: int, refused: int) -> float:
        """Return the least seconds between the starts of two visits, the last *refused* of which had no connection.

        Exponential back-off with jitter: without it, users of a target that is gone would start visits
        as fast as the generator can, use up its core, and hide why.
        """
        most = min(BACK_OFF * 2.0 ** min(refused - 2, 10), LONGEST_BACK_OFF)
        return most * (0.5 + 0.5 * seeded_random(self._progress.share.source, user, number, "back off").random())

    def _rests(self, active: _ActiveUser) -> bool:
        """Block until a user's rest has ended; for a long one, park the user instead and return True."""
        flight, progress = self._flight, self._progress
        while True:
            until = active.until
            if until - flight.clock.now() >= LONG_REST and flight.going(progress):
                active.parked = flight.park(progress, until, partial(self._run_user, active))
                return True
            flight.rest(progress, until)
            if flight.clock.now() >= until or not flight.going(progress):
                return False

    def _drop_the_rest(self) -> None:
        """Count the remaining iterations as dropped when no user is left to make them."""
        if not (self._active or self._starting):
            self.close()

    def close(self) -> None:
        """Count the remaining iterations as dropped; users that are still there will not end."""
        flight, progress, load = self._flight, self._progress, self._load
        if not isinstance(load, Iterations) or progress.released:
            return
        now = flight.clock.now()
        for _ in range(load.quota(progress.share.index, progress.share.of) - progress.taken):
            progress.taken += 1
            flight.planned_of(progress.share.label).n += 1
            flight.count_visit(progress, now, "planned")
            flight.count_visit(progress, now, "dropped")

    def _intervals(self) -> list[UserInterval]:
        share = self._progress.share
        return user_intervals(self._load.curve, share.index, share.of)

    def _reading(self, offset: float | None) -> float | None:
        return None if offset is None else self._begun + offset
