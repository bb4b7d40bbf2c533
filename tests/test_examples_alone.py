"""Each example as its first lines say: it runs and passes; each of their servers can be started alone."""

import ast
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SERVERS = sorted(path.stem for path in (ROOT / "examples" / "servers").glob("[!_]*.py"))
BESIDES = {"cluster": 1, "embedded_master": 1}
"""Examples whose second command is for another shell, with the number of commands that are started first."""
LONGEST = ("embedded_master", "cluster", "basic_account_login", "firehose")
"""Examples that are started first, for the others run beside them; the first two have masters at the same port."""
AT_ONCE = 4
"""How many examples run at the same time: each of them keeps a small part of a core busy."""
AS_TYPED = "test_an_example_passes_as_typed["
RUNS = int(os.environ.get("EXAMPLE_RUNS", "1"))
"""How often each is run: `EXAMPLE_RUNS=2 python -m pytest -m examples` runs each twice."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PORT_OF_MASTERS = Lock()
"""Held while an example of BESIDES runs."""


def typed(path):
    """Return the commands in the first lines of an example that need no server of one's own, as argument lists."""
    said = ast.get_docstring(ast.parse(path.read_text()))
    commands = [re.sub(r"^.*?(?=(?:chaperon|python) )", "", line) for line in said.splitlines()[1:]]
    found = [shlex.split(line, comments=True) for line in commands if re.match(r"(chaperon|python) ", line)]
    return [[sys.executable, *words(command)] for command in found if "--url" not in command]


def words(command):
    return ["-m", *command] if command[0] == "chaperon" else command[1:]


def run(command):
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_first_lines_of_an_example_say_how_it_is_run(path):
    commands = typed(path)

    assert len(commands) >= (2 if path.stem in BESIDES else 1)
    assert f"examples/{path.name}" in " ".join(commands[0])
    assert "--trust" not in [word for command in commands for word in command]


def passes(path):
    """Run an example as its first lines say; return what is wrong, or nothing."""
    master, *worker = typed(path)
    beside = worker[: BESIDES.get(path.stem, 0)]
    with PORT_OF_MASTERS if beside else nullcontext():
        for _ in range(RUNS):
            if wrong := passes_once(master, beside):
                return wrong
    return ""


def passes_once(command, beside):
    """Run a command while the others run; return what is wrong, or nothing."""
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    working = [subprocess.Popen(each, cwd=ROOT, env=ENVIRONMENT, **output) for each in beside]
    try:
        done = run(command)
        passed = done.returncode == 0 and re.search(r"^PASS ", done.stdout, re.MULTILINE)
        return "" if passed else done.stdout + done.stderr
    finally:
        for each in working:
            each.send_signal(signal.SIGINT)
            each.wait(timeout=30)


@pytest.fixture(scope="module")
def runs(request):
    """Run the chosen examples, AT_ONCE at a time: most of the time they wait. Each test asks for the result of one."""
    items = [item for item in request.session.items if item.nodeid.startswith(f"{request.node.nodeid}::{AS_TYPED}")]
    paths = [item.callspec.params["path"] for item in items]
    paths.sort(key=lambda path: LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {path: pool.submit(passes, path) for path in paths}


@pytest.mark.alone
@pytest.mark.examples
@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes_as_typed(runs, path):
    result = runs.pop(path, None)  # a repeated test runs its example by itself

    assert not (result.result() if result else passes(path))


@pytest.mark.faults
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_of_the_examples_can_be_started_alone(name):
    serving = subprocess.Popen(
        [sys.executable, "-m", f"examples.servers.{name}"], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    try:
        said = serving.stdout.readline()
        address = re.fullmatch(r"listening on (?:http://)?(127\.0\.0\.1):(\d+)\n", said)
        with socket.create_connection(address.groups(), timeout=5):
            pass
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(timeout=10)
    assert serving.returncode == 0


@pytest.mark.processes
def test_a_server_of_the_examples_refuses_what_is_no_port():
    done = run([sys.executable, "-m", "examples.servers.shop", "eighty"])

    assert done.returncode == 1
    assert done.stderr == "'eighty' is no port: give a number up to 65535, or none for a free port\n"


@pytest.mark.processes
def test_a_server_of_the_examples_names_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run([sys.executable, "-m", "examples.servers.shop", str(port)])

    assert done.returncode == 1
    assert done.stderr.startswith(f"port {port} cannot be used: ")
