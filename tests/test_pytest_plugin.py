"""The pytest plugin: the fixture `load`, in a pytest of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from unjudged import RULES

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = "from chaperon import step\n\n\n@step\ndef look(session):\n    session.get('/')\n"
TRUST = [f"{rule}=off" for rule in RULES]


@pytest.fixture
def inner(tmp_path, target):
    """Run pytest on a test module in an empty folder; *URL* and *TRUST* in it are replaced."""
    (tmp_path / "shop.py").write_text(SCENARIO)

    def run(code, *args, **environ):
        text = code.replace("URL", repr(target.url)).replace("TRUST", repr(TRUST))
        (tmp_path / "test_load.py").write_text(f"import pytest\n\n\n{text}")
        options = ["-p", "no:cacheprovider", "-p", "chaperon.pytest_plugin", "-c", os.devnull, f"--rootdir={tmp_path}"]
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, *args, "test_load.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


PASSING = """
def test_report(load):
    report = load("shop.py", url=URL, iterations=5, trust=TRUST, limits=["errors < 1%"])
    assert report.requests.count == 5
    assert report["GET /"].p95 is None or report["GET /"].p95 < 5


def test_without_check(load):
    report = load("shop.py", url=URL, iterations=3, trust=TRUST, limits=["max(GET /) < 1us"], check=False)
    assert report.verdict.name == "FAIL"


def test_not_patched(load):
    import socket, sys
    load("shop.py", url=URL, iterations=1, trust=TRUST)
    assert "gevent" not in sys.modules
    assert socket.socket.__module__ == "socket"


def test_headers_and_config(load, monkeypatch):
    import subprocess
    real = subprocess.Popen
    seen = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: seen.append(command) or real(command, **more))
    load("config.py", url=URL, iterations=1, trust=TRUST, headers={"X-Key": "open-sesame"}, config={"place": "/here"})
    assert "open-sesame" not in " ".join(seen[0])
"""


@pytest.mark.processes
def test_loads_that_pass_give_their_reports_to_their_tests(inner, target, tmp_path):
    """Among them one without check, whose broken limit is for the test to judge; gevent is not imported here."""
    (tmp_path / "config.py").write_text(SCENARIO.replace("'/'", "session.config['place']"))

    done = inner(PASSING)

    assert done.returncode == 0, done.stdout
    assert target.asked == 9 * ["GET /"] + ["GET /here"]
    assert target.headers[-1]["HTTP_X_KEY"] == "open-sesame"
    section = done.stdout.partition(" load ===")[2]
    assert "test_load.py::test_report: PASS, 5 requests in" in section, ascii(done.stdout)


NO_PASS = {
    'load("shop.py", url=URL, iterations=3, trust=TRUST, limits=["max(GET /) < 1us"])': ["shop.py: FAIL", "max(GET /)"],
    'load("none.py", url=URL)': ["exit code 3", "no such file: none.py"],
    'load("shop.py", url=URL, rate="many")': ["exit code 2", "'many' is not a rate"],
    'load("shop.py", url=URL, rate=5, hold="1h", trust=TRUST, within=3)': ["shop.py: ABORTED"],
}
"""By call: what the failure of its test says."""


@pytest.mark.processes
def test_a_load_that_is_no_pass_fails_the_test_with_its_reasons(inner):
    done = inner("".join(f"def test_{n}(load):\n    {call}\n\n\n" for n, call in enumerate(NO_PASS)))

    assert done.returncode == 1
    assert re.search(r"^=* ?4 failed in ", done.stdout, re.MULTILINE), done.stdout
    assert "Traceback" not in done.stdout
    failures = re.split(r"^_+ test_\d _+$", done.stdout, flags=re.MULTILINE)[1:]
    for words, failure in zip(NO_PASS.values(), failures, strict=True):
        assert all(word in failure for word in words), failure


MARKED = """
pytestmark = pytest.mark.load(url=URL, iterations=2, trust=TRUST)


def test_one(load):
    assert load("shop.py").requests.count == 2


def test_two(load):
    assert load("shop.py", iterations=3).requests.count == 3


def test_other():
    pass
"""


@pytest.mark.processes
def test_a_marker_gives_options_and_deselects(inner, target):
    done = inner(MARKED)
    unmarked = MARKED.replace("pytestmark = pytest.mark.load(", "OPTIONS = dict(")
    left = inner(unmarked, "-m", "not load")

    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 deselected" in left.stdout


@pytest.mark.processes
def test_with_xdist_loads_run_one_after_another_and_are_in_the_summary(inner):
    done = inner(MARKED, "-p", "xdist.plugin", "-n", "2", "--dist", "loadgroup")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_one: PASS, 2 requests" in done.stdout.replace("@chaperon", "")
    assert "test_two: PASS, 3 requests" in done.stdout.replace("@chaperon", "")


@pytest.mark.processes
def test_a_page_lies_beside_the_junit_file(inner, tmp_path):
    done = inner(MARKED, "--junitxml", "out/junit.xml")

    suite = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert done.returncode == 0, done.stdout
    assert properties["load"].startswith("PASS, ")
    assert Path(properties["load page"]).parent == tmp_path / "out"
    assert "<html" in Path(properties["load page"]).read_text()[:500]


def test_it_is_an_entry_point_of_pytest():
    assert "pytest11 =\n    chaperon = chaperon.pytest_plugin\n" in (ROOT / "setup.cfg").read_text()
