"""The performer of users that arrive on a schedule."""

from __future__ import annotations

from typing import cast

from chaperon.load.arrival import Arrival
from chaperon.load.arrivals import seeded_random
from chaperon.load.in_flight import SUSPENSION_CHECK
from chaperon.load.kinds.think import Between
from chaperon.load.kinds.users_per_second import UsersPerSecond
from chaperon.load.performers.open_load import OpenLoad


class ArrivingUsers(OpenLoad):
    """Performs one share of new users a second.

    The first visit of a user is due when the user arrives, each further one when the previous
    visit has ended and the think time and pacing have passed. In the ledger all visits of a user
    belong to the second of the arrival. Visits that a user cannot make are counted as dropped:
    after a stop, after the share's time and grace, or after a visit that ended the session.
    """

    def _arrive(self, number: int, due: float) -> None:
        flight, progress, share = self._flight, self._progress, self._progress.share
        load, clock = cast(UsersPerSecond, progress.load), self._flight.clock
        if clock.now() - due > self._late:
            flight.flying[self._leg] -= 1
            self._drop(number, due, clock.now(), "late")
            return
        end = self._begun + load.curve.until + self._terms.grace
        user, made, ready, visits = share.unique(number), 0, due, load.visits
        flight.present += 1
        try:
            while made < visits and (made == 0 or (flight.stopped is None and clock.now() < end)):
                begun = clock.now()
                flight.health.late(begun - ready)
                arrival = Arrival(
                    share.entry,
                    share.unique(number * visits + made),
                    user,
                    ready,
                    share.phases.name_at(ready - flight.began),
                )
                made += 1
                if not flight.visit(progress, arrival, due).stays:
                    return
                if made < visits:
                    ready = self._rest(load, number, made, begun, end)
        finally:
            flight.present -= 1
            flight.flying[self._leg] -= 1
            for _ in range(visits - made):
                flight.count_visit(progress, due, "dropped")
            flight.visitor.leave(share.entry, user)

    def _rest(self, load: UsersPerSecond, number: int, made: int, begun: float, end: float) -> float:
        """Wait between two visits of a user; return when the next one is due, on the clock of the run."""
        flight = self._flight
        thought = flight.clock.now() + self._drawn(load.think, number, made, "think")
        ready = max(thought, begun + self._drawn(load.pacing, number, made, "pacing"))
        while flight.stopped is None and flight.clock.now() < min(ready, end):
            flight.wait_until(min(ready, end))
        while flight.stopped is None and flight.clock.now() < end and (flight.paused or flight.suspended()):
            flight.wait_until(end if flight.paused else flight.clock.now() + SUSPENSION_CHECK)
            ready = max(ready, flight.clock.now())
        return ready

    def _drawn(self, span: Between | None, number: int, made: int, what: str) -> float:
        if span is None:
            return 0.0
        if span.low == span.high:
            return span.low
        return span.draw(seeded_random(self._progress.share.source, number, made, what))
