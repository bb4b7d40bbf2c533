"""What docs/ci.md shows works as typed: the jobs of GitHub and GitLab in a clean folder, the test of pytest."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from unjudged import RULES

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "ci.md").read_text()
SCENARIO, TEST = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
JOBS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def github(job):
    """Return the lines of the step that sends the load."""
    return next(step["run"] for step in job["jobs"]["load"]["steps"] if step.get("name") == "load").splitlines()


def gitlab(job):
    return [line for line in job["load"]["script"] if not line.startswith("pip ")]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.processes
@pytest.mark.parametrize(("text", "lines"), [*zip(JOBS, (github, gitlab), strict=True)], ids=["github", "gitlab"])
def test_a_job_runs_as_typed_in_a_clean_folder(text, lines, tmp_path):
    yaml = pytest.importorskip("yaml")
    port = str(free_port())
    (tmp_path / "loadtests").mkdir()
    (tmp_path / "loadtests" / "shop.py").write_text(SCENARIO.replace("8080", port))
    script = "\n".join(["set -e", *lines(yaml.safe_load(text))]).replace("8080", port)
    trust = "\n".join(f"{rule}=off" for rule in RULES)
    environ = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "CHAPERON_TRUST": trust}

    done = subprocess.run(
        ["bash", "-c", f"trap 'kill %1' EXIT\n{script}"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert {each.name for each in (tmp_path / "results").iterdir()} == {"load.xml", "load.html", "load.run", "failures"}


@pytest.mark.processes
def test_the_test_of_pytest_passes_as_typed(tmp_path, target):
    (tmp_path / "loadtests").mkdir()
    (tmp_path / "loadtests" / "shop.py").write_text(SCENARIO)
    (tmp_path / "test_shop.py").write_text(TEST.replace("http://127.0.0.1:8080", target.url))
    trust = "\n".join(f"{rule}=off" for rule in RULES)
    plugin = ["-p", "chaperon.pytest_plugin", "-c", os.devnull, f"--rootdir={tmp_path}"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "test_shop.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "CHAPERON_TRUST": trust},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert target.count("GET /") == 60
