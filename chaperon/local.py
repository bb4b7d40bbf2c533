"""Many engine processes on this machine, as one run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chaperon.clock import HubClock
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.journal.private_dir import PrivateDir
from chaperon.cluster.master.cluster_run import ClusterRun
from chaperon.cluster.master.coordinator import Patience
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.keys import WorkerKey
from chaperon.cluster.transport.master_socket import MasterSocket
from chaperon.cluster.transport.worker_socket import WorkerSocket
from chaperon.cluster.worker.join import routing_id
from chaperon.cluster.worker.supervisor import REJOIN_WAIT, Supervisor
from chaperon.errors import JournalError
from chaperon.load.background import OnFault

if TYPE_CHECKING:
    from chaperon.execution.environment import Environment

GATHER = 60.0


@contextmanager
def processes(
    n: int,
    environment: Environment,
    parcel: ScenarioBundle,
    *,
    patience: Patience | None = None,
    lost: float = 0.01,
    notify: Callable[[str], None] = lambda text: None,
    on_event: Callable[[str], None] = lambda text: None,
    relay: Callable[[str], None] | None = None,
    on_folder: Callable[[Path], None] = lambda folder: None,
) -> Iterator[ClusterRun]:
    """Give a fleet of *n* engine processes on this machine, to be started; none is left when the block is.

    *on_event* is called with a text when one of them is lost, and when its successor has joined.
    *relay* gets each line that they print; without it they print on the streams of this process.
    *on_folder* is called with a private folder that they all know, if one could be made.
    """
    with PrivateDir() as private_dir, ExitStack() as ending:
        address = Address.parse(f"ipc://{private_dir.folder / 'm'}")
        fleet = ClusterRun(
            environment.plan(),
            MasterSocket(address),
            parcel,
            workers=n,
            patience=patience or Patience(gather=GATHER),
            lost=lost,
            on_event=on_event,
        )
        names = [f"local-{k}" for k in range(1, n + 1)]
        workers = start_workers(
            address, names, once=True, notify=notify, on_fault=fleet.fault, relay=relay, on_folder=on_folder
        )
        ending.callback(workers.end)
        yield fleet


def start_workers(
    address: Address,
    names: list[str],
    *,
    capacity: float = 1.0,
    once: bool = False,
    key: WorkerKey | None = None,
    own: str | None = None,
    patience: float | None = None,
    announce: bool = False,
    notify: Callable[[str], None] = lambda text: None,
    on_fault: OnFault = lambda text: None,
    relay: Callable[[str], None] | None = None,
    on_folder: Callable[[Path], None] = lambda folder: None,
) -> Supervisor:
    """Start one engine process for each of *names*, to join the master at *address*.

    *own* is a scenario file of theirs, to be used in place of what the master ships. For a
    master to answer they wait *patience* seconds, or for ever. With *announce* they print when they have joined,
    begin to send, and at the end of the run. *on_fault* is called with each fault of ours,
    *relay* and *on_folder* as for `processes`.
    """

    def command(name: str, incarnation: int) -> list[str]:
        return [
            *("engine", "--master", str(address), "--name", name),
            *("--incarnation", str(incarnation), "--capacity", f"{capacity:g}"),
            *(["--no-ship", own] if own else []),
            *(["--wait", f"{patience:g}"] if patience is not None else []),
            *(["--announce"] if announce else []),
        ]

    link = WorkerSocket(address, routing_id(names[0], os.getpid(), "supervisor/"), key)
    line = "" if key is None else str(key)
    if (engines_dir := _private_dir(notify)) is not None:
        on_folder(engines_dir.folder)
    supervisor = Supervisor(
        names,
        command,
        link,
        HubClock(),
        once=once,
        rejoin_wait=min(patience, REJOIN_WAIT) if once and patience is not None else None,
        key=line,
        private_dir=engines_dir,
        notify=notify,
        on_fault=on_fault,
        relay=relay,
    )
    return supervisor.start()


def _private_dir(notify: Callable[[str], None]) -> PrivateDir | None:
    try:
        return PrivateDir()
    except JournalError as exc:
        notify(f"{exc}: should an engine be killed, its last second is lost")
        return None
