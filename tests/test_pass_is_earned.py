"""PASS from the command line: odd texts, exceptions, a target that freezes, a full core, a stopped master."""

import os
import signal
from collections import Counter

import pytest
from waits import lasting

ODD_TEXT = '''
from chaperon import step


@step
def home(session):
    session.get("/look")
    if session.visit.number in (5, 9):
        odd(session, "the server sent " + chr(0xD83D))


def odd(session, text):
    """What json.loads makes of half an emoji, which no encoding has."""
    session.record(text, 1.0)
    session.check(text, False)
    with session.tagged(area=text):
        session.record("basket", 1.0)
    session.count(text, 1)
    session.record("time in the basket", 1.0, unit=text)
    raise ValueError(text)
'''
RAISING = """
import asyncio
import concurrent.futures
import os

import gevent
from chaperon import step


class Own(BaseException):
    pass


@step
def home(session):
    session.get("/look")
    {}
"""
RAISED = {
    "BaseException": 'raise BaseException("x")',
    "KeyboardInterrupt": 'raise KeyboardInterrupt("x")',
    "CancelledError": 'raise asyncio.CancelledError("x")',
    "SystemExit": "raise SystemExit(3)",
    "GeneratorExit": 'raise GeneratorExit("x")',
    "GreenletExit": 'raise gevent.GreenletExit("x")',
    "Timeout": "raise gevent.Timeout(1.0)",
    "Own": 'raise Own("x")',
}

FROZEN = """
from chaperon import step


@step
def home(session):
    session.get("/look" if session.visit.number < 80 else "/slow", name="home")
"""

BURNING = """
import time

from chaperon import step


@step
def home(session):
    session.get("/look")
    until = time.thread_time() + 0.004
    while time.thread_time() < until:
        pass
"""

PROCESSES = [pytest.param(1, id="one process"), pytest.param(2, id="two processes")]


@pytest.fixture
def local(shells, target):
    """Run `chaperon local` in a process of its own with JSON; return its exit code and report."""

    def run(scenario, *args, meanwhile=None, within=50.0, **options):
        (shells.folder / "odd.py").write_text(scenario)
        process = shells.start("local", "odd.py", "--url", target.url, "--json", "out.json", *args, **options)
        if meanwhile is not None:
            shells.until(lambda: len(target.asked) >= 20)
            meanwhile(process)
        code = shells.ends(process, within)
        assert not [line for line in process.told if "Traceback" in line], process.told
        return code, shells.report()

    return run


def ledger(report):
    (counts,) = report["ledger"]
    return counts


def requests(report):
    return sum(row["count"] for row in report["series"] if row["kind"] == "http")


@pytest.mark.faults
@pytest.mark.parametrize("processes", PROCESSES)
def test_a_text_that_no_encoding_has_loses_no_sample(local, target, processes):
    code, report = local(ODD_TEXT, "--rate", 40, "--hold", "1s", "--processes", processes)

    assert code == 0
    assert report["verdict"] == "PASS"
    assert requests(report) == target.count("GET /look") == ledger(report)["planned"] == 40
    assert ledger(report)["failed"] == 2
    counts = Counter()
    for row in report["series"]:
        counts[row["kind"]] += row["count"]
    assert counts == {"http": 40, "step": 40, "visit": 40, "check": 2, "value": 6, "count": 2}


@pytest.mark.faults
@pytest.mark.parametrize("processes", PROCESSES)
def test_an_exception_of_any_class_fails_its_visit_alone(local, target, processes):
    """The first eight visits raise one each."""
    lines = "\n    ".join(f"if session.visit.number == {n}: {RAISED[name]}" for n, name in enumerate(RAISED))
    code, report = local(RAISING.format(lines), "--rate", 40, "--hold", "1s", "--processes", processes)

    assert code == 0
    assert ledger(report) | {"planned": 40, "done": 32, "failed": 8, "interrupted": 0} == ledger(report)
    assert requests(report) == target.count("GET /look") == 40
    found = sorted(error["error"].rpartition(".")[2] for error in report["errors"] for _ in range(error["count"]))
    assert found == sorted(RAISED)


@pytest.mark.faults
@pytest.mark.parametrize(("rate", "verdict", "code"), [(40, "PASS", 0), (20, "INVALID", 5)])
def test_visits_that_end_with_their_engine_are_lost_and_more_than_one_in_a_hundred_is_invalid(
    local, target, rate, verdict, code
):
    scenario = RAISING.format("if session.visit.number == 2: os._exit(0)")
    exited, report = local(scenario, "--rate", rate, "--hold", "3s", "--processes", 2)

    lost = ledger(report)["lost"]
    assert lost > 0
    assert (exited, report["verdict"]) == ((code, verdict) if lost == 1 else (5, "INVALID"))
    assert any("lost" in said for said in (*report["reasons"], *report["warnings"]))
    assert requests(report) <= target.count("GET /look") <= requests(report) + ledger(report)["lost"]


@pytest.mark.faults
@pytest.mark.parametrize("processes", PROCESSES)
def test_a_target_that_freezes_breaks_the_limits_that_its_answers_hold(local, processes):
    limits = ["--limit", "p95(home) < 100ms", "--limit", "p95(visit) < 100ms"]

    code, report = local(FROZEN, "--rate", 40, "--hold", "4s", "--grace", "1s", "--processes", processes, *limits)

    assert code == 4
    assert report["verdict"] == "FAIL"
    assert [limit["held"] for limit in report["limits"]] == [False, False]
    assert ledger(report)["interrupted"] == 80
    home, visit = (next(row for row in report["series"] if row["kind"] == kind) for kind in ("http", "visit"))
    assert home["censored"] == visit["censored"] == 80
    assert home["p95"] is visit["response"]["p95"] is None
    assert home["at_least"]["p95"] > 1.0
    assert visit["response"]["at_least"]["p95"] > 1.0


@pytest.mark.faults
@pytest.mark.parametrize("load", [("--users", 60), ("--rate", 400)], ids=["closed", "open"])
def test_no_run_is_too_short_to_be_invalid(local, load):
    code, report = local(BURNING, *load, "--hold", "2s", "--limit", "p95(GET /look) < 5s", judged=True)

    assert code == 5
    assert report["verdict"] == "INVALID"


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_a_master_that_stood_still_gives_up_none_of_its_workers(local, target):
    def stand_still(process):
        os.kill(process.pid, signal.SIGSTOP)
        lasting(6.0)
        os.kill(process.pid, signal.SIGCONT)

    options = ["--processes", 2, "--silence", "4s", "--dead-man", "20s"]
    code, report = local(
        RAISING.format("pass"), "--rate", 40, "--hold", "9s", *options, meanwhile=stand_still, within=60.0
    )

    assert code in (0, 5)  # the workers may have paused until it answered again: what was due then is dropped
    assert ledger(report)["planned"] == 360
    assert ledger(report)["lost"] == 0
    assert not any(worker["lost"] for worker in report["workers"])
    assert requests(report) == target.count("GET /look") == 360 - ledger(report)["dropped"]
