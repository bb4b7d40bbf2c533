"""`chaperon engine`: a worker process, started by its supervisor."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import gevent

from chaperon.cli.options import RunOptions
from chaperon.cli.terminal.clean_text import REDACT
from chaperon.cli.terminal.forgiving_stream import print_failures_once_in
from chaperon.cli.terminal.lines import print_notice
from chaperon.cli.terminal.log_handlers import hint_at_log, log_to
from chaperon.cli.terminal.standard_streams import print_line_by_line
from chaperon.cli.terminal.stray_errors import stray_errors_contained
from chaperon.clock import HubClock
from chaperon.cluster.bundle import OpenedFiles, bundle_files, digest_of, read_files, split_target, unpack_bundle
from chaperon.cluster.protocol.messages import Welcome
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.keys import WorkerKey, parse_key
from chaperon.cluster.transport.worker_socket import WorkerSocket
from chaperon.cluster.worker.engine_codes import LEFT
from chaperon.cluster.worker.join import Identity
from chaperon.cluster.worker.log_sender import LogSender
from chaperon.cluster.worker.parent_pipe import NameSender, read_key_line
from chaperon.cluster.worker.supervisor import exit_with_parent
from chaperon.cluster.worker.worker import Worker
from chaperon.errors import LoadError
from chaperon.execution.environment import Environment
from chaperon.execution.import_guard import search
from chaperon.execution.load_builder import preload_clients


@click.command(hidden=True)
@click.option("--master", required=True)
@click.option("--name", required=True)
@click.option("--incarnation", type=int, required=True)
@click.option("--capacity", type=float, default=1.0)
@click.option("--journal", type=click.Path(path_type=Path))
@click.option("--no-ship", "own")
@click.option("--wait", "patience", type=float)
@click.option("--announce", is_flag=True)
def engine(
    master: str,
    name: str,
    incarnation: int,
    capacity: float,
    journal: Path | None,
    own: str | None,
    patience: float | None,
    announce: bool,
) -> int:
    """Join a master for one run. `chaperon worker` starts this command."""
    if journal is not None:
        print_failures_once_in(journal.parent)
    print_line_by_line()
    key_line = read_key_line()
    send_name = NameSender(exit_with_parent())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    key = parse_key(key_line) if key_line else None
    identity = Identity(name, incarnation, capacity)
    logs = LogSender(HubClock(), REDACT)

    worker = Worker(
        WorkerSocket(Address.parse(master), identity.routing_id, key if isinstance(key, WorkerKey) else None),
        identity,
        _bundle_loader(journal, logs) if own is None else _own_file_loader(own, logs),
        HubClock(),
        journal=journal,
        fetch_bundle=own is None,
        timeout=patience,
        notify=print_notice,
        announce=print_notice if announce else lambda text: None,
        redact=REDACT,
        logs=logs,
        send_name=send_name,
    )
    gevent.signal_handler(signal.SIGTERM, worker.leave)
    with stray_errors_contained():
        code = worker.run()
    if worker.reason and code != LEFT:  # on purpose: needs no explanation
        print_notice(f"worker {name}: {worker.reason}")
    return code


def _bundle_loader(journal: Path | None, logs: LogSender) -> Callable[[Welcome, bytes], Environment]:
    """Return a function that loads the environment from the bundle a master ships, or from the file it names."""

    def load_environment(welcome: Welcome, content: bytes) -> Environment:
        target = welcome.target
        if welcome.digest:
            folder = Path(tempfile.mkdtemp(prefix="scenario-", dir=None if journal is None else journal.parent))
            unpack_bundle(content, welcome.digest, folder)
            search(str(folder))
            preload_clients()
            target = str(folder / target)
        return _load(target, welcome, logs)

    return load_environment


def _own_file_loader(own: str, logs: LogSender) -> Callable[[Welcome, bytes], Environment]:
    """Return a function that loads the environment from a file of this machine, if its content is the master's."""

    def load_environment(welcome: Welcome, content: bytes) -> Environment:
        file, name = split_target(own)
        if not name and ":" in welcome.target:
            name = f":{welcome.target.rpartition(':')[2]}"
        with OpenedFiles() as opened:
            environment = _load(f"{file}{name}", welcome, logs)
        if digest_of(read_files(bundle_files(file, opened.paths))) != welcome.digest:
            raise LoadError(f"{file} on this machine differs from the master's, or the files beside it do")
        return environment

    return load_environment


def _load(target: str, welcome: Welcome, logs: LogSender) -> Environment:
    """Load the environment with the options of the master; what it logs from then on goes to the master."""
    options = RunOptions(**welcome.overrides)
    environment = options.load_environment(target)
    if options.log_level is not None:
        log_to(logs, options.log_level)
    else:
        hint_at_log()
    return environment
