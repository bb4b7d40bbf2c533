"""A storm over a cluster: kills, stops, cuts at random from a seed; then the books are checked.

As a script, for many seeds: python tests/chaos.py --seeds 20 [--first 100]
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import argparse
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random

import gevent
from shells import Shells, engines
from wires import Wire

NAMES = ("alpha", "beta", "gamma")
HOLD = 12


def storm(seed, shells, target):
    """Run a load on three workers through ten blows; raise AssertionError unless all adds up in the end."""
    chance = Random(seed)
    master = shells.master(
        *("--url", target.url, "--rate", 60, "--hold", f"{HOLD}s", "--silence", "2s", "--dead-man", "6s"),
        *("--max-lost", "100%", "--json", "out.json", "--quiet", "--no-brake"),
        workers=len(NAMES),
    )
    wire = Wire(master.address)
    for name in NAMES:
        shells.worker(wire.address if name == "gamma" else master.address, "--name", name)
    with gevent.Timeout(60):
        while not target.asked:
            gevent.sleep(0.02)
    blows = []
    for _ in range(8):
        gevent.sleep(chance.uniform(0.2, 1.6))
        blows.append(_blow(chance, shells, wire, master))
    code = shells.ends(master, within=60)
    wire.close()
    _check(seed, blows, code, shells.report(), target)


BLOWS = ("kill", "kill", "stop", "long stop", "cut", "long cut", "close", "master", "long master")


def _blow(chance, shells, wire, master):
    what = chance.choice(BLOWS)
    struck = engines(shells, named=chance.choice(NAMES))
    with suppress(ProcessLookupError):
        if what == "kill" and struck:
            os.kill(struck[0], signal.SIGKILL)
        elif "stop" in what and struck:
            os.kill(struck[0], signal.SIGSTOP)
            gevent.spawn_later(0.8 if what == "stop" else 3.5, _go_on, struck[0])
        elif "master" in what and master.poll() is None:
            os.kill(master.pid, signal.SIGSTOP)
            gevent.spawn_later(0.8 if what == "master" else 3.5, _go_on, master.pid)
        elif what == "close":
            wire.heal()
        elif "cut" in what:
            wire.cut()
            gevent.spawn_later(0.8 if what == "cut" else 3.5, wire.heal)
    return what


def _go_on(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _check(seed, blows, code, report, target):
    (ledger,) = report["ledger"]
    ends = sum(ledger[fate] for fate in ("done", "failed", "interrupted", "no_row", "dropped", "lost"))
    count = sum(row["count"] for row in report["series"] if row["name"] == "GET /look")
    asked = target.count("GET /look")
    told = f"seed {seed}, {blows}: exit {code}, {ledger}, {count} reported of {asked} asked, {report['reasons']}"
    assert code in (0, 5), told
    assert ledger["planned"] == ends, told
    assert ledger["planned"] >= 60 * HOLD, told
    # a request in flight when its engine is killed is known to the target alone; what a cut hid to the end is lost
    slack = 4 * blows.count("kill") + (200 if code == 5 else 0)
    assert 0 <= asked - count <= ledger["lost"] + slack, told
    return told


def main():
    """Storm over as many seeds as asked for; stop at the first that does not add up."""
    from ground import Target

    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    asked = parser.parse_args()
    for seed in range(asked.first, asked.first + asked.seeds):
        target = Target()
        with tempfile.TemporaryDirectory() as folder:
            shells = Shells(Path(folder).resolve())
            try:
                storm(seed, shells, target)
                print(f"seed {seed}: adds up", flush=True)
            finally:
                shells.close()
                target.close()


if __name__ == "__main__":
    sys.exit(main())
