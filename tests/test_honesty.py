"""What a load tester must not hide: a frozen server, a stall, its own overload.

The target logs every arrival, in a process of its own.
"""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from scenes import simulated

from chaperon import rate, users
from chaperon.testing import VirtualClock

ROOT = Path(__file__).resolve().parent.parent
SERVER = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent
from gevent.pywsgi import WSGIServer
freeze, every = float(sys.argv[1]), float(sys.argv[2])
began, log = None, open(sys.argv[3], "w", buffering=1)
def answer(environ, start):
    global began
    at = time.perf_counter()
    began = at if began is None else began
    log.write(f"{at - began:.6f}\\n")
    if every:
        into = (at - began) % every
        if into >= every - freeze:
            gevent.sleep(every - into)
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
server = WSGIServer(("127.0.0.1", 0), answer, log=None)
server.start()
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def server(tmp_path):
    """Start a server that freezes for so long at the end of each period; `log` has when it was asked."""
    made = []

    def start(freeze=0.0, every=0.0):
        log = tmp_path / "arrivals.log"
        child = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(freeze), str(every), str(log)], stdout=subprocess.PIPE, text=True
        )
        made.append(child)
        child.url = f"http://127.0.0.1:{child.stdout.readline().strip()}"
        child.log = log
        return child

    yield start
    for child in made:
        child.kill()
        child.wait()


@pytest.fixture
def chaperon(tmp_path):
    def run(scenario, *args, timeout=50):
        (tmp_path / "shop.py").write_text(textwrap.dedent(scenario))
        done = subprocess.run(
            [sys.executable, ROOT / "bin" / "chaperon", "local", "shop.py", "--json", "out.json", *args],
            capture_output=True, text=True, cwd=tmp_path, timeout=timeout,
        )  # fmt: skip
        done.report = json.loads((tmp_path / "out.json").read_text())
        return done

    return run


BROWSE = """
    from chaperon import step

    @step
    def browse(session):
        session.get("/")
"""
BLOCK = """
    from gevent.monkey import get_original
    from chaperon import step

    blocking = get_original("time", "sleep")

    @step
    def browse(session):
        session.get("/")
        if session.visit.number == 100:
            blocking(1.5)
"""
BURN = """
    import time
    from chaperon import step

    @step
    def browse(session):
        session.get("/")
        until = time.thread_time() + 0.005
        while time.thread_time() < until:
            pass
"""


def row(report, name):
    return next(s for s in report["series"] if s["name"] == name)


def arrivals(child):
    return [float(line) for line in child.log.read_text().split()]


def frozen_quantile(q, freeze, every):
    """The q-quantile of even arrivals at a server that answers at once, but is frozen for *freeze* in every *every*."""
    beyond = (1 - q) * every  # an arrival waits longer than freeze - beyond in this part of a period
    return max(freeze - beyond, 0.0)


def frozen(clock, freeze, every):
    """A visit to a server that answers in 2 ms, but not while it is frozen at the end of each period."""

    def visit(session):
        into = (clock.now() - 1000.0) % every
        clock.sleep(0.002 if into < every - freeze else every - into + 0.002)

    return visit


@pytest.mark.long
def test_a_server_frozen_two_seconds_in_ten_shows_in_open_arrivals_alone(clock):
    opened = simulated(frozen(clock, 2.0, 10.0), load=rate(200, hold=60), clock=clock)
    other = VirtualClock()
    closed = simulated(frozen(other, 2.0, 10.0), load=users(1, hold=20), clock=other)

    assert opened["visit"].response.known(0.95) == pytest.approx(frozen_quantile(0.95, 2.0, 10.0), rel=0.05)
    assert opened["visit"].response.known(0.99) == pytest.approx(frozen_quantile(0.99, 2.0, 10.0), rel=0.05)
    assert closed["visit"].p95 < 0.005  # which is what a closed load would have us believe


def test_a_visit_that_waits_for_the_one_before_is_late_by_the_response_clock_alone(clock):
    # one connection, as wrk2 has it: a stall of 2 s in the middle, then the queue is worked off
    free = [0.0]

    def visit(session):
        begin = max(clock.now(), free[0])
        stalled = 2.0 if session.visit.number == 500 else 0.0
        free[0] = begin + 0.001 + stalled
        clock.sleep(free[0] - clock.now())

    report = simulated(visit, load=rate(100, hold=20), clock=clock)

    # the queue drains at 1,000 - 100 a second: for 2 s and 2/9 s more arrivals wait, evenly from 2 s down
    waiting = 100 * (2.0 + 2.0 / 9)
    for q in (0.9, 0.95, 0.99):
        worst_share = (1 - q) * 2_000 / waiting
        assert report["visit"].response.known(q) == pytest.approx(2.0 * (1 - worst_share), rel=0.05), q


