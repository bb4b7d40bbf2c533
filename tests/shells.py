"""Shells side by side, each with a command of Chaperon's in it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
from gevent import subprocess as green
from unjudged import unjudged
from waits import until

SHOP = """
from chaperon import step


@step
def look(session):
    session.get("/look", headers={"X-Due": repr(session.visit.due), "X-Number": str(session.visit.number)})
"""


class Shells:
    """Several shells side by side; none of their processes is left when the test is over."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        (folder / "shop.py").write_text(SHOP)

    def start(self, *args, judged=False, **kwargs):
        """Start a command; if *judged*, a run is INVALID where the machine was too slow for it."""
        return self.python("-m", "chaperon", *(args if judged else unjudged(args)), **kwargs)

    def python(self, *args, **kwargs):
        """Start a Python program."""
        process = green.Popen(
            [sys.executable, *map(str, args)],
            cwd=self.folder,
            stdout=green.PIPE,
            stderr=green.PIPE,
            text=True,
            start_new_session=True,
            **kwargs,
        )
        process.told = []
        process.ears = [gevent.spawn(self._listen, process, stream) for stream in (process.stdout, process.stderr)]
        self.processes.append(process)
        return process

    def master(self, *args, workers=2, file="shop.py", **kwargs):
        """Start a master on a free port; its address is where it says it is."""
        process = self.start("master", file, "--workers", workers, "--bind", "tcp://127.0.0.1:*", *args, **kwargs)
        process.address = self.told(process, "the master is at ").split()[-1]
        return process

    def worker(self, address, *args, **kwargs):
        return self.start("worker", "--master", address, *args, **kwargs)

    def told(self, process, start, within=40.0):
        """Wait until a process says something."""
        until(
            lambda: any(start in line for line in process.told),
            within,
            lambda: f"never said {start!r}: {process.told}",
            every=0.01,
        )
        return next(line for line in process.told if start in line)

    def until(self, condition, within=40.0):
        """Wait until something has come to pass."""
        until(condition, within, every=0.01)

    def ends(self, process, within=50.0):
        """Return what a process exits with."""
        try:
            return process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"never ended: {process.told}") from None

    def report(self, name="out.json"):
        return json.loads((self.folder / name).read_text())

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            gevent.joinall(process.ears, timeout=2)

    @staticmethod
    def _listen(process, stream):
        for line in stream:
            process.told.append(line.rstrip())


def engines(shells, of=None, named=None):
    """Return the engine processes that were started from the shells' folder, by one supervisor, for one worker."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            here = entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(shells.folder)
            words = Path(f"/proc/{entry}/cmdline").read_text().split("\0") if here else []
            if "engine" in words and (named is None or named in words):
                parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
                if of is None or of.pid == parent:
                    found.append(int(entry))
        except OSError:
            continue
    return found
