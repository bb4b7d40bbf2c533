"""Programs on the PATH as peers of the benchmarks: a stand-in for k6 does what its script says."""

import os
import subprocess
import sys

import pytest
import requests

from benchmarks.cases import CASES
from benchmarks.instructions import fixed_answers
from benchmarks.peer_programs import HEY, K6, OHA, distributed_failures
from benchmarks.peers import Job
from benchmarks.target import Target

STAND_IN = """#!{python}
import json, re, sys, urllib.error, urllib.request
script = open(sys.argv[-1]).read()
failed = 0
for url in re.findall(r"http[.](?:get|post)[(]'([^']+)'", script):
    try:
        urllib.request.urlopen(url).read()
    except OSError:
        failed += 1
summary = re.search(r'return {{ "([^"]+)"', script)[1]
metrics = {{"http_req_failed": {{"values": {{"passes": failed}}}}, "urls": script}}
open(summary, "w").write(json.dumps({{"metrics": metrics}}))
"""
HEY_SAID = """
Status code distribution:
  [200]\t5813 responses
  [503]\t3 responses

Error distribution:
  [2]\tGet "http://127.0.0.1/": connection refused
"""
OHA_SAID = """
Status code distribution:
  [200] 100 responses

Error distribution:
  [64] aborted due to deadline
"""


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """Put a stand-in called k6 on the PATH; return the folder of a job."""
    program = tmp_path / "bin" / "k6"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.processes
@pytest.mark.parametrize("name", ["get", "json", "cookies"])
def test_k6_sends_the_requests_of_a_case(name, on_path):
    case = CASES[name]
    with fixed_answers() as url:
        job = Job(case, Target(url, "", on_path, ""), on_path, 2, 1.0)
        subprocess.run(K6.command(job), check=True)

        assert K6.can(case)
        assert K6.failures("", job) == 0
        script = (on_path / "k6.js").read_text()
        assert f"'{url}{case.path}'" in script
        assert (f"'{url}{case.login}'" in script) == bool(case.login)
        assert requests.get(url, timeout=5).status_code == 200


@pytest.mark.processes
def test_failed_requests_of_k6_are_counted(on_path):
    job = Job(CASES["get"], Target("http://127.0.0.1:1", "", on_path, ""), on_path, 2, 1.0)

    subprocess.run(K6.command(job), check=True)

    assert K6.failures("", job) == 1


def test_there_is_no_peer_without_its_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert not any(peer.can(CASES["get"]) for peer in (K6, HEY, OHA))


@pytest.mark.parametrize(
    ("said", "failures"), [pytest.param(HEY_SAID, 5, id="hey"), pytest.param(OHA_SAID, 0, id="oha")]
)
def test_failures_are_read_from_distributions(said, failures):
    assert distributed_failures(said) == failures
