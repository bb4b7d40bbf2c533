"""Timers of the hub: every call once, in order, at the resolution of the kernel's clock."""

import math
import os

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from chaperon.alarms import LoopAlarm, TimerFd
from chaperon.clock import HubClock
from chaperon.timers import CALLS_PER_ITERATION, STALE, Timers, timers_of


class Ringer:
    """An alarm that rings when the test says so."""

    precise = False

    def __init__(self):
        self.due, self.rings = None, None

    def set(self, due):
        self.due = due

    def listen(self, ring):
        self.rings = ring

    def ignore(self):
        self.rings = None


class Bench:
    """Timers on a clock, an alarm and a loop of the test's own."""

    def __init__(self):
        self.now, self.alarm, self.made, self.faults = 0.0, Ringer(), [], []
        self.loop, self.ready = self, []
        self.timers = Timers(self, lambda: self.now, self.alarm)

    def run_callback(self, deed):
        self.ready.append(deed)

    def iterate(self):
        """Run what is ready, as an iteration of the loop does before it waits."""
        while self.ready:
            self.ready.pop(0)()

    def ring(self):
        self.alarm.rings()
        self.iterate()

    def handle_error(self, context, kind, value, trace):
        self.faults.append(value)

    def at(self, due, name=None):
        return self.timers.at(due, lambda: self.made.append((self.now, due if name is None else name)))

    def pass_until(self, end):
        self.iterate()
        while self.alarm.rings is not None and self.alarm.due <= end:
            self.now = max(self.now, self.alarm.due)
            self.ring()
        self.now = end


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=40))
def test_every_call_is_made_once_when_it_is_due_unless_it_was_cancelled(calls):
    bench = Bench()

    made = [(due, bench.at(due), cancel) for due, cancel in calls]
    for _, call, cancel in made:
        if cancel:
            call.cancel()
            call.cancel()
    bench.pass_until(1000.0)

    assert bench.made == [(due, due) for due in sorted(due for due, _, cancel in made if not cancel)]
    assert bench.alarm.rings is None  # nothing keeps the loop any longer


def test_a_call_that_is_due_before_all_others_sets_the_alarm_anew():
    bench = Bench()

    bench.at(5.0)
    bench.at(9.0)
    bench.iterate()
    assert bench.alarm.due == 5.0
    bench.at(2.0)
    bench.iterate()

    assert bench.alarm.due == 2.0


def test_the_alarm_is_set_once_an_iteration_after_the_greenlets_that_are_ready():
    bench = Bench()
    begun, alarms = [], []
    bench.alarm.set = alarms.append

    def start():
        bench.run_callback(lambda: begun.append(list(alarms)))
        for due in (4.0, 3.0, 2.0):
            bench.timers.at(due, lambda: None)

    bench.timers.at(1.0, start)
    bench.iterate()
    bench.now = 1.0
    bench.ring()

    assert begun == [[1.0]]
    assert alarms == [1.0, 2.0]


def test_a_call_that_fails_takes_no_other_with_it():
    bench = Bench()
    bench.timers.at(1.0, lambda: 1 / 0)
    bench.at(1.0, "other")

    bench.pass_until(2.0)

    assert bench.made == [(1.0, "other")]
    assert [type(fault) for fault in bench.faults] == [ZeroDivisionError]


def test_calls_that_call_again_at_once_let_the_hub_turn_between():
    bench = Bench()

    def again():
        bench.made.append(bench.now)
        bench.timers.at(bench.now, again)

    bench.timers.at(1.0, again)
    bench.iterate()
    bench.now = 1.0
    bench.ring()

    assert bench.made == [1.0]
    assert bench.alarm.due == 1.0


def test_calls_that_are_due_together_are_made_in_groups_between_which_the_loop_turns():
    bench, turns = Bench(), []
    for number in range(5 * CALLS_PER_ITERATION):
        bench.at(1.0, number)

    bench.iterate()
    bench.now = 1.0
    while bench.alarm.rings is not None:
        bench.ring()
        turns.append(len(bench.made))

    assert turns[:5] == [
        CALLS_PER_ITERATION,
        2 * CALLS_PER_ITERATION,
        3 * CALLS_PER_ITERATION,
        4 * CALLS_PER_ITERATION,
        5 * CALLS_PER_ITERATION,
    ]
    assert [name for _, name in bench.made] == list(range(5 * CALLS_PER_ITERATION))


def test_cancelled_calls_do_not_pile_up():
    bench = Bench()
    bench.at(10_000.0)

    for i in range(20 * STALE):
        bench.at(5_000.0 + i).cancel()

    assert len(bench.timers._calls) <= 2 * STALE
    bench.pass_until(20_000.0)
    assert bench.made == [(10_000.0, 10_000.0)]


