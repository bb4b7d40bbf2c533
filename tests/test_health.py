"""The generator sees what it does wrong itself, and which line of the scenario did it."""

import gc
import time
from types import SimpleNamespace

import gevent
import pytest
from gevent.monkey import get_original

from chaperon.clock import HubClock
from chaperon.load.health import Health
from chaperon.load.machine import ports
from chaperon.load.sentinel import Sentinel, told

blocking_sleep = get_original("time", "sleep")


@pytest.fixture
def watched():
    """Health that watches this hub; `look` lets it see for a while, then says what it saw."""
    clock = HubClock()
    health = Health(clock)
    ticker = gevent.spawn(health.tick)
    health.start()
    gevent.sleep(0.1)
    health.cut()

    def look():
        gevent.sleep(0.12)
        seen = []
        return health.cut(seen.append), seen

    yield look
    health.stop()
    ticker.kill()


def of_kind(seen, kind):
    return [h for h in seen if h.kind == kind]


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


def test_a_loop_that_computes_is_seen_though_what_it_calls_comes_and_goes(watched):
    def compute(until):
        while time.perf_counter() < until:
            sum(range(100))

    compute(time.perf_counter() + 0.4)

    _, seen = watched()
    assert any("test_health.py" in h.text for h in of_kind(seen, "blocked"))


def test_a_call_that_keeps_the_interpreter_lock_is_told_apart(watched):
    pow(3, 3_000_000)  # one call into C: nobody else gets the lock

    _, seen = watched()
    stops = [h for h in seen if h.kind in ("held", "starved")]
    assert stops  # on a busy machine most of that time may have gone to others
    for h in of_kind(seen, "held"):
        assert "kept the interpreter lock, at or just before test_health.py" in h.text
        assert "pow(3, 3_000_000)" in h.text


def test_a_paused_process_is_told_apart_by_its_processor_time():
    now, used = [100.0], [5.0]
    sentinel = Sentinel(lambda: now[0], 100.0)

    sentinel._missed(101.0, 2.0, busy=0.01)
    sentinel._missed(104.0, 2.0, busy=0.98)

    assert [(h.at, h.kind, h.took) for h in sentinel.seen()] == [(1.0, "starved", 2.0), (4.0, "held", 2.0)]
    assert used == [5.0]


def test_a_hub_that_turns_has_nothing_to_tell(watched):
    for _ in range(20):
        gevent.sleep(0.01)

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
    health = Health(HubClock())
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
    health = Health(HubClock())

    health.start()
    health.stop()

    assert gc.callbacks == before


def test_a_frame_that_is_between_two_lines_is_told_by_the_first_of_its_function():
    code = of_kind.__code__
    between = SimpleNamespace(f_code=code, f_lineno=None)

    said = told([between])

    assert said == f"test_health.py:{code.co_firstlineno} in of_kind: def of_kind(seen, kind):"
