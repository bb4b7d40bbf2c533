"""A master with its workers as a person starts them: real processes on loopback."""

import os
import signal
import subprocess
import sys
import time

import pytest
from shells import engines


def due_times(target):
    return sorted((int(h["HTTP_X_NUMBER"]), h["HTTP_X_DUE"]) for h in target.headers)


@pytest.mark.compiled
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


@pytest.mark.compiled
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
    course = ["alpha has joined, with the scenario loaded", "alpha begins to send", "alpha: the run is over"]
    shells.until(lambda: len(worker.told) == 1 + 2 * len(course))
    assert worker.told[1:] == [f"worker {text}" for text in 2 * course]


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
        (("worker", "--master", "tcp://127.0.0.1:*"), "give its host and port"),
        (("worker", "--master", "tcp://*:5570"), "give its host and port"),
        (("local", "shop.py", "--processes", "99999"), "auto is one per core"),
        (("worker", "--master", "tcp://127.0.0.1", "--capacity", "0"), "more than 0"),
        (("local", "shop.py", "--processes", "2", "--max-lost", "much"), "not a share"),
        (("local", "shop.py", "--processes", "2", "--silence", "1ms"), "a silence of 0.001 s: 0.5 s is the least"),
        (("local", "shop.py", "--processes", "2", "--dead-man", "0s"), "a dead-man time of 0 s is too short"),
        (("master", "shop.py", "--workers", "1", "--silence", "100ms"), "0.5 s is the least"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shells, command, args, words):
    done = command(*args)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line


@pytest.mark.faults
def test_with_keys_beyond_loopback_the_masters_machine_works_too(shells, target):
    assert shells.ends(shells.start("keygen", "keys")) == 0
    master = shells.start(
        *("master", "shop.py", "--workers", 2, "--bind", "tcp://0.0.0.0:*", "--key", "keys/master.key", "--work"),
        *("--url", target.url, "--iterations", 40, "--users", 8, "--quiet", "--json", "out.json"),
    )
    port = shells.told(master, "the master is at ").rpartition(":")[2]
    at = f"tcp://127.0.0.1:{port}"

    stranger = shells.worker(at, "--once", "--name", "stranger", "--no-key")
    worker = shells.worker(at, "--once", "--name", "alpha", "--key", "keys/worker.key")

    assert shells.ends(stranger) == 6
    assert any("asks for a key" in line for line in stranger.told)
    assert [shells.ends(process) for process in (master, worker)] == [0, 0], master.told
    assert {w["name"] for w in shells.report()["workers"]} == {"master", "alpha"}
    assert len(target.asked) == 40


@pytest.mark.faults
@pytest.mark.parametrize("changed", [False, True])
def test_a_file_of_its_own_is_used_if_it_is_what_the_master_has(shells, target, changed):
    there = shells.folder / "there"
    there.mkdir()
    text = (shells.folder / "shop.py").read_text()
    (there / "shop.py").write_text(text + "\n# changed\n" * changed)
    master = shells.master("--url", target.url, "--iterations", 10, "--quiet", workers=1)

    shells.worker(master.address, "--once", "--no-ship", there / "shop.py")

    assert shells.ends(master) == (3 if changed else 0), master.told
    assert not changed or "differs from the master's" in master.told[-1]


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_local_processes_none_is_left(shells, target, number):
    local = shells.start(
        *("local", "shop.py", "--url", target.url, "--rate", 40, "--hold", "60s"),
        *("--processes", 2, "--json", "out.json", "--quiet"),
    )
    shells.until(lambda: len(target.asked) > 20)

    local.send_signal(number)

    if number == signal.SIGINT:
        assert shells.ends(local, within=10) == 130
        (ledger,) = shells.report()["ledger"]
        assert ledger["planned"] == ledger["done"] == len(target.asked)
    shells.until(lambda: engines(shells) == [], within=1)


def _mix(folder):
    """Write the key of a worker that knows the master, but is not known to it."""
    kind, master, _ = (folder / "keys" / "worker.key").read_text().strip().split(":")
    *_, secret = (folder / "others" / "worker.key").read_text().strip().split(":")
    file = os.open(folder / "mixed.key", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(file, f"{kind}:{master}:{secret}\n".encode())
    os.close(file)


@pytest.mark.faults
def test_a_wrong_key_is_told_apart_from_a_wrong_address_within_five_seconds(shells, target, dead_port):
    for pair in ("keys", "others"):
        subprocess.run([sys.executable, "-m", "chaperon", "keygen", pair], cwd=shells.folder, check=True)
    _mix(shells.folder)
    master = shells.master("--url", target.url, "--key", "keys/master.key", "--quiet", workers=1)
    began = time.monotonic()

    unknown, wrong, none, nobody = (
        shells.worker(address, "--name", name, "--once", *more)
        for address, name, more in (
            (master.address, "unknown", ("--key", "mixed.key")),
            (master.address, "wrong", ("--key", "others/worker.key")),
            (master.address, "none", ("--no-key",)),
            (f"tcp://127.0.0.1:{dead_port}", "nobody", ()),
        )
    )

    said = {
        "unknown": shells.told(unknown, "does not know this worker's key"),
        "wrong": shells.told(wrong, "has another key, or none"),
        "none": shells.told(none, "asks for a key"),
        "nobody": shells.told(nobody, f"no master answers at tcp://127.0.0.1:{dead_port}"),
    }
    assert time.monotonic() - began < 5 + 3, said  # three seconds for four interpreters to start side by side
    assert [shells.ends(worker, within=5) for worker in (unknown, wrong, none)] == [6, 6, 6]
    assert nobody.poll() is None  # its master may still come
    assert shells.told(master, "a connection was refused by the key: it has another key", within=5)