class Slow(Bench):
    """A machine that takes *latency* seconds to run a thread whose alarm rings, and a microsecond to read the clock."""

    def __init__(self, latency):
        super().__init__()
        self.alarm.precise = True
        self.latency, self.spun = latency, 0.0
        self.timers._now = self.read

    def read(self):
        self.now += 1e-6
        return self.now

    def wake(self, due):
        late = []
        self.timers.at(due, lambda: late.append(self.now - due), sharp=True)
        self.iterate()
        while not late:
            self.now = max(self.now, self.alarm.due) + self.latency()
            woken = self.now
            self.ring()
            self.spun += self.now - woken
        return late[0]


@pytest.mark.parametrize("latency", [20e-6, 120e-6, 250e-6])
def test_sharp_calls_are_made_on_time_however_long_a_thread_takes_to_run(latency):
    bench = Slow(lambda: latency)

    late = [bench.wake(i / 100) for i in range(1, 400)]

    assert all(0.0 <= each < 20e-6 for each in late[100:])
    assert bench.spun < 0.02 * 4


def test_the_wait_in_a_loop_is_bounded_where_the_latency_jumps():
    latencies = iter([250e-6] * 500 + [0.0] * 5_000)
    bench = Slow(lambda: next(latencies))

    late = [bench.wake(i / 10_000) for i in range(1, 5_000)]

    assert min(late) >= 0.0
    assert bench.spun < 0.02 * 0.5 + 0.02


@pytest.mark.parametrize("kind", [TimerFd, LoopAlarm])
def test_both_alarms_wake_in_order(kind):
    hub, now = gevent.get_hub(), HubClock.now
    timers = Timers(hub, now, TimerFd(hub) if kind is TimerFd else LoopAlarm(hub, now))
    woken = []

    def nap(seconds):
        start = now()
        timers.sleep(seconds)
        woken.append((seconds, now() - start))

    gevent.joinall([gevent.spawn(nap, n / 500) for n in (5, 1, 3, 2, 4)], raise_error=True)

    gevent.sleep(0)

    assert [asked for asked, _ in woken] == [n / 500 for n in (1, 2, 3, 4, 5)]
    assert all(took >= asked for asked, took in woken)
    assert not timers._listening  # the loop may end


@settings(max_examples=examples(20))
@given(st.lists(st.floats(0.0, 0.004), min_size=1, max_size=20))
def test_nobody_wakes_before_the_time(spans):
    clock, early = HubClock(), []

    def nap(span):
        start = clock.now()
        clock.sleep(span)
        if clock.now() - start < span:
            early.append(span)

    gevent.joinall([gevent.spawn(nap, span) for span in spans], raise_error=True)

    assert early == []


def test_a_sleeper_can_be_woken_by_an_exception_and_leaves_nothing_behind():
    hub = gevent.get_hub()
    timers = Timers(hub, HubClock.now, LoopAlarm(hub, HubClock.now))  # shared with no other test
    sleeper = gevent.spawn(timers.sleep, 1000.0)
    gevent.sleep(0)

    sleeper.kill()

    gevent.sleep(0)

    assert sleeper.dead
    assert timers._calls == []
    assert not timers._listening


@pytest.mark.parametrize("span", [1e6, 1e12, math.inf])
def test_a_sleep_may_be_longer_than_any_timer(span):
    clock = HubClock()
    sleeper = gevent.spawn(clock.sleep, span)

    clock.sleep(0.01)

    assert not sleeper.ready()
    sleeper.kill()


def test_the_hub_itself_is_not_put_to_sleep():
    clock, seen = HubClock(), []

    def deed():
        try:
            clock.sleep(0.1)
        except RuntimeError as exc:
            seen.append(str(exc))

    clock.after(0.0, deed)
    clock.sleep(0.01)

    assert len(seen) == 1
    assert "must not block" in seen[0]


@pytest.mark.processes
def test_timers_are_the_same_for_a_hub_and_another_child_process_has_its_own():
    hub, now = gevent.get_hub(), HubClock.now
    mine = timers_of(hub, now, monotonic=True)
    read, write = os.pipe()

    child = gevent.os.fork()
    if not child:
        os.write(write, b"own" if timers_of(hub, now, monotonic=True) is not mine else b"shared")
        os._exit(0)
    os.waitpid(child, 0)

    assert timers_of(hub, now, monotonic=True) is mine
    assert os.read(read, 10) == b"own"
    os.close(read)
    os.close(write)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="a timerfd is Linux's")
@pytest.mark.alone
def test_waits_end_within_a_fraction_of_a_millisecond():
    clock, late = HubClock(), []

    for _ in range(200):
        start = clock.now()
        clock.sleep(0.0033)  # epoll alone would wait 4 ms
        late.append(clock.now() - start - 0.0033)

    assert sorted(late)[20] < 0.0003  # of a busy machine the best tenth says what the timer can do
