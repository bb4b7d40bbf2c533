"""What the visits of a random scenario do, and its own account of what happened in them."""

from collections import Counter
from contextlib import contextmanager

import gevent


class Broken(Exception):
    """What a step raises."""


class Told:
    """What happened in the visits, by the scenario's own account."""

    def __init__(self, clock):
        self.clock = clock
        self.begun, self.good, self.bad = Counter(), Counter(), Counter()
        self.values, self.taken = Counter(), {}
        self.replies, self.refused, self.late = Counter(), 0, 0
        self.astray = False

    @contextmanager
    def block(self, session, name, kind):
        """Measure a block, and count it."""
        shown = f"{kind} {name}" if kind == "call" else name
        self.begun[shown] += 1
        began = self.clock.now()
        try:
            with session.measure(name, kind=kind) as block:
                yield block
        except BaseException:
            self.bad[shown] += 1
            raise
        self.bad[shown] += block._failure is not None
        self.good[shown] += block._failure is None
        if block._failure is None:
            self.taken.setdefault(shown, []).append(self.clock.now() - began)


def _quick(session, told, rows):
    with told.block(session, "work", "http"):
        session.sleep(session.random.choice([0.01, 0.1, 0.4]))


def _slow(session, told, rows):
    with told.block(session, "work", "http"):
        session.sleep(session.random.choice([1.0, 6.0]))


def _nested(session, told, rows):
    with told.block(session, "outer", "call") as block:
        with told.block(session, "work", "http"):
            session.sleep(0.2)
        block.fail("odd")


def _raise(session, told, rows):
    with told.block(session, "work", "http"):
        session.sleep(0.05)
        raise Broken("no price")


def _leave(session, told, rows):
    raise session.random.choice([Broken, SystemExit, gevent.GreenletExit, KeyError])("away")


def _tasks(session, told, rows):
    for _ in range(3):
        session.spawn(_quick, told, rows)
    if session.random.random() < 0.5:
        session.join_all()


def _bad_task(session, told, rows):
    session.spawn(_raise, told, rows)
    session.sleep(0.2)


def _periodic(session, told, rows):
    with session.every(0.3, lambda s: _quick(s, told, rows)):
        session.sleep(2.0)


def _loop(session, told, rows):
    for _ in session.loop(session.random.choice([1.0, None]), pace=0.5):
        _quick(session, told, rows)
        if session.random.random() < 0.1:
            break


def _retry(session, told, rows):
    session.retry(lambda: _raise(session, told, rows), attempts=3, delay=0.1)


def _timeout(session, told, rows):
    with session.timeout(0.3):
        _slow(session, told, rows)


def _swallow(session, told, rows):
    try:
        _slow(session, told, rows)
    except BaseException:  # an interrupt, too
        session.sleep(session.random.choice([0.0, 0.5, 40.0]))


def _stubborn(session, told, rows):
    until = session.clock.now() + 30.0
    while session.clock.now() < until:
        try:
            session.sleep(5.0)
        except BaseException:
            told.values["swallowed"] += 1


def _astray(session, told, rows):
    told.astray = True
    gevent.spawn(_slow, session, told, rows)


def _record(session, told, rows):
    session.check("fine", session.random.random() < 0.7)
    session.record("weight", 3.5, unit="kg")
    session.count("items", 2)
    session.gauge("level", session.random.random())
    told.values.update({"check fine": 1, "weight (kg)": 1, "items": 1, "level": 1})


def _ask(session, told, rows):
    span, status = session.random.choice([0.01, 0.3, 3.0]), session.random.choice([200, 200, 200, 404, 503, 0])
    told.begun["asked"] += 1
    try:
        reply = session.get(f"/{span}/{status}", name="asked", timeout=2.0)
    except BaseException:
        told.bad["asked"] += 1
        raise
    told.replies[reply.status_code] += 1
    told.bad["asked"] += status >= 400
    if session.random.random() < 0.3:
        session.sleep(session.random.choice([0.0, 0.2, 3.0]))
        told.refused += status < 400
        told.late += 1
        reply.fail("no price")
        reply.fail("again")


def _take(session, told, rows):
    session.take(rows)


def _abort(session, told, rows):
    if session.random.random() < 0.3:
        session.abort("enough of it")


def _stop_run(session, told, rows):
    if session.random.random() < 0.1:
        session.stop_run("the scenario says so")


def _tagged(session, told, rows):
    with session.tagged(area="a" if session.random.random() < 0.5 else "b"):
        _quick(session, told, rows)


ACTS = {
    "quick": (_quick, 6),
    "ask": (_ask, 4),
    "slow": (_slow, 3),
    "nested": (_nested, 2),
    "raise": (_raise, 3),
    "leave": (_leave, 1),
    "tasks": (_tasks, 2),
    "bad task": (_bad_task, 1),
    "periodic": (_periodic, 2),
    "loop": (_loop, 2),
    "retry": (_retry, 1),
    "timeout": (_timeout, 2),
    "swallow": (_swallow, 2),
    "stubborn": (_stubborn, 1),
    "astray": (_astray, 1),
    "record": (_record, 2),
    "take": (_take, 1),
    "abort": (_abort, 1),
    "stop run": (_stop_run, 1),
    "tagged": (_tagged, 1),
}
"""What a visit does, with the weight by which it is drawn."""
