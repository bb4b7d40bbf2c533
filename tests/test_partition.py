"""A worker's network is cut off and comes back: everything it did counts, once."""

import json
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from random import Random

import pytest
from thorough import some

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


needs_namespaces = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it can be")


def partitioned(folder, how, at, span):
    """Run a load of two workers, of whom one is cut off; return what the target saw, the report, and errors."""
    path = os.pathsep.join((str(SCRIPT.parent), str(SCRIPT.parent.parent)))
    ran = subprocess.run(
        [*APART, sys.executable, SCRIPT, folder, how, str(at), str(span), "2.0"],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert ran.returncode == 0, ran.stderr
    came = json.loads(ran.stdout)
    assert came["codes"][0] in (0, 5), ran.stderr
    return came, json.loads((folder / "out.json").read_text())


@needs_namespaces
@pytest.mark.parametrize(("span", "given_up"), some([(4.5, True), (1.0, False)], 2))
def test_a_cable_unplugged_and_plugged_in_again(tmp_path, span, given_up):
    came, report = partitioned(tmp_path, "both", 1.0, span)

    (ledger,) = report["ledger"]
    told = sum(row["count"] for row in report["series"] if row["kind"] == "http")
    assert told == came["asked"] == ledger["done"]
    assert ledger["planned"] == RATE * HOLD == ledger["done"] + ledger["lost"]
    assert came["asked"] == came["numbers"]
    assert any(worker["lost"] for worker in report["workers"]) is given_up


@needs_namespaces
@pytest.mark.parametrize(("how", "seed"), some(product(["to worker", "to master", "half"], range(4)), 12))
def test_however_a_link_is_cut_no_arrival_is_made_twice(tmp_path, how, seed):
    chance = Random(f"{how} {seed}")

    came, report = partitioned(tmp_path, how, chance.uniform(0.5, 2.5), chance.choice([0.3, 1.0, 2.2, 3.0, 4.5]))

    (ledger,) = report["ledger"]
    told = sum(row["count"] for row in report["series"] if row["kind"] == "http")
    assert came["asked"] == came["numbers"]
    assert TWICE not in report["notes"]
    assert ledger["planned"] == RATE * HOLD
    assert ledger["planned"] == sum(
        ledger[fate] for fate in ("done", "failed", "interrupted", "no_row", "dropped", "lost")
    )
    assert 0 <= came["asked"] - told <= ledger["lost"]
