"""What a scenario raises within requests, WebSockets, a setup, greenlets of its own; what ends its process."""

import signal
import sys
from contextlib import suppress

import gevent
import pytest
from test_raised import Faults, every_class, listed_in
from thorough import some

from chaperon import Environment, LoadError, Scenario, iterations, rate, run, users
from chaperon.errors import Interrupted, TeardownError
from chaperon.execution.loader import load
from chaperon.execution.running import Running
from chaperon.execution.setup import Setup
from chaperon.interrupts import is_interrupt, is_ours, is_signal, marked
from chaperon.measure.exception_text import class_name
from chaperon.testing import VirtualClock

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def batches():
    return [batch[::3] for batch in every_class()]


def in_expect(fault):
    return lambda session: session.get("/", expect=fault)


def in_expect_of_a_stream(fault):
    return lambda session: session.get("/", expect=fault, stream=True).content


def in_auth(fault):
    return lambda session: session.get("/", auth=fault)


def in_a_hook(fault):
    return lambda session: session.get("/", hooks={"response": fault})


@pytest.mark.parametrize("place", [in_expect, in_expect_of_a_stream, in_auth, in_a_hook])
def test_whatever_is_raised_within_a_request_fails_its_visit(place, target, batches):
    for batch in batches:
        fault = Faults(batch)
        scenario = Scenario(place(fault), name="shop")

        report = Environment(target.url, scenarios=[run(scenario, iterations(len(batch)))]).execute()

        assert report.ledger["shop"].failed == report.ledger["shop"].planned == len(batch)
        assert listed_in(report, fault.made) == fault.made


def test_whatever_a_test_of_messages_raises_fails_its_visit(websocket_server, batches):
    server = websocket_server()
    for batch in batches:
        fault = Faults(batch)

        def waits(session, fault=fault):
            with session.ws("/") as ws:
                ws.send("hello")
                ws.expect(fault, timeout="5s")

        scenario = Scenario(waits, name="shop")

        report = Environment(server.url, scenarios=[run(scenario, iterations(len(batch)))]).execute()

        assert report.ledger["shop"].failed == report.ledger["shop"].planned == len(batch)
        assert listed_in(report, fault.made) == fault.made


@pytest.mark.parametrize("part", ["setup", "teardown"])
def test_whatever_a_setup_or_a_teardown_raises_is_an_error_of_the_environment(part, batches):
    for maker, _ in [maker for batch in batches for maker in batch]:

        def raises(maker=maker):
            raise maker()

        preparation = Setup(*((raises, None) if part == "setup" else (None, raises)), {}, name="shop")

        with pytest.raises(LoadError if part == "setup" else TeardownError) as raised:
            preparation.begin()
            preparation.end()

        assert class_name(maker())[:50] in str(raised.value) or "failed: " in str(raised.value)


def test_whatever_a_file_raises_is_an_error_of_the_file(tmp_path):
    kinds = ("KeyboardInterrupt", "GeneratorExit", "SystemExit(0)", "asyncio.CancelledError", "BaseException('x')")
    for number, kind in enumerate(kinds):
        path = tmp_path / f"file_{number}.py"
        path.write_text(f"import asyncio\n\nraise {kind}\n")

        with pytest.raises(LoadError, match=rf"line 3: {kind.rpartition('.')[2].partition('(')[0]}"):
            load(str(path))


def test_only_what_is_marked_is_ours():
    for exc in (Interrupted("x"), gevent.GreenletExit(), KeyboardInterrupt(), SystemExit()):
        assert not is_interrupt(exc)
        assert is_ours(marked(exc))
        assert is_interrupt(exc)
        assert not is_signal(exc)


def raised_by(deed):
    try:
        deed()
    except BaseException as exc:
        return exc
    raise AssertionError("nothing was raised")


def test_what_a_handler_of_a_signal_raises_is_told_from_the_same_class_raised_by_hand():
    def by_hand():
        raise KeyboardInterrupt

    def exits(number, frame):
        sys.exit(3)

    before = signal.signal(signal.SIGUSR1, exits)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for number in (signal.SIGINT, signal.SIGUSR1):
            assert is_signal(raised_by(lambda number=number: signal.raise_signal(number)))
        assert not is_signal(raised_by(by_hand))
        assert not is_signal(raised_by(sys.exit))
    finally:
        signal.signal(signal.SIGUSR1, before)
        signal.signal(signal.SIGINT, interrupt)


