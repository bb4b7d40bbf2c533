"""Too few descriptors are reported in one line before the start, for every command."""

import resource
import subprocess
import sys

import pytest
import zmq
from thorough import some
from unjudged import unjudged

from chaperon import Environment, Scenario, descriptors, rate, run, users
from chaperon.cluster.transport.zmq_sockets import Sockets
from chaperon.errors import UsageError
from chaperon.execution.descriptor_check import descriptor_warning

shop = Scenario(lambda session: None, name="shop")
COMMANDS = {
    "local": ("local", "shop.py", "--iterations", "2", "--processes", "2", "--quiet"),
    "master": ("master", "shop.py", "--workers", "2", "--bind", "tcp://127.0.0.1:*", "--gather", "100ms"),
    "worker": ("worker", "--master", "tcp://127.0.0.1:9", "--processes", "2", "--once", "--wait", "100ms"),
}


def limited(command, folder, n):
    return subprocess.run(
        [sys.executable, "-m", "chaperon", *unjudged(command)],
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("n", some([12, 20, 31, 32, 40, 59], 3))
@pytest.mark.parametrize("command", COMMANDS)
def test_too_few_descriptors_are_one_line_with_the_remedy(shells, command, n):
    done = limited(COMMANDS[command], shells.folder, n)

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith(("chaperon: ", "Error: ")) or "may open" in line
    assert f"may open {n} files and sockets" in line
    assert "raise the limit with ulimit -n 1024" in line
    assert not done.stdout


@pytest.mark.faults
@pytest.mark.parametrize("n", some([60, 64], 2))
def test_the_least_that_is_asked_for_is_enough(shells, target, n):
    done = limited((*COMMANDS["local"], "--url", target.url), shells.folder, n)

    assert done.returncode == 0, done.stderr
    assert len(target.asked) == 2


CROWDS = {
    "local": ("--users", "700"),
    "local in processes": ("--users", "900", "--processes", "2"),
}
NEED = {
    "local": "a load of 700 users with a connection each needs 764",
    "local in processes": "a load of 450 users (of 900, in 2 processes) with a connection each needs 514",
}


@pytest.mark.processes
@pytest.mark.parametrize("name", CROWDS)
def test_more_users_than_descriptors_are_named_with_the_remedy_before_the_load(shells, target, name):
    done = limited(("local", "shop.py", *CROWDS[name], "--hold", "1s", "--url", target.url), shells.folder, 400)

    lines = [line for line in done.stderr.splitlines() if "may open" in line]
    assert f"may open 400 files and sockets, {NEED[name]}" in lines[0]
    assert "raise the limit with ulimit -n 1" in lines[0]
    assert "or share the load out to 3 processes (--processes)" in lines[0]
    assert len(lines) == (2 if "in processes" in name else 1)


def test_a_crowd_that_fits_is_no_warning(monkeypatch):
    limits = [(100, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda what, pair: limits.append(pair))

    def warning(load, processes=1):
        return descriptor_warning(Environment(scenarios=[run(shop, load)]).plan(), processes)

    assert warning(users(4032)) is None
    assert limits[-1] == (4096, 4096)
    assert "4,033 users with a connection each needs 4097" in warning(users(4033))
    assert warning(users(8064), 2) is None
    assert "4,033 users (of 8,065, in 2 processes)" in warning(users(8065), 2)
    assert warning(rate(100_000, hold=9)) is None


def test_the_soft_limit_is_raised_before_anything_is_refused(monkeypatch):
    limits = [(40, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda what, pair: limits.append(pair))

    descriptors.enough(descriptors.takes(100), "a master of 100 workers")

    assert limits[-1] == (4096, 4096)
    with pytest.raises(UsageError, match=r"may open 4096 .* a master of 1000 workers needs 6048: .*ulimit -n 12096"):
        descriptors.enough(descriptors.takes(1000), "a master of 1000 workers")


def test_sockets_that_cannot_be_opened_are_one_line_too(monkeypatch):
    sockets = Sockets(None)

    def full(kind):
        raise zmq.ZMQError(zmq.EMFILE if hasattr(zmq, "EMFILE") else 24)

    monkeypatch.setattr(sockets._context, "socket", full)

    with pytest.raises(UsageError, match="ulimit -n"):
        sockets.open(zmq.PULL)


USES_ALL = """
import os
from chaperon import step

held = []

@step
def use_all(session):
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        session.check("all are used", len(held) > 30)
"""


@pytest.mark.processes
@pytest.mark.parametrize("outputs", [(), ("--quiet",), ("--json", "out.json")])
def test_a_run_that_uses_all_descriptors_has_its_report(tmp_path, outputs):
    (tmp_path / "greedy.py").write_text(USES_ALL)

    done = limited(("local", "greedy.py", "--iterations", "1", *outputs), tmp_path, 100)

    assert "PASS" in done.stdout, done.stderr
    assert done.returncode == 0
    assert (tmp_path / "out.json").exists() == ("--json" in outputs)
