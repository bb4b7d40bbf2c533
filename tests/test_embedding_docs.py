"""The code in docs/embedding.md, and the example with a master in it, run as they stand."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaperon import Output
from chaperon.report.outputs.closed_second import ClosedSecond

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "embedding.md").read_text()
ALONE, OUTPUTS, FLEET = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def ran(code, target, folder):
    code = code.replace("http://localhost:8080", target.url)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=40)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.processes
def test_the_program_with_a_run_in_it(target, tmp_path):
    told = ran(ALONE, target, tmp_path)

    assert re.match(r"(PASS|INVALID) ", told)
    assert target.count("GET /") == 40


@pytest.mark.processes
def test_the_program_with_outputs_in_it(target, tmp_path):
    told = ran(OUTPUTS, target, tmp_path).splitlines()

    assert told[0] == "run of environment with 20 iterations by 2 users"
    assert told[1].startswith("0 20 ")
    assert sum("GET /" in line for line in told) == 10
    assert json.loads((tmp_path / "out.json").read_text())["ledger"][0]["done"] == 20


@pytest.mark.faults
@pytest.mark.parametrize("which", ["page", "example"])
def test_the_program_with_a_master_in_it(shells, target, which):
    file = shells.folder / "program.py"
    text = FLEET if which == "page" else (ROOT / "examples" / "embedded_master.py").read_text()
    text = text.replace("http://localhost:8080", target.url).replace("tcp://127.0.0.1:5570", "tcp://127.0.0.1:*")
    file.write_text(text.replace("notify=print)", "notify=lambda text: print(text, flush=True))"))
    program = shells.python(file)
    address = shells.told(program, "the master is at ").split()[-1]

    for name in ("a", "b"):
        shells.worker(address, "--once", "--name", name)

    assert shells.ends(program) == 0, program.told
    if which == "page":
        assert any("20 ['" in line for line in program.told), program.told
        assert target.count("GET /") == 20
    else:
        assert "by a, b" in program.told[-1] or "by b, a" in program.told[-1]
        assert sum(int(line.split()[-2]) for line in program.told if line.startswith("second ")) == 120


def test_the_page_names_what_there_is():
    fields = set(ClosedSecond.__dataclass_fields__) | {"requests"}

    assert {method for method in ("start", "second", "late", "finish") if hasattr(Output, method)} == set(
        re.findall(r"^    def (\w+)\(self", OUTPUTS, re.MULTILINE)
    )
    assert set(re.findall(r"second\.(\w+)", OUTPUTS)) <= fields


SERVED, MOUNTED = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "page.md").read_text(), re.DOTALL)


@pytest.mark.processes
def test_the_programs_that_serve_the_page_of_their_run(target, tmp_path):
    told = ran(SERVED + MOUNTED, target, tmp_path).splitlines()

    assert re.fullmatch(r"look at http://127\.0\.0\.1:\d+/#[\w-]{32}", told[0])
    assert told[1] in ("PASS", "INVALID")
    assert re.fullmatch(r"look at http://127\.0\.0\.1:\d+/load/#[\w-]{32}", told[2])
