"""What is compiled: a few visits pass through each of these modules, and a build compiles all of them."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import compiled_tests
import pytest
from built import compiled
from quick import SLOW

ROOT = Path(__file__).resolve().parent.parent
NOT_OF_A_VISIT = {
    "chaperon/cluster/master/progress.py",
    "chaperon/cluster/master/windows.py",
    "chaperon/client/known_parts.py",
    "chaperon/client/websocket/deflate.py",
    "chaperon/load/visitor.py",
    "chaperon/measure/encoding/series_columns.py",
    "chaperon/measure/encoding/strict_msgpack.py",
    "chaperon/measure/encoding/window_codec.py",
}
"""Attributes and protocols alone, and what compressed WebSockets and fleets need."""


VISITS = """
from gevent import monkey

monkey.patch_all()
import sys

import greenlet
from unjudged import UNJUDGED

from chaperon import Environment, Scenario, iterations, rate, run, users, users_per_second


def buy(session):
    session.post("/echo", json={"shop": 1}).json()
    session.get(secure, verify=False)
    with session.measure("basket"), session.ws(echo) as socket:
        socket.send("hello")
        session.spawn(socket.expect, "hello")
        session.join()
    session.fail("half an emoji: " + chr(0xD83D))


def called(frame, event, argument):
    files.add(frame.f_code.co_filename)


plain, secure, echo = sys.argv[1:]
files = set()
loads = [users(1, hold=0.2), rate(20, hold=0.2), users_per_second(20, visits=1, hold=0.2), iterations(50)]
scenarios = [run(Scenario(buy, name=f"shop {n}"), load) for n, load in enumerate(loads)]
environment = Environment(plain, scenarios=scenarios, trust=UNJUDGED)
greenlet.settrace(lambda event, switch: sys.setprofile(called))  # each greenlet has a profile function of its own
environment.execute()
greenlet.settrace(None)
sys.setprofile(None)
print(*files, sep="\\n")
"""


@pytest.mark.processes
@pytest.mark.as_written
def test_visits_pass_through_every_module_that_is_compiled(target, tls_target, websocket_server):
    path = [str(ROOT), str(ROOT / "tests")]
    code = f"import sys; sys.path[:0] = {path!r}\n{VISITS}"
    urls = [target.url, tls_target.url, websocket_server().url]
    done = subprocess.run([sys.executable, "-c", code, *urls], capture_output=True, text=True, timeout=50)

    assert done.returncode == 0, done.stderr
    files = done.stdout.splitlines()
    assert {path for path in compiled() if str(ROOT / path) not in files} == NOT_OF_A_VISIT


def test_every_compiled_module_has_tests_that_run_with_compiled_code_too():
    assert {compiled_tests.part_of(path) for path in compiled()} == compiled_tests.TESTS.keys()
    assert all(compiled_tests.TESTS.values())
    assert [path.name for path in compiled_tests.files() if not path.is_file()] == []
    marked = [path for path in ROOT.glob("tests/test_*.py") if "pytest.mark." + "compiled" in path.read_text()]
    assert set(marked) <= {*compiled_tests.files(), Path(__file__)}
    for path in compiled_tests.files():
        marks = getattr(import_module(path.stem), "pytestmark", [])
        names = {mark.name for mark in (marks if isinstance(marks, list) else [marks])}
        assert names.isdisjoint(SLOW) or "compiled" in names, (
            f"{path.name}: none of its tests is run with compiled code"
        )


@pytest.mark.skipif(find_spec("chaperon.visit__mypyc") is None, reason="the source is run as it is written")
def test_a_build_compiles_every_module_of_the_list():
    modules = [import_module(path.removesuffix(".py").replace("/", ".")) for path in compiled()]

    assert [module.__name__ for module in modules if not module.__file__.endswith(".so")] == []
