"""Each example as its first lines say: it runs alone and passes; each of their servers can be started alone."""

import ast
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SERVERS = sorted(path.stem for path in (ROOT / "examples" / "servers").glob("[!_]*.py"))
BESIDES = {"cluster": 1, "embedded_master": 1}
"""Examples whose second command is for another shell, with the number of commands that are started first."""
RUNS = int(os.environ.get("EXAMPLE_RUNS", "1"))
"""How often each is run: `EXAMPLE_RUNS=2 python -m pytest -m examples` runs each twice."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


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


@pytest.mark.alone
@pytest.mark.examples
@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.stem not in BESIDES], ids=lambda path: path.stem)
def test_an_example_passes_as_typed(path):
    first = typed(path)[0]

    for _ in range(RUNS):
        done = run(first)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^PASS ", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.alone
@pytest.mark.examples
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", BESIDES)
def test_an_example_for_two_shells_passes_as_typed(name):
    master, worker = typed(ROOT / "examples" / f"{name}.py")

    for _ in range(RUNS):
        working = subprocess.Popen(
            worker, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            done = run(master)
            assert done.returncode == 0, done.stdout + done.stderr
            assert re.search(r"^PASS ", done.stdout, re.MULTILINE), done.stdout
        finally:
            if working.poll() is None:
                working.send_signal(signal.SIGINT)
            working.communicate(timeout=30)


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


def test_a_server_of_the_examples_refuses_what_is_no_port():
    done = run([sys.executable, "-m", "examples.servers.shop", "eighty"])

    assert done.returncode == 1
    assert done.stderr == "'eighty' is no port: give a number up to 65535, or none for a free port\n"


def test_a_server_of_the_examples_names_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run([sys.executable, "-m", "examples.servers.shop", str(port)])

    assert done.returncode == 1
    assert done.stderr.startswith(f"port {port} cannot be used: ")
