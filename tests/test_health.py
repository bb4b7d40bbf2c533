"""The generator sees what it does wrong itself, and which line of the scenario did it."""

import gc
import os
import sys
import time
from types import SimpleNamespace

import gevent
import pytest
from gevent.monkey import get_original
from waits import lasting, until

from chaperon.author_frames import stack_text
from chaperon.clock import HubClock
from chaperon.load.generator.evidence import Counters, Spent, cause
from chaperon.load.generator.health import Health
from chaperon.load.generator.host import ports
from chaperon.load.generator.watchdog import BlockingWatchdog, _Stop

blocking_sleep = get_original("time", "sleep")


@pytest.fixture
def watched():
    """Health that watches this hub; `look` lets it see for a while, then says what it saw."""
    clock = HubClock()
    health = Health(clock, real_time=True)
    read, rounds = health._sentinel._spent, []
    health._sentinel._spent = lambda: rounds.append(None) or read()
    ticker = gevent.spawn(health.tick)
    health.start()
    until(lambda: len(rounds) > 2)
    health.cut()

    def look():
        began = len(rounds)
        until(lambda: len(rounds) > began + 2)
        seen = []
        return health.cut(seen.append), seen

    look.health = health
    yield look
    health.stop()
    ticker.kill()


def of_kind(seen, kind):
    return [h for h in seen if h.kind == kind]


@pytest.mark.alone
def test_a_blocking_call_is_seen_with_its_line(watched):
    def step_of_mine():
        blocking_sleep(0.4)

    step_of_mine()

    figures, seen = watched()
    (blocked,) = of_kind(seen, "blocked")
    assert "test_health.py" in blocked.text
    assert "in step_of_mine, called by" in blocked.text
    assert "blocking_sleep(0.4)" in blocked.text
    assert blocked.took == pytest.approx(0.4, abs=0.15)
    assert figures["lag_max"] > 0.25


@pytest.mark.processes
def test_a_loop_that_computes_is_seen_though_what_it_calls_comes_and_goes(watched):
    def compute(until):
        while time.perf_counter() < until:
            sum(range(100))

    compute(time.perf_counter() + 0.4)

    _, seen = watched()
    assert any("test_health.py" in h.text for h in of_kind(seen, "blocked"))


@pytest.mark.alone
def test_a_call_that_keeps_the_interpreter_lock_is_told_apart(watched):
    pow(3, 3_000_000)  # one call into C: no other thread gets the lock

    _, seen = watched()
    stops = [h for h in seen if h.kind in ("held", "starved", "stolen")]
    assert stops  # on a busy machine most of that time may have gone to others
    for h in of_kind(seen, "held"):
        assert "kept the interpreter lock, at or just before test_health.py" in h.text
        assert "pow(3, 3_000_000)" in h.text


@pytest.mark.alone
def test_the_line_that_kept_the_interpreter_lock_is_read_before_the_counters(monkeypatch):
    def read_slowly(path):
        blocking_sleep(0.01)  # the hub gets the lock meanwhile, and goes on to its next line
        raise FileNotFoundError(path)

    clock = HubClock()
    watchdog, lines = BlockingWatchdog(clock.now, clock.now(), read=read_slowly), []
    monkeypatch.setattr(watchdog, "_missed", lambda last, missed, spent, line: lines.append(line))
    watchdog.start()
    lasting(0.2)
    lines.clear()
    pow(3, 3_000_000)
    until(lambda: lines)
    watchdog.stop()

    assert lines[0].endswith("pow(3, 3_000_000)")


def test_a_paused_process_is_told_apart_by_its_processor_time():
    sentinel = BlockingWatchdog(lambda: 100.0, 100.0)

    sentinel._missed(101.0, 2.0, Spent(cpu=0.02), "")
    sentinel._missed(104.0, 2.0, Spent(cpu=1.96), "shop.py:7")

    assert [(h.at, h.kind, h.took) for h in sentinel.seen()] == [(1.0, "paused", 2.0), (4.0, "held", 2.0)]


@pytest.mark.parametrize(
    ("spent", "kind", "words"),
    [
        (Spent(cpu=1.9), "held", "a call kept the interpreter lock, at or just before "),
        (Spent(cpu=1.1, queued=0.8), "held", "a call kept the interpreter lock, at or just before "),
        (Spent(cpu=1.9, gc=1.8), "collected", "garbage was collected"),
        (Spent(cpu=0.4, throttled=1.6, throttles=16.0), "throttled", "the CPU quota of the control group was used up"),
        (Spent(cpu=0.2, steal=1.7), "stolen", "the hypervisor ran other machines"),
        (Spent(cpu=0.2, queued=1.7, own=1.7), "starved", "other processes kept the cores"),
        (Spent(cpu=0.1), "paused", "cause unknown"),
        (Spent(cpu=0.3, throttled=0.4, steal=0.2, own=0.3), "paused", "cause unknown"),
    ],
)
def test_each_cause_of_a_stop_has_evidence_of_its_own(spent, kind, words):
    sentinel = BlockingWatchdog(lambda: 100.0, 100.0)

    sentinel._missed(101.0, 2.0, spent, "shop.py:7")

    (seen,) = sentinel.seen()
    assert seen.kind == kind
    assert words in seen.text


