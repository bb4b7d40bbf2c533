"""Engines killed with `kill -9` under load: the books agree with the server's own, to the unit."""

import os
import signal

import pytest
from shells import engines

pytestmark = pytest.mark.faults


FATES = ("done", "failed", "interrupted", "no_row", "dropped", "lost")


def reported(report):
    (series,) = [row for row in report["series"] if row["kind"] == "http"]
    return series["count"]


def test_kill_9_of_an_engine_loses_not_one_recorded_sample(shells, target):
    master = shells.master(
        *("--url", target.url, "--rate", 60, "--hold", "5s", "--silence", "3s", "--max-lost", "30%"),
        *("--json", "out.json"),
    )
    worker = shells.worker(master.address, "--processes", 3, "--name", "alpha", "--once")
    shells.until(lambda: len(target.asked) > 60)

    for engine in sorted(engines(shells, of=worker))[:2]:
        os.kill(engine, signal.SIGKILL)
        asked = len(target.asked)
        shells.until(lambda more=asked + 40: len(target.asked) > more)
    code = shells.ends(master)

    report = shells.report()
    (ledger,) = report["ledger"]
    in_flight = len(target.asked) - reported(report)
    assert code == 0, master.told
    assert ledger["planned"] == 300 == sum(ledger[fate] for fate in FATES)
    assert 0 <= in_flight <= 2  # one visit at most for each engine killed: they take two milliseconds
    assert reported(report) == ledger["done"]
    assert len({h["HTTP_X_NUMBER"] for h in target.headers}) == len(target.asked)
    assert any("alpha" in line and "SIGKILL" in line for line in worker.told)
    assert not any(worker["lost"] for worker in report["workers"])  # each has said its last word
    assert shells.ends(worker) == 0


def test_the_death_of_an_engine_is_dealt_with_within_a_second(shells, target):
    master = shells.master(
        *("--url", target.url, "--rate", 40, "--hold", "5s", "--max-lost", "30%", "--json", "out.json"),
    )
    worker = shells.worker(master.address, "--processes", 2, "--name", "alpha", "--once")
    shells.until(lambda: len(target.asked) > 50)

    os.kill(engines(shells, of=worker)[0], signal.SIGKILL)
    code = shells.ends(master)

    (ledger,) = shells.report()["ledger"]
    assert code == 0, master.told
    assert ledger["lost"] <= 20 * 1.5  # a second of its half of the load, with what was in flight
    assert ledger["planned"] == 200 == sum(ledger[fate] for fate in FATES)


def test_local_processes_survive_the_death_of_one(shells, target):
    local = shells.start(
        *("local", "shop.py", "--url", target.url, "--rate", 50, "--hold", "4s", "--processes", 2),
        *("--max-lost", "30%", "--json", "out.json", "--quiet"),
    )
    shells.until(lambda: len(target.asked) > 50)

    os.kill(engines(shells)[0], signal.SIGKILL)
    code = shells.ends(local)

    report = shells.report()
    assert code == 0, local.told
    assert report["ledger"][0]["planned"] == 200
    assert 0 <= len(target.asked) - reported(report) <= 1
    assert engines(shells) == []
