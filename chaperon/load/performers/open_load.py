"""The performer of open loads: each visit starts when it is due, independent of the target's speed."""

from __future__ import annotations

from typing import cast

from chaperon.load.arrival import Arrival
from chaperon.load.arrivals import offsets
from chaperon.load.curve import Curve
from chaperon.load.in_flight import VisitsInFlight
from chaperon.load.kinds.arriving import Arriving
from chaperon.load.kinds.rate import Rate
from chaperon.load.performers.performer import Terms
from chaperon.load.share import ShareProgress
from chaperon.measure.window import VisitOutcome

DROPPED_AT_ONCE = 200
"""Arrivals that are too late to start, after which other greenlets run."""
NO_USER = -1
"""The user number of an arrival that never started."""


class OpenLoad:
    """Performs one share of a rate, or the arrivals of another open load.

    An arrival is dropped, and counted with the seconds since it was due, if the cap on visits in
    flight of its leg is reached, or if it would start more than `Terms.late` seconds after it was due.
    """

    def __init__(self, flight: VisitsInFlight, progress: ShareProgress, terms: Terms) -> None:
        self._flight = flight
        self._progress = progress
        self._terms = terms
        self._pool = terms.pool
        self._late = terms.late
        self._leg = (progress.share.entry, progress.share.leg)
        self._begun = flight.began + progress.share.at
        self._next: tuple[int, float] | None = None
        self._restart()
        self._cap = terms.cap(self._load.in_flight)

    def __repr__(self) -> str:
        return f"<OpenLoad {self._progress.share.name}>"

    def follow_curve(self, curve: Curve) -> None:
        """Continue along another curve, from the next arrival on."""
        self._progress.load = self._progress.load.following(curve)
        self._restart()

    def close(self) -> None:
        """Do nothing: each visit that was planned has begun or was dropped."""

    def run(self) -> None:
        """Start every visit of the share when it is due. Blocks until the time of the share is over."""
        flight, progress = self._flight, self._progress
        end = self._begun + self._load.curve.until
        dropped_at_once = 0
        while True:
            if self._next is None:  # no further arrival is due, unless the load is changed
                if flight.clock.now() < end and flight.going(progress):
                    flight.rest(progress, end)
                elif not flight.wait_for_changes(progress, end):
                    return
                continue
            number, offset = self._next
            due = self._begun + offset
            if flight.clock.now() - due <= self._late or dropped_at_once >= DROPPED_AT_ONCE:
                dropped_at_once = 0
                flight.rest(progress, due)
            else:
                dropped_at_once += 1  # too late to start: giving way for each would make it drop later and later
            flight.wait_while_suspended(progress)
            if progress.released:
                progress.handed = True
                flight.on_share_ended()
                return
            now = flight.clock.now()
            if flight.stopped is not None:
                if due > flight.stopped:
                    return
            elif due > now:
                continue  # woken because something changed: look again
            self._next = next(self._schedule, None)
            progress.taken += self._load.visits_each
            flight.planned_of(progress.share.label).n += self._load.visits_each
            self._count_visits(due, "planned")
            if due < progress.since:
                self._count_visits(due, "lost")  # the master adds their samples: see `LossAccounting`
            elif flight.stopped is not None:
                self._count_visits(due, "dropped", now - due)
                self._missed(number, due, now)
            elif now - due > self._late:
                self._drop(number, due, now, "late")
            elif self._cap is not None and flight.flying[self._leg] >= self._cap:
                self._drop(number, due, now, "cap")
            else:
                flight.flying[self._leg] += 1
                flight.spawn(progress, self._arrive, number, due)

    def _arrive(self, number: int, due: float) -> None:
        flight, share = self._flight, self._progress.share
        now = flight.clock.now()
        if now - due > self._late:
            flight.flying[self._leg] -= 1
            self._drop(number, due, now, "late")
            return
        flight.health.late(now - due)
        user = self._pool.borrow(self._progress)
        flight.present += 1
        try:
            visited = flight.visit(self._progress, self._arrival(number, user, due), due)
        finally:
            flight.present -= 1
            flight.flying[self._leg] -= 1
        if visited.stays and not cast(Rate, self._load).fresh:
            self._pool.put_back(share.entry, user)
        else:
            flight.visitor.leave(share.entry, user)

    def _drop(self, number: int, due: float, now: float, why: str) -> None:
        self._count_visits(due, "dropped", now - due)
        self._flight.health.dropped(why, now - due)
        self._missed(number, due, now)

    def _count_visits(self, due: float, outcome: VisitOutcome, waited: float = 0.0) -> None:
        """Count all visits of one arrival in the ledger; *waited* is the seconds since the first of them was due."""
        self._flight.count_visit(self._progress, due, outcome, waited)
        for _ in range(self._load.visits_each - 1):
            self._flight.count_visit(self._progress, due, outcome)

    def _missed(self, number: int, due: float, now: float) -> None:
        """Record the response time of a visit that never started: at least the time since it was due."""
        self._flight.visitor.missed(self._arrival(number, NO_USER, due), now)

    def _arrival(self, number: int, user: int, due: float) -> Arrival:
        share = self._progress.share
        return Arrival(share.entry, share.unique(number), user, due, share.phases.name_at(due - self._flight.began))

    def _restart(self) -> None:
        share = self._progress.share
        self._load = cast(Arriving, self._progress.load)
        arrivals = self._progress.taken // self._load.visits_each
        self._schedule = offsets(self._load, share.index, share.of, seed=share.source, skip=arrivals)
        self._next = next(self._schedule, None)
