"""A link that is cut and healed for real: a worker in a network namespace of its own, its cable unplugged.

Run by test_partition.py inside `unshare --net --pid`, with the folder to work in, how the link is cut, when
and for how long, in seconds, and the silence after which a worker is given up. The result is printed as JSON.
Beside the cable to the master (10.9.1.0/24) the worker has another to the target (10.9.2.0/24).
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import gevent
from ground import PromptServer, Target
from unjudged import unjudged
from wires import Wire

SHOP = """
from chaperon import step


@step
def look(session):
    session.get("/look", headers={"X-Number": str(session.visit.number)})
"""
CHAPERON = (sys.executable, "-m", "chaperon")
HOLD, RATE = 9, 40


class Reachable(Target):
    """A target that is reached over the other cable."""

    def __init__(self):
        super().__init__()
        self.close()
        self._server = PromptServer(("10.9.2.1", 0), self._answer, log=None)
        self._server.start()
        self.url = f"http://10.9.2.1:{self._server.server_port}"


def ip(*args, within=()):
    subprocess.run([*within, "ip", *args], check=True)


def started(*command, **kwargs):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True, **kwargs)


def apart():
    """Return a process in a namespace of its own, joined to this one by two cables, and what runs others there."""
    holder = started("unshare", "--net", "sleep", "600")
    here = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{holder.pid}/ns/net") == here:
        gevent.sleep(0.01)
    there = ("nsenter", "--net", f"--target={holder.pid}")
    ip("link", "set", "dev", "lo", "up")
    ip("link", "set", "dev", "lo", "up", within=there)
    for name, net in (("cluster", "10.9.1"), ("target", "10.9.2")):
        ip("link", "add", "name", name, "type", "veth", "peer", "name", f"{name}-far", "netns", str(holder.pid))
        ip("address", "add", f"{net}.1/24", "dev", name)
        ip("address", "add", f"{net}.2/24", "dev", f"{name}-far", within=there)
        ip("link", "set", "dev", name, "up")
        ip("link", "set", "dev", f"{name}-far", "up", within=there)
    return holder, there


def unplug():
    """Cut the cable both ways: nothing arrives at either end, and no connection is closed."""
    ip("link", "set", "dev", "cluster", "down")
    return lambda: ip("link", "set", "dev", "cluster", "up")


def misaddress(device, address, within=()):
    """Cut one way: frames to *address* carry a hardware address that no device has, so the other end drops them."""
    ip("neigh", "replace", address, "lladdr", "02:00:00:00:00:01", "nud", "permanent", "dev", device, within=within)
    return lambda: ip("neigh", "del", address, "dev", device, within=within)


def keys(folder):
    subprocess.run([*CHAPERON, "keygen", folder / "keys"], check=True, stdout=subprocess.DEVNULL)
    return [("--key", str(folder / "keys" / name)) for name in ("master.key", "worker.key")]


def main(folder, how, at, span, silence):
    (folder / "shop.py").write_text(SHOP)
    holder, there = apart()
    ours, theirs = keys(folder)
    target = Reachable()
    crew = [holder]
    try:
        master = started(
            *(*CHAPERON, *unjudged(["master", "shop.py", "--workers", "2", "--bind", "tcp://10.9.1.1:5570", *ours])),
            *("--url", target.url, "--rate", str(RATE), "--hold", f"{HOLD}s", "--silence", f"{silence}s"),
            *("--max-lost", "100%", "--json", "out.json", "--quiet"),
            cwd=folder,
        )
        crew.append(master)
        joining = ("worker", "--master", "tcp://10.9.1.1:5570", *theirs, "--once", "--name")
        crew.append(started(*CHAPERON, *joining, "near", cwd=folder))
        wire = Wire("tcp://10.9.1.1:5570", at="10.9.1.1")
        if how == "half":
            joining = ("worker", "--master", wire.address, *theirs, "--once", "--name")
        crew.append(started(*there, *CHAPERON, *joining, "far", cwd=folder))
        while not target.asked and master.poll() is None:
            gevent.sleep(0.02)
        gevent.sleep(at)
        heal = {
            "both": unplug,
            "to worker": lambda: misaddress("cluster", "10.9.1.2"),
            "to master": lambda: misaddress("cluster-far", "10.9.1.1", there),
            "half": lambda: wire.close_far() or wire.heal,
        }[how]()
        gevent.sleep(span)
        heal()
        codes = []
        for process in crew[1:]:
            while process.poll() is None:
                gevent.sleep(0.05)
            codes.append(process.returncode)
    finally:
        for process in crew:
            process.kill()
            process.wait()
    numbers = Counter(headers["HTTP_X_NUMBER"] for headers in target.headers)
    print(json.dumps({"codes": codes, "asked": len(target.asked), "numbers": len(numbers)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:]))
