"""What starting the command line imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from unjudged import unjudged

from chaperon.exit_codes import ABORTED

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.processes
def test_the_version_is_printed_without_gevent_and_requests():
    code = (
        "import sys; sys.argv = ['chaperon', '--version']\n"
        "try:\n    import chaperon.__main__\n"
        "finally:\n    print(sorted({'gevent', 'requests', 'click'} & set(sys.modules)))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()

    assert said[0].startswith("chaperon ")
    assert said[1] == "[]"


@pytest.mark.processes
def test_the_version_is_the_same_beside_other_options():
    command = [sys.executable, "-m", "chaperon"]

    alone = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    doubled = subprocess.run([*command, "--version", "--version"], capture_output=True, text=True, check=True).stdout

    assert alone == doubled


NOT_NEEDED = {
    "rich",
    "html",
    "tomllib",
    "webbrowser",
    "decimal",
    "fractions",
    "chaperon.report.report",
    "chaperon.report.verdict",
    "chaperon.report.outputs.closed_second",
    "chaperon.report.outputs.console",
    "chaperon.report.run_file.records",
    "chaperon.cli.live_view.live_view",
    "chaperon.cli.terminal.live",
    "chaperon.execution.capacity_search",
    "chaperon.cluster.master",
}
"""What a run needs after its first request, if at all."""


@pytest.mark.processes
def test_nothing_is_imported_before_the_first_visit_that_only_the_end_needs(tmp_path):
    file = tmp_path / "first.py"
    file.write_text(
        "import sys\nfrom chaperon import step\n@step\ndef first(session):\n    print('modules', *sys.modules)\n"
    )

    command = [sys.executable, "-m", "chaperon", *unjudged(["local", file, "--quiet"])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    line = next(line for line in done.stdout.splitlines() if line.startswith("modules "))
    assert NOT_NEEDED & set(line.split()) == set()
    assert "PASS" in done.stdout


INTERRUPTING = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""
"""A module `sitecustomize`: the process is interrupted when a module is about to be imported."""
LATER = ["chaperon.exit_codes", "chaperon.descriptors", "gevent", "gevent.monkey", "chaperon.cli.main", "click"]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("command", "module"),
    [("-m", module) for module in LATER]
    + [("bin", module) for module in ("chaperon", "chaperon.errors", "chaperon.__main__", *LATER)],
)
def test_ctrl_c_during_an_import_ends_the_command_in_one_line(tmp_path, command, module):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING)
    folders = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "INTERRUPTED_AT": module}
    words = ["-m", "chaperon"] if command == "-m" else [str(ROOT / "bin" / "chaperon")]

    done = subprocess.run([sys.executable, *words, "--help"], capture_output=True, text=True, env=environment)

    assert (done.returncode, done.stdout, done.stderr) == (ABORTED, "", "chaperon: ended by Ctrl-C\n")


@pytest.mark.processes
def test_plug_ins_of_gevent_see_the_patching(tmp_path):
    (tmp_path / "plug.py").write_text("def patched(event):\n    print('patched', type(event).__name__)\n")
    described = tmp_path / "plug-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[gevent.plugins.monkey.did_patch_all]\nplug = plug:patched\n")

    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "chaperon", "--help"], capture_output=True, text=True, check=True, env=environment
    )

    assert done.stdout.splitlines()[0] == "patched GeventDidPatchAllEvent"


@pytest.mark.processes
def test_garbage_is_collected_from_the_first_visit_on(tmp_path):
    file = tmp_path / "first.py"
    file.write_text("import gc\nfrom chaperon import step\n@step\ndef first(session):\n    print(gc.isenabled())\n")

    command = [sys.executable, "-m", "chaperon", *unjudged(["local", file, "--quiet"])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert "True" in done.stdout.splitlines()