@pytest.mark.faults
@pytest.mark.alone
def test_a_server_frozen_for_a_fifth_of_the_time_shows_in_an_open_load(server, chaperon):
    target = server(freeze=0.6, every=3.0)  # the proportions of 2 s in every 10

    done = chaperon(BROWSE, "--url", target.url, "--rate", "100", "--hold", "3s")

    visit = row(done.report, "visit")
    analytic = frozen_quantile(0.95, 0.6, 3.0)
    assert analytic == pytest.approx(0.45)
    assert visit["response"]["p95"] == pytest.approx(analytic, rel=0.05)
    assert visit["count"] == len(arrivals(target)) == 300


@pytest.mark.faults
@pytest.mark.alone
def test_a_closed_load_does_not_see_it_which_is_why_there_are_open_ones(server, chaperon):
    target = server(freeze=0.6, every=3.0)

    done = chaperon(BROWSE, "--url", target.url, "--users", "1", "--hold", "4s", "--trust", "cpu=off")

    # far below what arrivals that do not wait for one another see
    assert row(done.report, "visit")["p95"] < frozen_quantile(0.95, 0.6, 3.0) / 2


@pytest.mark.faults
@pytest.mark.alone
def test_a_stall_in_the_middle_is_seen_by_every_visit_that_was_due_meanwhile(server, chaperon):
    # the experiment of wrk2: a constant rate, one stall; what was due in it waited for the rest of it
    target = server(freeze=1.0, every=4.0)

    done = chaperon(BROWSE, "--url", target.url, "--rate", "100", "--hold", "4s")

    response = row(done.report, "visit")["response"]
    for name, q in (("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert response[name] == pytest.approx(frozen_quantile(q, 1.0, 4.0), rel=0.05), name
    assert response["p50"] < 0.1


@pytest.mark.faults
@pytest.mark.alone
def test_a_stalled_generator_cannot_blame_the_server(server, chaperon):
    target = server()

    done = chaperon(BLOCK, "--url", target.url, "--rate", "100", "--hold", "3s")

    assert done.returncode == 5
    assert "the event loop stalled for 1." in done.stdout
    assert "blocking(1.5)" in done.stdout


@pytest.mark.faults
@pytest.mark.alone
def test_twice_what_the_generator_can_send_is_invalid(server, chaperon):
    target = server()

    done = chaperon(BURN, "--url", target.url, "--rate", "400", "--hold", "3s")

    assert done.returncode == 5
    assert done.report["verdict"] == "INVALID"
    assert "enough for 400/s" in done.stdout or "occupied the generator's core" in done.stdout
    (ledger,) = done.report["ledger"]
    assert ledger["planned"] == 1_200
    assert ledger["done"] == len(arrivals(target)) < 850
    assert ledger["dropped"] == 1_200 - ledger["done"]


@pytest.mark.faults
@pytest.mark.alone
def test_a_third_of_what_it_can_send_passes(server, chaperon):
    target = server()

    done = chaperon(BURN, "--url", target.url, "--rate", "60", "--hold", "3s")

    assert done.returncode == 0, done.stdout
    assert len(arrivals(target)) == 180


@pytest.mark.faults
@pytest.mark.alone
def test_users_that_saturate_the_generator_are_invalid_too(server, chaperon):
    target = server()

    done = chaperon(BURN, "--url", target.url, "--users", "30", "--hold", "2s")

    assert done.returncode == 5


SLOWING = """
    import gevent
    from chaperon import step

    @step
    def browse(session):
        session.get("/")
        session.check("quick", session.visit.started < 2)
        gevent.sleep(0.05 if session.visit.started < 2 else 30)
"""


@pytest.mark.faults
def test_three_processes_are_aborted_within_two_seconds(server, chaperon):
    target = server()

    done = chaperon(
        SLOWING, "--url", target.url, "--rate", "30", "--hold", "30s", "--processes", "3",
        "--limit", "errors(check quick) < 1% abort", "--trust", "late=off",
    )  # fmt: skip

    assert done.returncode == 4
    assert len(done.report["workers"]) == 3
    assert done.report["duration"] < 2 + 1 + 2  # it breaks in the third second
    assert max(arrivals(target)) < 2 + 1 + 2


@pytest.mark.faults
@pytest.mark.alone
def test_of_three_processes_the_one_that_was_blocked_is_named(server, chaperon):
    target = server()
    blocks = BLOCK.replace("visit.number == 100", "visit.number == 91")

    done = chaperon(blocks, "--url", target.url, "--rate", "60", "--hold", "4s", "--processes", "3")

    assert done.returncode == 5
    (reason,) = [reason for reason in done.report["reasons"] if "the event loop stalled for 1." in reason]
    assert any(f"on {worker['name']}, second" in reason for worker in done.report["workers"])
    assert "blocking(1.5)" in reason
