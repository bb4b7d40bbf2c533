"""A master under measurement: prints its address and key, then its cost."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - late: see above
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

from benchmarks.machine import memory_of  # noqa: E402
from chaperon import Environment, Scenario, run, users  # noqa: E402
from chaperon.cluster.bundle import ScenarioBundle  # noqa: E402
from chaperon.cluster.master.cluster_run import ClusterRun  # noqa: E402
from chaperon.cluster.master.coordinator import Patience  # noqa: E402
from chaperon.cluster.transport.address import Address  # noqa: E402
from chaperon.cluster.transport.keys import make_pair  # noqa: E402
from chaperon.cluster.transport.master_socket import MasterSocket  # noqa: E402


def main() -> None:
    """Print address and key for the simulated workers, run them for a while, print the cost."""
    workers, seconds = int(sys.argv[1]), float(sys.argv[4])

    def idle(session: object) -> None:
        """A visitor whose visits are never made."""

    environment = Environment(scenarios=[run(Scenario(idle), users(workers * 8, hold="1h"), name="shop")], brake=None)
    master_key, worker_key = make_pair()
    link = MasterSocket(Address("127.0.0.1"), master_key)
    print(link.address, worker_key, flush=True)
    all_ready: list[float] = []

    def on_notice(text: str) -> None:
        if text.startswith(f"{workers} of"):
            all_ready.append(time.monotonic())

    fleet = ClusterRun(
        environment.plan(),
        link,
        ScenarioBundle("played"),
        workers=workers,
        patience=Patience(gather=120.0),
        notify=on_notice,
    )
    started = time.monotonic()
    fleet.start()
    dealt = time.monotonic()
    gevent.sleep(5)
    windows = _windows(fleet)  # before the clocks are read: it makes a report
    early, used, since = memory_of(os.getpid()), time.process_time(), time.monotonic()
    own = time.thread_time()
    gevent.sleep(seconds)
    lasted, used, own = time.monotonic() - since, time.process_time() - used, time.thread_time() - own
    seen = {
        "cores": used / lasted,
        "python": own / lasted,
        "seconds": lasted,
        "joined": all_ready[0] - started,
        "dealt": dealt - all_ready[0],
        "windows": _windows(fleet) - windows,
        "early": early,
        "late": memory_of(os.getpid()),
    }
    print(json.dumps(seen), flush=True)
    os._exit(0)


def _windows(fleet: ClusterRun) -> int:
    return sum(worker.windows for worker in fleet.report().workers)


if __name__ == "__main__":
    main()
