"""A master with its workers as a person starts them: real processes on loopback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from gevent import subprocess as green

SHOP = '''
from chaperon import step


@step
def look(session):
    session.get("/look", headers={"X-Due": repr(session.visit.due), "X-Number": str(session.visit.number)})
'''


class Shells:
    """Several shells side by side; none of their processes is left when the test is over."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        (folder / "shop.py").write_text(SHOP)

    def start(self, *args, **kwargs):
        process = green.Popen(
            [sys.executable, "-m", "chaperon", *map(str, args)],
            cwd=self.folder,
            stdout=green.PIPE,
            stderr=green.PIPE,
            text=True,
            start_new_session=True,
            **kwargs,
        )
        process.told = []
        process.ears = [gevent.spawn(self._listen, process, stream) for stream in (process.stdout, process.stderr)]
        self.processes.append(process)
        return process

    def master(self, *args, workers=2):
        """Start a master on a free port; its address is where it says it is."""
        process = self.start("master", "shop.py", "--workers", workers, "--bind", "tcp://127.0.0.1:*", *args)
        process.address = self.told(process, "the master is at ").split()[-1]
        return process

    def worker(self, address, *args):
        return self.start("worker", "--master", address, *args)

    def told(self, process, start, within=40.0):
        """Wait until a process says something."""
        with gevent.Timeout(within, AssertionError(f"never said {start!r}: {process.told}")):
            while True:
                for line in process.told:
                    if start in line:
                        return line
                gevent.sleep(0.02)

    def ends(self, process, within=50.0):
        """Return what a process exits with."""
        try:
            return process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"never ended: {process.told}") from None

    def report(self, name="out.json"):
        return json.loads((self.folder / name).read_text())

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            gevent.joinall(process.ears, timeout=2)

    @staticmethod
    def _listen(process, stream):
        for line in stream:
            process.told.append(line.rstrip())


@pytest.fixture
def shells(tmp_path):
    opened = Shells(tmp_path)
    yield opened
    opened.close()


def engines(shells):
    """Return the engine processes that were started below one of the shells' folders."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            here = entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(shells.folder)
            if here and "engine" in Path(f"/proc/{entry}/cmdline").read_text().split("\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found


def due_times(target):
    return sorted((int(h["HTTP_X_NUMBER"]), h["HTTP_X_DUE"]) for h in target.headers)


def test_local_processes_send_what_one_would_to_the_unit(shells, target):
    logs = []
    for n in (1, 3):
        target.headers.clear()
        local = shells.start(
            *("local", "shop.py", "--url", target.url, "--rate", "40", "--hold", "1s"),
            *("--processes", n, "--json", "out.json", "--quiet"),
        )
        assert shells.ends(local) == 0, local.told
        logs.append(due_times(target))
        assert shells.report()["ledger"][0]["done"] == 40

    assert logs[0] == logs[1]
    assert engines(shells) == []


def test_a_master_with_two_workers_reports_the_whole_as_one(shells, target):
    master = shells.master(
        *("--url", target.url, "--users", 6, "--hold", "1s", "--limit", "p95 < 9s", "--json", "out.json")
    )
    workers = [shells.worker(master.address, "--once", "--name", name) for name in ("alpha", "beta")]

    codes = [shells.ends(process) for process in (master, *workers)]

    report = shells.report()
    assert codes == [0, 0, 0], master.told
    assert report["series"][0]["count"] == len(target.asked) == report["ledger"][0]["done"]
    assert sorted(w["name"] for w in report["workers"]) == ["alpha", "beta"]
    assert all(w["visits"] > 0 for w in report["workers"])
    assert report["verdict"] == "PASS"


@pytest.mark.faults
def test_a_worker_stays_for_the_next_run(shells, target):
    first = shells.master("--url", target.url, "--iterations", 10, "--quiet", workers=1)
    worker = shells.worker(first.address, "--name", "alpha")
    assert shells.ends(first) == 0

    again = shells.start(
        *("master", "shop.py", "--workers", 1, "--bind", first.address),
        *("--url", target.url, "--iterations", 10, "--quiet"),
    )

    assert shells.ends(again) == 0, again.told
    assert len(target.asked) == 20
    assert worker.poll() is None


@pytest.mark.faults
def test_a_broken_limit_fails_the_whole_with_the_same_code_as_local(shells, target):
    master = shells.master("--url", target.url, "--iterations", 5, "--quiet", "--limit", "p95 < 1us", workers=1)
    shells.worker(master.address, "--once")

    assert shells.ends(master) == 4


def test_workers_that_do_not_come_end_the_master_with_code_6(shells):
    master = shells.master("--gather", "300ms")

    assert shells.ends(master) == 6
    assert "0 of 2 workers were ready" in master.told[-1]


def test_a_port_in_use_is_said_in_one_line(shells):
    first = shells.master()
    second = shells.start("master", "shop.py", "--workers", 1, "--bind", first.address)

    assert shells.ends(second) == 2
    assert "is in use" in second.told[-1]
    assert len(second.told) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("master", "shop.py", "--workers", "0"), "--workers"),
        (("master", "shop.py", "--workers", "1", "--bind", "udp://x"), "not an address"),
        (("worker", "--master", "tcp://127.0.0.1:99999"), "65533"),
        (("worker", "--master", "tcp://127.0.0.1", "--processes", "some"), "a number or auto"),
        (("worker", "--master", "tcp://127.0.0.1", "--capacity", "0"), "more than nothing"),
        (("local", "shop.py", "--processes", "2", "--max-lost", "much"), "not a share"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shells, args, words):
    process = shells.start(*args)

    assert shells.ends(process) == 2
    assert words in process.told[-1]