def test_a_signal_in_a_visit_of_an_embedded_run_ends_the_run_as_before(tmp_path, shells):
    (tmp_path / "app.py").write_text(
        "from gevent import monkey; monkey.patch_all()\n"
        "import signal\n"
        "from chaperon import Environment, Scenario, iterations, run\n"
        "def visit(session):\n"
        "    if session.visit.number:\n"
        "        signal.raise_signal(2)\n"
        "environment = Environment(scenarios=[run(Scenario(visit, name='x'), iterations(2))])\n"
        "running = environment.start()\n"
        "try:\n"
        "    running.wait()\n"
        "except KeyboardInterrupt:\n"
        "    print(running.report().verdict.value, running.report().visits.interrupted)\n"
    )
    process = gevent.subprocess.run([sys.executable, tmp_path / "app.py"], capture_output=True, text=True, timeout=30)

    assert process.stdout == "ABORTED 1\n", process.stderr


STRAY = """
import sys

import gevent

from chaperon import step


def raises(kind):
    raise kind


@step
def look(session):
    kinds = {2: KeyboardInterrupt, 4: SystemExit, 6: SystemError, 8: gevent.GreenletExit, 10: BaseException}
    if session.visit.number in kinds:
        spawn = gevent.spawn if session.visit.number % 4 else gevent.spawn_raw
        spawn(raises, kinds[session.visit.number])
    if session.visit.number == 12:
        gevent.get_hub().loop.run_callback(sys.exit, 0)
"""


def test_what_leaves_a_greenlet_that_the_scenario_spawned_itself_ends_no_run(shells):
    (shells.folder / "stray.py").write_text(STRAY)

    process = shells.start("local", "stray.py", "--rate", 20, "--hold", "1s", "--quiet", "--json", "out.json")

    assert shells.ends(process) == 0, process.told
    (ledger,) = shells.report()["ledger"]
    assert (ledger["planned"], ledger["done"]) == (20, 20)


THROWN = """
import gevent
import signal

from chaperon import step


def ends(number, frame):
    raise SystemExit(0)


def throw(exc):
    gevent.get_hub().parent.throw(exc)


@step
def look(session):
    session.get("/look")
    if session.visit.number == 5:
        {deed}
"""


@pytest.mark.parametrize(
    ("deed", "said"),
    some(
        [
            ("throw(SystemExit(0))", "SystemExit: 0"),
            ("throw(KeyboardInterrupt())", "KeyboardInterrupt: "),
            ("gevent.spawn_later(0.01, throw, KeyboardInterrupt())", "KeyboardInterrupt: "),
            ("throw(BaseException('x'))", "BaseException: x"),
            ("signal.signal(signal.SIGALRM, ends); signal.setitimer(signal.ITIMER_REAL, 0.02)", "SystemExit: 0"),
            ("throw(gevent.GreenletExit())", "GreenletExit: "),
        ],
        2,
    ),
)
def test_what_is_thrown_into_the_main_greenlet_is_no_pass(shells, target, deed, said):
    (shells.folder / "thrown.py").write_text(THROWN.format(deed=deed))

    process = shells.start(
        *("local", "thrown.py", "--url", target.url, "--rate", 20, "--hold", "1s", "--quiet", "--json", "out.json")
    )

    assert shells.ends(process) == 130, process.told
    report = shells.report()
    (ledger,) = report["ledger"]
    assert report["verdict"] == "ABORTED"
    assert any(said.strip() in reason for reason in report["reasons"])
    assert 5 <= ledger["planned"] - ledger["interrupted"] <= len(target.asked) <= ledger["planned"]


ENDED = """
import ctypes
import os
import posix
import subprocess
from multiprocessing import get_context
from os import _exit

import gevent

from chaperon import step


@step
def look(session):
    session.get("/look")
    if session.visit.number == 5:
        {deed}
"""


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("_exit(0)", "os._exit(0) was called during the run, at ended.py:18 in look"),
        ("posix._exit(0)", "os._exit(0) was called during the run, at ended.py:18 in look"),
        ("gevent.get_hub().threadpool.apply(os._exit, (0,))", "os._exit(0) was called during the run"),
        ("posix.execv('/bin/true', ['true'])", "os.execv(/bin/true) was called during the run, at ended.py:18 in look"),
        ("os.execlp('true', 'true')", "was called during the run, at ended.py:18 in look"),
    ],
)
def test_a_run_whose_process_a_scenario_would_end_is_invalid(shells, target, deed, said):
    (shells.folder / "ended.py").write_text(ENDED.format(deed=deed))

    process = shells.start(
        *("local", "ended.py", "--url", target.url, "--rate", 20, "--hold", "1s", "--quiet", "--json", "out.json")
    )

    assert shells.ends(process) == 5, process.told
    report = shells.report()
    (ledger,) = report["ledger"]
    assert report["verdict"] == "INVALID"
    assert any(said in reason for reason in report["reasons"])
    assert ledger["planned"] == len(target.asked)


