"""An engine on a virtual clock, with visits that only take time."""

import gevent

from chaperon.load.engine import Engine, Leasing, VisitResult
from chaperon.load.share import deal, progress_of
from chaperon.measure.recorder import Recorder
from chaperon.measure.window import VisitCounts
from chaperon.testing import VirtualClock


class Visitors:
    """Visits that take *took* simulated seconds, noted with when they began."""

    def __init__(self, clock, took=0.0, stays=True, fate="done"):
        self.clock, self.took, self.stays, self.fate = clock, took, stays, fate
        self.visits, self.left, self.unbegun, self.given_up = [], [], [], []

    def visit(self, arrival):
        self.visits.append((arrival, self.clock.now()))
        self.clock.sleep(self.took(arrival) if callable(self.took) else self.took)
        return VisitResult(self.fate, self.stays)

    def leave(self, entry, user):
        self.left.append(user)

    def missed(self, arrival, now):
        self.unbegun.append((arrival, now))

    def abandoned(self, arrival):
        self.given_up.append(arrival)

    def interrupted(self, arrival, endless):
        """They do not handle it."""

    def unended(self, arrival):
        """Its visits have no blocks."""

    def endless(self, arrival, frame):
        return ""


class Stage:
    def __init__(
        self,
        load,
        visitors=None,
        *,
        shares=1,
        grace=10.0,
        keep_alive=False,
        engine=None,
        leasing=None,
        warmup=0.0,
        journal=None,
        **kwargs,
    ):
        self.clock = VirtualClock()
        self.visitors = (visitors or Visitors)(self.clock, **kwargs)
        self.began = self.clock.now()
        self.recorder = Recorder("test", began=self.began, journal=journal)
        self.shares = deal([("shop", load)], shares, warmup=warmup)
        self.grace, self.keep_alive, self.greenlet = grace, keep_alive, None
        self.progress = {}
        self.options, self.leasing = engine or {}, leasing or {}

    def play(self, until=None):
        if self.greenlet is None:
            self.progress.update(progress_of(self.shares))
            self.engine = Engine(
                self.progress,
                self.visitors,
                self.recorder,
                self.clock,
                began=self.began,
                grace=self.grace,
                leasing=Leasing(keep_alive=self.keep_alive, **self.leasing),
                **self.options,
            )
            self.greenlet = gevent.spawn(self.engine.perform)
        if until is None:
            self.clock.run(lambda: self.greenlet.dead)
        else:
            reached = []
            self.clock.after(self.began + until - self.clock.now(), lambda: reached.append(True))
            self.clock.run(lambda: bool(reached))
        return self

    def ledger(self):
        total = VisitCounts()
        for counts in self.recorder.cut().ledger.values():
            total.add(counts)
        return total

    def starts(self):
        return [round(at - self.began, 6) for _, at in self.visitors.visits]

    def busy(self, at):
        """How many visits were in flight at an offset, if each took as long as given."""
        return sum(s <= at < s + self.visitors.took for s in self.starts())
