"""Twelve situations in which a load test says the truth, or says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.queue_target import Pause, Service
from benchmarks.truth_runs import Asked, engine_killed, interrupted, stopped

MANY = Service(0.02)
"""20 ms a request, however many there are."""

BLOCKING = """import gc

from chaperon import step

HEAP = []


def init(session):
    if not HEAP:
        HEAP.extend([number] for number in range(1_500_000))


@step
def home(session):
    session.get("/")
    if session.visit.number % 150 == 50:
        gc.collect()
    if session.visit.number % 150 == 100:
        pow(3, 1_500_000)
"""
"""It holds the interpreter: a collection of a large heap, a long call during which no greenlet runs."""


@dataclass(frozen=True)
class Situation:
    """One situation: what is asked, given the visits a second that use up one core.

    *verdicts* are those that are right. With *honest* every figure must be true and none may be marked; in any
    other a figure that is not true must be marked, or the verdict INVALID. *tolerance* (seconds, of service times and
    of the p95 of response times) takes the place of the usual one; marks are then counted, and no fault: a tenth of a
    figure is more than such a tolerance. *whole*: all that was planned must be planned, which
    is not so where a person ends the run.
    """

    name: str
    what: str
    asked: Callable[[float], Asked]
    verdicts: tuple[str, ...] = ("PASS",)
    honest: bool = False
    tolerance: tuple[float, float] | None = None
    whole: bool = True


SITUATIONS = (
    Situation(
        "queue",
        "Poisson arrivals at 70 % of one server of 5 ms (M/D/1), 100 s",
        lambda _: Asked('rate(140, hold="100s", poisson=True)', Service(0.005, one=True)),
        honest=True,
        tolerance=(0.0003, 0.0007),
    ),
    Situation(
        "closed",
        "20 users with 30 to 70 ms of think time, 20 ms a request, 20 s",
        lambda _: Asked('users(20, hold="20s", think=between(0.03, 0.07))', MANY),
        honest=True,
    ),
    Situation(
        "errors",
        "three of ten requests answered with 500 at once, the others after 20 ms, no work in 0.2 of every 2 s, 20 s",
        lambda _: Asked(
            'rate(100, hold="20s")',
            Service(0.02, errors=0.3, pause=Pause(1.0, 0.2, 2.0)),
            options=("--limit", "errors < 50%"),
        ),
        honest=True,
    ),
    Situation(
        "freeze",
        "the target answers nothing after 4 of 6 s; p95 limits of 100 ms",
        lambda _: Asked(
            'rate(100, hold="6s")',
            Service(0.001, pause=Pause(4.0, 1e6)),
            options=("--grace", "1s", "--limit", "p95(GET /) < 100ms", "--limit", "p95(visit) < 100ms"),
        ),
        verdicts=("FAIL", "INVALID"),
    ),
    Situation(
        "saturated",
        "100 users without think time, 0.1 ms a request, 4 s: a core used up in a short run",
        lambda _: Asked('users(100, hold="4s")', Service(0.0001), options=("--limit", "p95(GET /) < 50ms")),
        verdicts=("INVALID",),
    ),
    Situation(
        "shared core",
        "20 users, 2 ms a request, 10 s, a busy loop on the generator's core",
        lambda _: Asked('users(20, hold="10s")', Service(0.002), beside=True),
        verdicts=("PASS", "INVALID"),
    ),
    Situation(
        "nearly full",
        "an open load of 90 % of what the generator's core can send, 2 ms a request, 6 s",
        lambda full: Asked(f'rate({0.9 * full:.0f}, hold="6s")', Service(0.002)),
        verdicts=("PASS", "INVALID"),
    ),
    Situation(
        "blocking",
        "a scenario that collects garbage and calls what holds the interpreter, 20 ms a request, 15 s",
        lambda _: Asked('rate(100, hold="15s")', MANY, scenario=BLOCKING),
        verdicts=("PASS", "INVALID"),
    ),
    Situation(
        "stop",
        "Ctrl-C after 5 of 20 s",
        lambda _: Asked('rate(100, hold="20s")', MANY, blow=interrupted(5.0)),
        verdicts=("ABORTED",),
        honest=True,
        whole=False,
    ),
    Situation(
        "master stopped",
        "two processes for 22 s, the master stands still from second 5 to 20",
        lambda _: Asked('rate(50, hold="22s")', MANY, options=("--processes", "2"), blow=stopped(5.0, 15.0)),
        verdicts=("PASS", "INVALID"),
    ),
    Situation(
        "worker killed",
        "two processes for 12 s, one is killed after 4",
        lambda _: Asked('rate(50, hold="12s")', MANY, options=("--processes", "2"), blow=engine_killed(4.0)),
        verdicts=("PASS", "INVALID"),
    ),
    Situation(
        "dropped",
        "300/s to one server that can do 200/s, at most 20 visits in flight, 5 s",
        lambda _: Asked('rate(300, hold="5s", in_flight=20)', Service(0.005, one=True)),
        verdicts=("INVALID",),
    ),
)