@pytest.mark.parametrize(
    ("spent", "kind"),
    [
        (Spent(), "blocked"),  # a call that sleeps
        (Spent(cpu=1.0), "blocked"),  # one that computes
        (Spent(cpu=0.2, queued=0.8), "blocked"),  # one that computes beside others
        (Spent(throttled=0.8), "throttled"),
        (Spent(steal=0.7), "stolen"),
        (Spent(cpu=0.9, gc=0.8), "collected"),
    ],
)
def test_a_call_is_not_blamed_for_what_kept_it_from_going_on(spent, kind):
    sentinel = BlockingWatchdog(lambda: 102.0, 100.0)
    sentinel._beat, sentinel._stop = 101.0, _Stop(1, 0, 101.04, "shop.py:7 in browse: session.get('/')")

    sentinel._relieved(102.0, spent)

    (seen,) = sentinel.seen()
    assert seen.kind == kind
    assert ("shop.py:7" in seen.text) is (kind == "blocked")


MISSES = {
    "none": (Spent(), 0.0, 1.0, []),
    "no core": (Spent(own=0.5), 0.5, 1.0, ["starved"]),
    "stopped": (Spent(), 0.5, 0.5, ["paused"]),
    "throttled": (Spent(throttled=0.5), 0.5, 0.5, ["throttled"]),
    "a call into C": (Spent(cpu=0.5), 0.5, 0.5, ["held"]),
    "all the time": (Spent(), 0.95, 0.0, ["paused"]),
}
"""What a process did while the watching thread was late, for how long, and how long the call is then said to last."""


@pytest.mark.parametrize(("spent", "missed", "took", "kinds"), MISSES.values(), ids=MISSES)
@pytest.mark.parametrize("relieved", [False, True], ids=["to the end", "relieved"])
def test_a_call_that_blocks_is_named_though_the_watching_thread_was_late_meanwhile(
    monkeypatch, spent, missed, took, kinds, relieved
):
    clock = [100.0]
    watchdog = BlockingWatchdog(lambda: clock[0], 100.0)
    frame = sys._getframe()
    monkeypatch.setattr(sys, "_current_frames", lambda: {watchdog._hub: frame})

    watchdog._look(100.0, Spent())
    if missed:
        watchdog._missed(100.0, missed, spent, "shop.py:7")
    watchdog._look(100.9, Spent().plus(spent))
    clock[0] = 101.0
    if relieved:
        watchdog._beat = 101.0
        watchdog._relieved(101.0, Spent().plus(spent))
        took += 0.1 if took else 0.0  # it began up to so much before it was seen
    else:
        watchdog.stop()

    seen = list(watchdog.seen())
    assert [event.kind for event in seen] == [*kinds, *["blocked"] * (took > 0)]
    assert [event.took for event in seen if event.kind == "blocked"] == [pytest.approx(took)] * (took > 0)


def test_a_call_that_began_in_a_pause_of_the_process_is_not_charged_with_the_pause(monkeypatch):
    watchdog = BlockingWatchdog(lambda: 100.0, 100.0)
    frames = [sys._getframe()]
    monkeypatch.setattr(sys, "_current_frames", lambda: {watchdog._hub: frames[0]} if frames else {})

    watchdog._missed(100.0, 2.0, Spent(throttled=2.0), "shop.py:7")
    watchdog._look(102.0, Spent(throttled=2.0))
    monkeypatch.setattr(watchdog, "_turns", lambda: 1)  # another frame: what blocked until now is reported
    watchdog._look(102.3, Spent(cpu=0.3, throttled=2.0))

    assert [(event.kind, event.took) for event in watchdog.seen()] == [("throttled", 2.0), ("blocked", 0.3)]


def test_pauses_of_the_collector_are_evidence_for_what_looks_from_outside(watched):
    before = watched.health._sentinel._spent()

    gc.collect()

    spent = watched.health._sentinel._spent().since(before)
    assert spent.gc > 0.0
    assert cause(spent, spent.gc) == ("collected", "garbage was collected")


# counters of the kernel

