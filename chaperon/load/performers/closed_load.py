"""The performer of closed loads: users start, make one visit after another, and leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count, islice

from chaperon.load.arrivals import Arrival, seeded_random, spells
from chaperon.load.curve import Curve, UserInterval
from chaperon.load.in_flight import VisitsInFlight
from chaperon.load.kinds.iterations import Iterations
from chaperon.load.kinds.think import Between
from chaperon.load.kinds.users import Users
from chaperon.load.performers.performer import Terms
from chaperon.load.share import ShareProgress

LONG = 3600.0


class _Seat:
    """The moment until which a user starts visits, a reading of the clock, None without an end."""

    __slots__ = ("off",)

    def __init__(self, off: float | None) -> None:
        self.off = off


class ClosedLoad:
    """Performs one share of users or iterations."""

    def __init__(self, flight: VisitsInFlight, holding: ShareProgress, terms: Terms) -> None:
        load, share = holding.load, holding.share
        assert isinstance(load, (Users, Iterations))
        self._flight = flight
        self._holding = holding
        self._load: Users | Iterations = load
        self._begun = flight.began + share.at
        self._seats: dict[int, _Seat] = {}
        self._finished: set[int] = set()
        self._ushering = False
        self._left: Iterator[int] | None = None
        if isinstance(load, Iterations) and not (load.each and not share.start):
            self._left = islice(load.numbers(share.index, share.of), share.start, None)
        # without an end each user makes one visit: users that have started theirs are done
        past = share.start if isinstance(load, Users) and load.until is None else 0
        self._coming = deque(self._spells()[past:])

    def __repr__(self) -> str:
        return f"<ClosedLoad {self._holding.share.name} of {len(self._seats)}>"

    def follow_curve(self, curve: Curve) -> None:
        """Continue along another curve: surplus users leave after their current visit, missing ones start."""
        flight = self._flight
        self._holding.load = self._load = self._load.following(curve)
        now = flight.clock.now() - self._begun
        spells = [s for s in self._spells() if s.off is None or s.off > now]
        here = {s.user: s for s in spells if s.on <= now}
        for user, seat in self._seats.items():
            seat.off = self._reading(here[user].off) if user in here else flight.clock.now()
        missing = [s for s in spells if s.on > now or not (s.user in self._seats or s.user in self._finished)]
        self._coming = deque(missing)
        if missing and not self._ushering:
            flight.spawn(self._holding, self.run)

    def run(self) -> None:
        """Start every user at its time. Blocks until the last one has started."""
        flight, holding = self._flight, self._holding
        self._ushering = True
        while self._coming and flight.going(holding):
            on = self._begun + self._coming[0].on
            if flight.clock.now() < on:
                flight.rest(holding, on)
                continue  # the next user may have changed
            spell = self._coming.popleft()
            if spell.user in self._seats:  # still making its previous visit
                self._seats[spell.user].off = self._reading(spell.off)
                continue
            seat = self._seats[spell.user] = _Seat(self._reading(spell.off))
            self._finished.discard(spell.user)
            flight.spawn(holding, self._live, spell.user, seat)
        self._ushering = False
        self._drop_the_rest()

    def _live(self, user: int, seat: _Seat) -> None:
        flight, holding, share, load = self._flight, self._holding, self._holding.share, self._load
        clock, me = flight.clock, share.unique(user)
        mine = self._numbers(user)
        restless = load.think is None and load.pacing is None
        once = isinstance(load, Users) and load.visits == 1
        account, loop = flight.recorder.count_visit, flight.loop
        flight.present += 1
        try:
            while flight.going(holding) and (seat.off is None or clock.now() < seat.off):
                if flight.paused:
                    flight.rest(holding, clock.now() + LONG if seat.off is None else seat.off)
                    continue
                if flight.held():
                    flight.wait_while_held(holding)
                    continue
                number = next(mine, None)
                if number is None:
                    self._finished.add(user)
                    return
                due = clock.now()
                holding.taken += 1
                flight.planned[share.label] += 1
                # mypyc: on the hot path all arguments are given by hand, also the default of *waited*
                account(share.label, due, "planned", 0.0, share=holding.name)
                arrival = Arrival(share.entry, share.unique(number), me, None, share.phases(due - flight.began))
                turn = loop.iteration
                visited = flight.visit(holding, arrival, due)
                if once or not visited.stays:
                    self._finished.add(user)
                    return
                if not restless or loop.iteration == turn:  # else the visit waited, and the other greenlets ran
                    self._rest(seat, self._wake(user, number, due))
        finally:
            flight.present -= 1
            del self._seats[user]
            flight.visitor.leave(share.entry, me)
            self._drop_the_rest()

    def _numbers(self, user: int) -> Iterator[int]:
        load, start = self._load, self._holding.share.start
        if self._left is not None:
            return self._left
        if isinstance(load, Iterations):
            return iter(range(user, load.total, load.users))
        return count(0 if load.until is None else start)

    def _wake(self, user: int, number: int, begun: float) -> float:
        """Return the moment of a user's next visit."""
        load, now = self._load, self._flight.clock.now()
        rested = now + self._drawn(load.think, user, number, "think")
        return max(rested, begun + self._drawn(load.pacing, user, number, "pacing"))

    def _drawn(self, span: Between | None, user: int, number: int, what: str) -> float:
        if span is None:
            return 0.0
        return (
            span.low
            if span.low == span.high
            else span.draw(seeded_random(self._holding.share.source, user, number, what))
        )

    def _rest(self, seat: _Seat, wake: float) -> None:
        flight = self._flight
        while True:
            until = wake if seat.off is None else min(wake, seat.off)
            flight.rest(self._holding, until)
            if flight.clock.now() >= until or not flight.going(self._holding):
                return

    def _drop_the_rest(self) -> None:
        """Count the remaining iterations as dropped when no user is left to make them."""
        flight, holding, load = self._flight, self._holding, self._load
        if self._seats or self._ushering or not isinstance(load, Iterations) or holding.released:
            return
        now = flight.clock.now()
        for _ in range(load.quota(holding.share.index, holding.share.of) - holding.taken):
            holding.taken += 1
            flight.planned[holding.share.label] += 1
            flight.account(holding, now, "planned")
            flight.account(holding, now, "dropped")

    def _spells(self) -> list[UserInterval]:
        share = self._holding.share
        return spells(self._load.curve, share.index, share.of)

    def _reading(self, offset: float | None) -> float | None:
        return None if offset is None else self._begun + offset
