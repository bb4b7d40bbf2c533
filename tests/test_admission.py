"""Which workers may join: both sides print why one may not, before anything is sent."""

import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from test_fleet import Ground

import chaperon
from chaperon import rate, users
from chaperon._version import VERSION
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.admission import Admission
from chaperon.cluster.protocol.codec import PROTOCOL
from chaperon.cluster.protocol.messages import Hello, Reject
from chaperon.cluster.worker.engine_codes import REFUSED
from chaperon.cluster.worker.join import Identity
from chaperon.errors import OtherProtocol, WorkersMissing


class Door:
    """An admission that refuses every worker, with what it prints."""

    def __init__(self, why):
        self.sent, self.told = [], []
        self.admission = Admission(
            self, ScenarioBundle("shop.py"), lambda hello, now: why, lambda: None, self.told.append
        )

    def send(self, sender, message):
        self.sent.append(message)


def saying(**other):
    """Return an identity that says something else of itself."""

    class Other(Identity):
        @property
        def hello(self):
            return replace(Identity.hello.fget(self), **other)

    return Other


def hello(name, chaperon=VERSION):
    return Hello(name, 1, chaperon, "3.11", "host", 2, 1.0)


@pytest.mark.parametrize("theirs", ["7.1.0", "0.0.9"])
def test_a_worker_of_another_version_is_turned_away_with_both_versions_told(theirs):
    stage = Ground(users(2))
    stage.worker("alpha")
    stage.worker("beta", identify=saying(chaperon=theirs))

    with pytest.raises(WorkersMissing, match="1 of 2 workers were ready after 5 s: 'beta' was refused"):
        stage.fleet(2, gather=5.0)

    why = f"it is Chaperon {theirs}, the master {VERSION}: install the same on both"
    assert stage.codes["beta/1"] == REFUSED
    assert stage.crew["beta"].reason == f"the master refused this worker: {why}"
    assert [line for line in stage.told if "beta" in line] == [
        f"worker 'beta' on {platform.node()!r} is refused: {why}"
    ]
    assert not stage.made


def test_a_late_joiner_of_another_version_disturbs_nobody():
    stage = Ground(rate(10, hold=10))
    stage.worker("alpha")
    stage.fleet(1)
    stage.after(4.0, lambda: stage.worker("beta", identify=saying(chaperon="7.1.0")))

    report = stage.play()

    assert stage.codes["beta/1"] == REFUSED
    assert report.ledger["shop"].done == 100
    assert [w.name for w in report.workers] == ["alpha"]


def test_a_version_that_differs_in_its_last_number_is_let_in():
    stage = Ground(users(2))
    stage.worker("alpha", identify=saying(chaperon=VERSION.rpartition(".")[0] + ".99"))

    stage.fleet(1)

    assert stage.play().ledger["shop"].done == 2


def test_another_python_is_let_in_and_told_of_once():
    stage = Ground(users(2), loss=0.3, seed=5)
    stage.worker("alpha", identify=saying(python="3.99.1"))
    stage.worker("beta")

    stage.fleet(2)

    its = f"its Python is 3.99.1, the master's {platform.python_version()}"
    assert [line for line in stage.told if "Python" in line] == [
        f"worker 'alpha' on {platform.node()!r} joins, though {its}"
    ]
    assert stage.play().ledger["shop"].done == 2


def test_whoever_speaks_another_protocol_is_told_of_with_both_numbers():
    door = Door("never asked")

    for _ in range(3):
        door.admission.handle_other_protocol(b"beta/77", OtherProtocol(PROTOCOL + 1, PROTOCOL))

    assert door.told == [
        f"worker 'beta' is refused: it speaks protocol {PROTOCOL + 1}, the master's Chaperon {VERSION} "
        f"protocol {PROTOCOL}: install the same Chaperon on both"
    ]
    assert [type(message) for message in door.sent] == [Reject] * 3


def test_a_crowd_at_the_door_is_told_of_within_bounds():
    door = Door("no")

    for n in range(3_000):
        door.admission.handle_hello(f"w{n}/1".encode(), hello(f"w{n}"), 0.0)

    assert len(door.told) == 1_001
    assert door.told[-1] == "more than 1,000 workers were refused: further ones are not reported"
    assert door.admission.refusals == "'w0' was refused, for no; 'w1' was refused, for no; as were 998 more"


@pytest.mark.faults
def test_a_worker_with_another_chaperon_installed_leaves_with_code_6_and_the_run_goes_on_without(shells, target):
    other = shells.folder / "other"
    shutil.copytree(Path(chaperon.__file__).parent, other / "chaperon", ignore=shutil.ignore_patterns("__pycache__"))
    version = other / "chaperon" / "_version.py"
    version.write_text(version.read_text().replace(VERSION, "7.1.0"))
    master = shells.master("--url", target.url, "--iterations", 4, "--json", "out.json", "--quiet", workers=1)

    stranger = shells.worker(master.address, "--name", "beta", env={**os.environ, "PYTHONPATH": str(other)})
    code = shells.ends(stranger)
    asked = len(target.asked)
    shells.worker(master.address, "--name", "alpha", "--once")

    why = f"it is Chaperon 7.1.0, the master {VERSION}: install the same on both"
    assert code == 6, stranger.told
    assert f"worker beta: the master refused this worker: {why}" in stranger.told
    assert shells.told(master, "'beta' on ").endswith(f" is refused: {why}")
    assert asked == 0
    assert shells.ends(master) == 0, master.told
    assert [w["name"] for w in shells.report()["workers"]] == ["alpha"]
