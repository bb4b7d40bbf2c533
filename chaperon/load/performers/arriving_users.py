"""The performer of users that arrive on a schedule."""

from __future__ import annotations

from functools import partial
from typing import cast

from chaperon.load.arrival import Arrival
from chaperon.load.in_flight import LONG_REST, SUSPENSION_CHECK, VisitsInFlight
from chaperon.load.kinds.users_per_second import UsersPerSecond
from chaperon.load.performers.open_load import OpenLoad
from chaperon.load.performers.performer import Terms, drawn
from chaperon.load.share import ShareProgress


class _ArrivedUser:
    """A user that arrived at *due* and has *made* some visits; the next is due at *ready*: readings of the clock."""

    __slots__ = ("due", "made", "number", "ready")

    def __init__(self, number: int, due: float) -> None:
        self.number = number
        self.due = due
        self.made = 0
        self.ready = due


class ArrivingUsers(OpenLoad):
    """Performs one share of new users a second.

    The first visit of a user is due when the user arrives, each further one when the previous
    visit has ended and the think time and pacing have passed. In the ledger all visits of a user
    belong to the second of the arrival. Visits that a user cannot make are counted as dropped:
    after a stop, after the share's time and grace, or after a visit that ended the session.
    """

    def __init__(self, flight: VisitsInFlight, progress: ShareProgress, terms: Terms) -> None:
        super().__init__(flight, progress, terms)
        self._present: set[_ArrivedUser] = set()

    def close(self) -> None:
        """Count the further visits of the users that are still there as dropped: they will not end."""
        while self._present:
            self._drop_further(self._present.pop())

    def _arrive(self, number: int, due: float) -> None:
        flight = self._flight
        now = flight.clock.now()
        if now - due > self._late:
            flight.flying[self._leg] -= 1
            self._drop(number, due, now, "late")
            return
        flight.present += 1
        user = _ArrivedUser(number, due)
        self._present.add(user)
        self._continue(user)

    def _continue(self, user: _ArrivedUser) -> None:
        """Make the visits of a user until it leaves, or until a long rest, after which another greenlet continues."""
        flight, share = self._flight, self._progress.share
        resting = False
        try:
            resting = self._make_visits(user)
        finally:
            if not resting:
                flight.present -= 1
                flight.flying[self._leg] -= 1
                if user in self._present:
                    self._present.discard(user)
                    self._drop_further(user)
                flight.visitor.leave(share.entry, share.unique(user.number))

    def _drop_further(self, user: _ArrivedUser) -> None:
        for _ in range(cast(UsersPerSecond, self._progress.load).visits - user.made):
            self._flight.count_visit(self._progress, user.due, "dropped")

    def _make_visits(self, user: _ArrivedUser) -> bool:
        """Make visits until the user leaves (False) or is parked (True)."""
        flight, progress, share = self._flight, self._progress, self._progress.share
        load, clock = cast(UsersPerSecond, progress.load), flight.clock
        end = self._begun + load.curve.until + self._terms.grace
        me, visits = share.unique(user.number), load.visits
        while user.made < visits:
            if user.made and self._rests(user, end):
                return True
            begun = clock.now()
            if user.made and (flight.stopped is not None or begun >= end):
                return False
            flight.health.late(begun - user.ready)
            visit = share.unique(user.number * visits + user.made)
            phase = share.phases.name_at(user.ready - flight.began)
            user.made += 1
            if not flight.visit(progress, Arrival(share.entry, visit, me, user.ready, phase), user.due).stays:
                return False
            if user.made < visits:
                seed = share.source, user.number, user.made
                thought = clock.now() + drawn(load.think, *seed, "think")
                user.ready = max(thought, begun + drawn(load.pacing, *seed, "pacing"))
        return False

    def _rests(self, user: _ArrivedUser, end: float) -> bool:
        """Block until the next visit of a user is due; for a long wait, park the user instead and return True."""
        flight = self._flight
        while flight.stopped is None and flight.clock.now() < min(user.ready, end):
            until = min(user.ready, end)
            if until - flight.clock.now() >= LONG_REST:
                flight.park(self._progress, until, partial(self._continue, user))
                return True
            flight.wait_until(until)
        while flight.stopped is None and flight.clock.now() < end and (flight.paused or flight.suspended()):
            flight.wait_until(end if flight.paused else flight.clock.now() + SUSPENSION_CHECK)
            user.ready = max(user.ready, flight.clock.now())
        return False