def test_a_run_that_c_code_ends_is_invalid_without_a_report(shells, target):
    (shells.folder / "ended.py").write_text(ENDED.format(deed="ctypes.CDLL(None).exit(0)"))

    process = shells.start("local", "ended.py", "--url", target.url, "--rate", 20, "--hold", "1s", "--quiet")

    assert shells.ends(process) == 5
    assert process.told == [
        "chaperon: INVALID, without a report: exit() of C was called, at ended.py:18 in look: ctypes.CDLL(None).exit(0)"
    ]


def test_a_process_that_a_scenario_starts_may_end(shells, target):
    deed = (
        "subprocess.run(['true'], check=True); os.spawnlp(os.P_WAIT, 'true', 'true'); "
        "child = get_context('fork').Process(target=os._exit, args=(7,)); child.start(); child.join(); "
        "session.check('code', child.exitcode == 7)"
    )
    (shells.folder / "ended.py").write_text(ENDED.format(deed=deed))

    process = shells.start(
        *("local", "ended.py", "--url", target.url, "--rate", 20, "--hold", "1s", "--quiet", "--json", "out.json"),
        *("--limit", "errors == 0", "--trust", "own=off", "--trust", "late=off", "--trust", "cpu=off"),
    )

    assert shells.ends(process) == 0, process.told


GONE = """
import ctypes
import os
import signal

from chaperon import step


@step
def look(session):
    if session.visit.number == 5:
        {deed}
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    "deed",
    some(
        [
            "os._exit(0)",
            "os._exit(130)",
            "os.kill(os.getpid(), signal.SIGKILL)",
            "raise KeyboardInterrupt",
            "os._exit(75)",
            "ctypes.CDLL(None).exit(0)",
        ],
        3,
    ),
)
def test_an_engine_that_a_scenario_ends_is_lost_whatever_its_exit_code(shells, deed):
    (shells.folder / "gone.py").write_text(GONE.format(deed=deed))

    process = shells.start(
        *("local", "gone.py", "--rate", 20, "--hold", "2s", "--processes", 2, "--quiet", "--silence", "2s"),
        *("--json", "out.json"),
    )
    code = shells.ends(process)

    (ledger,) = shells.report()["ledger"]
    assert (
        ledger["planned"]
        == 40
        == sum(ledger[fate] for fate in ("done", "failed", "interrupted", "no_row", "dropped", "lost"))
    )
    if deed.startswith("raise"):
        assert (ledger["done"], ledger["failed"], ledger["lost"]) == (39, 1, 0)
    else:
        assert code == 5
        assert ledger["lost"] >= 1


class Alarm(BaseException):
    """What a signal handler of a test raises."""


class AlarmingClock(VirtualClock):
    """Sends this process a signal at one reading: its handler raises where the clock is read, such as in the engine."""

    left = 0

    def now(self):
        self.left -= 1
        if not self.left:
            signal.raise_signal(signal.SIGUSR1)
        return super().now()


@pytest.mark.parametrize("load", [rate(5, hold="4s"), users(2, hold="4s")], ids=["open", "closed"])
@pytest.mark.parametrize("reading", some(range(1, 61), 7))
def test_a_signal_handler_that_raises_anywhere_in_the_engine_leaves_no_visit_out_of_the_ledger(load, reading, capfd):
    def alarm(number, frame):
        raise Alarm("too long")

    before = signal.signal(signal.SIGUSR1, alarm)
    clock = AlarmingClock()
    try:
        environment = Environment(scenarios=[run(Scenario(lambda session: session.sleep(0.5), name="s"), load)])
        running = Running(environment.plan(), clock=clock).start()
        clock.run(lambda: running.began + 1.3 < VirtualClock.now(clock))
        clock.left = reading
        with suppress(Alarm):  # where the hub, or what waits for the run, reads the clock
            clock.run(lambda: running.ended)
        clock.left = 0
        running.stop()
        clock.run(lambda: running.ended)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert not [reason for reason in running.report().reasons if "does not balance" in reason]
    (counts,) = running.report().ledger.values()
    assert counts.planned == counts.ended > 0
