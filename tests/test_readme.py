"""What the README shows is true: its code runs, its commands exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from unjudged import UNJUDGED

from chaperon import Verdict
from chaperon.cli.main import chaperon
from chaperon.execution.loader import load

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
FIRST, WHOLE, SOCKET, EMBEDDED = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^    chaperon (.*)$", README, re.MULTILINE)


def written(folder, text):
    file = folder / "shop.py"
    file.write_text(text)
    return str(file)


def test_the_first_scenario_is_its_steps(tmp_path):
    environment = load(written(tmp_path, FIRST))

    (entry,) = environment.entries
    assert entry.scenario.names == ["arrive", "look_around"]


@pytest.mark.alone
def test_the_whole_environment_runs(tmp_path, target):
    environment = load(written(tmp_path, WHOLE) + ":production")

    report = environment.adapt(url=target.url, only="small_ones", trust=UNJUDGED).execute()

    assert report.verdict is Verdict.PASS
    assert target.count("PUT /basket") == report["call save"].count == 10


def test_the_socket_scenario_talks_to_a_server_that_echoes(tmp_path, websocket_server):
    environment = load(written(tmp_path, SOCKET))

    report = environment.adapt(url=websocket_server().url, trust=UNJUDGED).execute()

    assert report.verdict is Verdict.PASS
    assert report["ws connect /chat"].count == report["ws recv /chat"].count == 1


@pytest.mark.alone
def test_the_embedded_program_runs(target):
    code = EMBEDDED.replace("http://localhost:8080", target.url)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=30)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 0, "no request so far"


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_it_shows_is_one(line):
    name, *args = shlex.split(line)

    command = chaperon.get_command(None, name)

    command.make_context(name, args)