V2 = {
    "/proc/self/cgroup": "0::/pods/one\n",
    "/sys/fs/cgroup/pods/one/cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 3\nthrottled_usec 250000\n",
    "/sys/fs/cgroup/pods/cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 7\nthrottled_usec 1500000\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 5\n",
}
V1 = {
    "/proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n0::/\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 9\nnr_throttled 7\nthrottled_time 1500000000\n",
}
REST = {
    "/proc/self/task/42/schedstat": "1000 2500000000 7\n",
    "/proc/self/task/43/schedstat": "1000 500000000 7\n",
    "/proc/stat": "cpu  1 2 3 4 5 6 7 800 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n",
}


def reader(files):
    def read(path):
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return read


@pytest.mark.parametrize("groups", [V1, V2], ids=["v1", "v2"])
def test_the_kernels_counters_are_read_in_seconds(groups):
    counters = Counters(42, reader({**groups, **REST}))

    spent = counters.spent(cpu=1.0, gc=0.5, own=43)

    assert (spent.cpu, spent.gc, spent.queued, spent.own) == (1.0, 0.5, 2.5, 0.5)
    assert (spent.throttled, spent.throttles) == (1.5, 7.0)
    assert spent.steal == pytest.approx(800 / os.sysconf("SC_CLK_TCK"))


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"/proc/self/cgroup": "", "/proc/stat": "", "/proc/self/task/42/schedstat": ""},
        {"/proc/self/cgroup": "nonsense\n0::\n", "/proc/stat": "cpu 1 2\n", "/proc/self/task/42/schedstat": "a b c"},
        {**V2, "/sys/fs/cgroup/pods/one/cpu.stat": "nr_throttled many\nthrottled_usec x\n"},
    ],
)
def test_counters_that_a_system_lacks_stay_zero(files):
    spent = Counters(42, reader(files)).spent(own=43)

    assert (spent.queued, spent.own, spent.steal) == (0.0, 0.0, 0.0)
    assert spent.throttled in (0.0, 1.5)


def test_what_was_spent_is_never_less_than_nothing():
    assert Spent(cpu=2.0, queued=1.0).since(Spent(cpu=1.5, queued=3.0)) == Spent(cpu=0.5)


def test_a_windows_health_has_the_evidence(watched):
    figures, _ = watched()

    assert {"queued", "throttled", "throttles", "steal", "gc"} <= figures.keys()
    assert all(figures[name] >= 0.0 for name in ("queued", "throttled", "throttles", "steal"))


def test_a_hub_that_turns_has_nothing_to_tell(watched):
    watched()

    figures, seen = watched()
    assert of_kind(seen, "blocked") == []
    assert figures["stalls"] == 0


def test_garbage_collections_are_timed(watched):
    gc.collect()

    figures, _ = watched()
    assert 0 < figures["gc_longest"] <= figures["gc"]


def test_processor_ports_and_lateness_are_told(watched):
    figures, _ = watched()

    assert figures["cores"] >= 1
    assert 0 <= figures["machine"] <= 1
    assert figures["hub_cpu"] <= figures["cpu"] + 0.05
    assert figures["hub_cpu"] <= figures["hub_wanted"] + 0.01
    assert ports()["ports_limit"] > 1_000


def test_lateness_and_drops_are_counted_anew_in_each_window():
    health = Health(HubClock(), real_time=True)
    for i in range(100):
        health.late(i / 1000)
    health.dropped("late", 1.5)
    health.dropped("cap", 0.0)

    first, second = health.cut(), health.cut()

    assert (first["starts"], first["late_p50"], first["late_p99"], first["late_max"]) == (100, 0.05, 0.099, 0.099)
    assert (first["dropped_late"], first["dropped_cap"], first["waited_max"]) == (1, 1, 1.5)
    assert (second["starts"], second["late_max"], second["dropped_late"]) == (0, 0, 0)


def test_watching_ends_with_the_run():
    before = list(gc.callbacks)
    health = Health(HubClock(), real_time=True)

    health.start()
    health.stop()

    assert gc.callbacks == before


def test_a_frame_that_is_between_two_lines_is_told_by_the_first_of_its_function():
    code = of_kind.__code__
    between = SimpleNamespace(f_code=code, f_lineno=None)

    said = stack_text([between])

    assert said == f"test_health.py:{code.co_firstlineno} in of_kind: def of_kind(seen, kind):"


@pytest.mark.parametrize(("turns", "blamed"), [([7, 7, 7, 7], True), ([7, 8, 9, 10], False)])
def test_calls_one_after_another_whose_frames_have_one_address_are_no_call_that_blocks(monkeypatch, turns, blamed):
    clock, made = [100.0], iter(turns)
    watchdog = BlockingWatchdog(lambda: clock[0], 100.0, turns=lambda: next(made))
    frame = sys._getframe()
    monkeypatch.setattr(sys, "_current_frames", lambda: {watchdog._hub: frame})

    for _ in range(4):
        clock[0] += 0.08
        watchdog._look(clock[0], Spent())
    watchdog.stop()

    assert [event.kind for event in watchdog.seen()] == (["blocked"] if blamed else [])
