"""A process that a scenario forks has nothing of the run but the code that forked it, and ends with that."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import gevent
import pytest
from gevent.event import Event
from gevent.monkey import get_original

from chaperon import Environment, Scenario, UsageError, iterations, run, step
from chaperon.errors import Interrupted

fork = multiprocessing.get_context("fork")
own_fork = get_original("os", "fork")


def exit_code(pid):
    """Wait for a child, which has nothing more to do: it must not hang."""
    with gevent.Timeout(5.0):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def returns(session):
    return os.fork()


def raises(session):
    if (pid := os.fork()) == 0:
        raise ValueError("in the child")
    return pid


def exits(session):
    if (pid := os.fork()) == 0:
        sys.exit(3)
    return pid


def exits_at_once(session):
    if (pid := os.fork()) == 0:
        os._exit(4)
    return pid


def works(session):
    if (pid := os.fork()) == 0:
        session.sleep(0.02)
        come = Event()
        gevent.spawn_later(0.01, come.set)
        come.wait()
        sys.exit(subprocess.run(["sh", "-c", "exit 5"]).returncode)
    return pid


def asks(session):
    if (pid := os.fork()) == 0:
        session.get("/look")
    return pid


def is_refused(session):
    if (pid := os.fork()) == 0:
        try:
            session.get("/look")
        except Interrupted as exc:
            os._exit(6 if "forked" in str(exc) else 1)
    return pid


def loops(session):
    if (pid := os.fork()) == 0:
        for _ in session.loop(pace=0.01):
            session.sleep(0.01)
    return pid


def waits_for_the_parent(session):
    if (pid := os.fork()) == 0:
        Event().wait()
    return pid


def forks_again(session):
    if (pid := os.fork()) == 0:
        grandchild = os.fork()
        if grandchild == 0:
            sys.exit(7)
        sys.exit(exit_code(grandchild))
    return pid


def spawned(session):
    return gevent.spawn(returns, session).get()


def tasked(session):
    return session.join(session.spawn(exits))


def in_a_pool_of_greenlets(session):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(os.fork).result()


def in_a_native_thread(session):
    return gevent.get_hub().threadpool.apply(own_fork)


def on_a_terminal(session):
    pid, _ = os.forkpty()
    return pid


def by_multiprocessing(session):
    child = fork.Process(target=sys.exit, args=(8,))
    child.start()
    child.join(5.0)
    return child.exitcode


def terminated(session):
    child = fork.Process(target=Event().wait)
    child.start()
    child.terminate()
    child.join(5.0)
    return child.exitcode


def by_a_pool(session):
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        return sum(pool.map(abs, [-1, -8]))


def before_exec(session):
    child = subprocess.Popen(["true"], preexec_fn=lambda: Event().wait(0.02))
    return child.wait(5.0)


FORKED = {
    returns: 0,
    raises: 1,
    exits: 3,
    exits_at_once: 4,
    works: 5,
    asks: 1,
    is_refused: 6,
    loops: 0,
    waits_for_the_parent: 0,
    forks_again: 7,
    spawned: 0,
    tasked: 3,
    in_a_pool_of_greenlets: 0,
    in_a_native_thread: 0,
    on_a_terminal: 0,
}
RUN_BY_LIBRARIES = {by_multiprocessing: 8, terminated: -signal.SIGTERM, by_a_pool: 9, before_exec: 0}


@pytest.fixture
def environment(target):
    """Make environments whose runs are not judged by the machine's speed."""
    return lambda *scenarios, **options: Environment(
        target.url,
        scenarios=list(scenarios),
        trust=dict.fromkeys(("own", "late", "cpu", "stall"), "off"),
        **options,
    )


def requests_of(report):
    return sum(row.count for row in report.rows if row.kind == "http")


@pytest.mark.processes
def test_a_child_forked_in_any_way_adds_nothing_and_ends_with_its_own_work(target, environment):
    deeds, ended, parent = [*FORKED, *RUN_BY_LIBRARIES], {}, os.getpid()

    @step
    def look(session):
        session.get("/look")
        deed = deeds.pop(0)
        found = deed(session)
        if os.getpid() != parent:
            return
        ended[deed] = exit_code(found) if deed in FORKED else found

    @step
    def look_beside(session):
        session.get("/beside")
        session.sleep(0.01)

    visits = len(deeds)

    report = environment(
        run(Scenario(look, name="forks"), iterations(visits, users=1)),
        run(Scenario(look_beside, name="beside"), iterations(200, users=2)),
    ).execute()

    assert ended == {**FORKED, **RUN_BY_LIBRARIES}, report.errors
    assert {label: counts.done for label, counts in report.ledger.items()} == {"forks": visits, "beside": 200}
    assert requests_of(report) == len(target.asked) == visits + 200


@pytest.mark.processes
def test_a_child_that_setup_or_teardown_forks_makes_no_run(target, environment):
    children = []

    def forks():
        children.append(os.fork())

    report = environment(
        run(Scenario(lambda session: session.get("/look"), name="s"), iterations(5)), setup=forks, teardown=forks
    ).execute()

    assert [exit_code(pid) for pid in children] == [0, 0]
    assert requests_of(report) == len(target.asked) == 5


@pytest.mark.processes
def test_a_child_of_a_program_that_runs_a_load_has_no_run(environment):
    scenario = Scenario(lambda session: session.sleep(0.05), name="s")
    with environment(run(scenario, iterations(2))).start() as running:
        if (pid := os.fork()) == 0:
            try:
                running.finish()
            except UsageError as exc:
                os._exit(9 if "forked" in str(exc) else 2)
            finally:
                os._exit(1)
        running.wait()

    assert exit_code(pid) == 9
    assert running.report().ledger["s"].done == 2


SHOP = """
import os
from chaperon import step

@step
def look(session):
    session.get("/look")
    if session.visit.number == 5 and os.fork() == 0:
        session.sleep(0.1)
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_a_child_of_a_command_writes_no_report(shells, target, processes):
    (shells.folder / "forks.py").write_text(SHOP)

    process = shells.start(
        *("local", "forks.py", "--url", target.url, "--rate", 30, "--hold", "1s", "--json", "out.json"),
        *("--processes", processes, "--quiet"),
    )

    assert shells.ends(process) == 0, process.told
    assert sum(row["count"] for row in shells.report()["series"] if row["kind"] == "http") == len(target.asked) == 30
    assert sum("PASS" in line for line in process.told) == 1, process.told
