"""A master in a program of one's own: `chaperon.master` and `chaperon.start_master`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaperon.clock import seconds
from chaperon.cluster.bundle import OpenedFiles, ScenarioBundle, bundle_files, pack_bundle, split_target
from chaperon.cluster.master.cluster_run import ClusterRun
from chaperon.cluster.master.coordinator import Patience
from chaperon.cluster.transport.address import PORT, Address
from chaperon.descriptors import enough, takes
from chaperon.errors import UsageError
from chaperon.execution.environment import Environment
from chaperon.execution.loader import load
from chaperon.measure.quantity import count_text
from chaperon.report.outputs.output import Output
from chaperon.report.report import Report

if TYPE_CHECKING:
    from chaperon.cluster.transport.keys import MasterKey

NO_KEY_NOTE = (
    "the master has no key (--no-key): any user of its machine could join and read the scenario with its settings"
)

_packing: list[str] = []
"""The files that are being imported for workers; one that starts a master meanwhile would do so on each worker."""


def master(environment: Environment, *, bind: str = f"tcp://127.0.0.1:{PORT}", workers: int, **options: Any) -> Report:
    """Run *environment* on *workers* workers to the end, blocking this greenlet; return the report.

    It is to `start_master` what `Environment.execute` is to `Environment.start`: *options* are
    those of `start_master`. Raises what that raises; TeardownError and OutputError bring the
    report with them.
    """
    with start_master(environment, bind=bind, workers=workers, **options) as running:
        running.wait()
    running.check_written()
    return running.finish()


def start_master(
    environment: Environment,
    *,
    bind: str = f"tcp://127.0.0.1:{PORT}",
    workers: int,
    file: str | None = None,
    url: str | None = None,
    ship: Sequence[str | Path] = (),
    key: str | None = None,
    no_key: bool = False,
    gather: float | str | None = None,
    silence: float | str = 10.0,
    dead_man: float | str = 30.0,
    max_lost: float = 0.01,
    outputs: Sequence[Output] = (),
    notify: Callable[[str], None] = lambda text: None,
) -> ClusterRun:
    """Listen at *bind*, wait for *workers* workers, start the load on all of them; return the run as it begins.

    Workers (`chaperon worker`, same version) load the environment from a file: *file* is
    FILE[:NAME] or MODULE[:NAME]; None: the module that has *environment* as a global variable.
    They get the file with what it imports and reads, and with *ship*. The file is imported once
    more here, to see what belongs to it, so what it does as a program belongs below
    `if __name__ == "__main__":`. *url* replaces the base URL, here and on the workers; other
    values made here reach them as the result of the environment's `setup`.

    *key*, *no_key*, *gather*, *silence*, *dead_man* and *max_lost* are as the options of
    `chaperon master` (spans in seconds or as text, *max_lost* a share). *outputs* are as in
    `Environment.start`. *notify* is called with each line that `chaperon master` prints while it waits.

    Blocks until the workers are ready, other greenlets go on. Raises UsageError, LoadError,
    NotPatched, OutputError; WorkersMissing if they have not come within *gather*.
    """
    from chaperon.cluster.transport.key_files import choose_key  # late: importing chaperon must not load zmq
    from chaperon.cluster.transport.keys import MasterKey

    if workers < 1:
        raise UsageError(f"workers= takes a number from 1, got {workers}")
    if not 0.0 <= max_lost <= 1.0:
        raise UsageError(f"max_lost= takes a share from 0 to 1, got {max_lost:g}")
    enough(takes(workers), f"a master of {count_text(workers, 'worker')}")
    address = Address.parse(bind)
    found = choose_key(key, os.environ, MasterKey, address, "bind", without=no_key)
    overrides = {} if url is None else {"url": url}
    adapted = environment.adapt(url=url).checked()
    bundle = _bundle(adapted, _target(environment) if file is None else file, overrides, map(Path, ship))
    patience = Patience(seconds(silence), seconds(dead_man), None if gather is None else seconds(gather))
    running, _ = open_master(
        adapted,
        bundle,
        address=address,
        key=found if isinstance(found, MasterKey) else None,
        workers=workers,
        patience=patience,
        lost=max_lost,
        notify=notify,
    )
    return running.start(outputs)


def open_master(
    environment: Environment,
    bundle: ScenarioBundle,
    *,
    address: Address,
    key: MasterKey | None,
    workers: int,
    patience: Patience,
    lost: float,
    notify: Callable[[str], None],
) -> tuple[ClusterRun, Address]:
    """Listen at *address*; return the run, to be started, with the address as it is bound. Raises UsageError."""
    from chaperon.cluster.transport.master_socket import MasterSocket  # late: importing chaperon must not load zmq

    link = MasterSocket(address, key)
    notify(f"the master is at {link.address}")
    running = ClusterRun(environment.plan(), link, bundle, workers=workers, patience=patience, lost=lost, notify=notify)
    if key is None:
        notify(f"WARNING: {NO_KEY_NOTE}")
        running.note(NO_KEY_NOTE)
    return running, link.address


def _target(environment: Environment) -> str:
    """Return where workers find *environment*: the file of a module, with its name there. Raises UsageError."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        for name, value in list(vars(module).items()):
            if value is environment:
                return f"{file}:{name}"
    raise UsageError(
        "workers load the environment from a file: assign it to a global variable of a module, "
        "or give file='shop.py:NAME'"
    )


def _bundle(
    environment: Environment, target: str, overrides: Mapping[str, Any], ship: Iterable[Path]
) -> ScenarioBundle:
    """Return the files that workers need for *target*. Raises UsageError if it is another environment, LoadError."""
    if _packing:
        raise UsageError(
            f"{_packing[-1]} starts a master when it is imported, which each worker does: "
            'put the call below `if __name__ == "__main__":`'
        )
    before = dict(sys.modules)
    _packing.append(target)
    try:
        with OpenedFiles() as opened:
            loaded = load(target)
    finally:
        _packing.pop()
        sys.modules.update(before)  # the program goes on with the modules it has
    there, here = _load_of(loaded), _load_of(environment)
    if there != here:
        raise UsageError(
            f"{target} is another environment: its load is {there}, the one given has {here}; "
            "workers use what the file has, so change it there"
        )
    return pack_bundle(target, overrides, bundle_files(split_target(target)[0], opened.paths, ship))


def _load_of(environment: Environment) -> str:
    plan = environment.plan()
    loads = ", ".join(f"{entry.label}: {entry.load}" for entry in plan.entries)
    return f"{loads} with seed {plan.seed} and {plan.warmup:g} s of warm-up"
