"""A worker's network is cut off and comes back: everything it did counts, once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

SCRIPT = Path(__file__).with_name("partition.py")
APART = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--mount-proc", "--fork", "--kill-child")
RATE, HOLD = 40, 9
TWICE = "visits that a worker given up has made, and its successor again"


def lacking():
    """Return why no network of its own can be had here, or nothing."""
    missing = [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if missing:
        return f"there is no {', '.join(missing)} here"
    probe = "ip link add name near type veth peer name far && ip link set dev near up"
    tried = subprocess.run([*APART, "sh", "-c", probe], capture_output=True, text=True)
    return f"no network of its own may be made here: {tried.stderr.strip()}" if tried.returncode else ""


WHY_NOT = lacking()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it can be")
@pytest.mark.parametrize(("cut", "given_up"), [(1.0, False), (4.5, True)])
def test_a_cable_unplugged_and_plugged_in_again(tmp_path, cut, given_up):
    path = os.pathsep.join((str(SCRIPT.parent), str(SCRIPT.parent.parent)))
    ran = subprocess.run(
        [*APART, sys.executable, SCRIPT, tmp_path, str(cut), "2.0"],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": path},
    )

    assert ran.returncode == 0, ran.stderr
    came = json.loads(ran.stdout)
    report = json.loads((tmp_path / "out.json").read_text())
    (ledger,) = report["ledger"]
    told = sum(row["count"] for row in report["series"] if row["kind"] == "http")
    twice = report["notes"].get(TWICE, 0)
    assert came["codes"][0] in (0, 5), ran.stderr
    assert told == came["asked"] == ledger["done"]
    assert ledger["planned"] == RATE * HOLD + twice == ledger["done"] + ledger["lost"]
    assert came["asked"] - came["numbers"] == twice
    assert any(worker["lost"] for worker in report["workers"]) is given_up
