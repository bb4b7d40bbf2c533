"""A process that a scenario forks makes no visit of its parent a second time."""

import pytest

FORKS = """
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import gevent

from chaperon import step

fork = get_context("fork")


def code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ends(session, work):
    child = fork.Process(target=work)
    child.start()
    child.join()
    return child.exitcode


def forks():
    if os.fork() == 0:
        time.sleep(0.3)


@step
def look(session):
    session.get("/look")
    if session.visit.number == 5:
        print("said:", {deed}, flush=True)


def returns(session):
    pid = os.fork()
    return code_of(pid) if pid else None


def sleeps(session):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.3)
        session.sleep(0.1)
    return code_of(pid) if pid else None


def exits(session):
    pid = os.fork()
    if pid == 0:
        sys.exit(3)
    return code_of(pid)


def raises(session):
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the child")
    return code_of(pid)


def asks(session):
    pid = os.fork()
    if pid == 0:
        session.get("/look")
    return code_of(pid)


def pools(session):
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        return sum(pool.map(abs, [-1, -2, -3]))


def spawns(session):
    gevent.spawn(forks).join()
    return "joined"


def tasks(session):
    session.spawn(lambda session: forks())
    return session.join_all()
"""


@pytest.mark.processes
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("returns(session)", "0"),
        ("sleeps(session)", "0"),
        ("exits(session)", "3"),
        ("raises(session)", "1"),
        ("asks(session)", "1"),
        ("ends(session, lambda: time.sleep(0.3))", "0"),
        ("ends(session, lambda: session.get('/look'))", "1"),
        ("ends(session, lambda: sys.exit(7))", "7"),
        ("pools(session)", "6"),
        ("spawns(session)", "joined"),
        ("tasks(session)", "[None]"),
    ],
)
def test_what_a_child_does_adds_no_visit_and_no_request(shells, target, deed, said, processes):
    (shells.folder / "forks.py").write_text(FORKS.replace("{deed}", deed))

    process = shells.start(
        *("local", "forks.py", "--url", target.url, "--rate", 30, "--hold", "1s", "--quiet", "--json", "out.json"),
        *("--processes", processes, "--trust", "own=off", "--trust", "late=off", "--trust", "cpu=off"),
        *("--trust", "stall=off", "--trust", "dropped=off"),
    )

    assert shells.ends(process) == 0, process.told
    report = shells.report()
    (ledger,) = report["ledger"]
    assert {line for line in process.told if line.startswith("said:")} - {"said: None"} == {f"said: {said}"}
    assert (ledger["planned"], ledger["done"]) == (30, 30), report["errors"]
    assert sum(row["count"] for row in report["series"] if row["kind"] == "http") == len(target.asked) == 30
