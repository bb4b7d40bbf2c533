"""The parent of engine processes: reports deaths to the master, starts the next engine, ends all with itself."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

import gevent
from gevent import subprocess
from gevent.event import Event

from chaperon import descriptors, exit_codes
from chaperon.clock import Clock
from chaperon.cluster.journal.journal_texts import HiddenNames
from chaperon.cluster.journal.orphaned_windows import OrphanedWindows
from chaperon.cluster.journal.private_dir import PrivateDir
from chaperon.cluster.protocol.messages import Message, WindowsReceived
from chaperon.cluster.transport.key_variables import without_keys
from chaperon.cluster.transport.link import WorkerLink
from chaperon.cluster.worker.engine_codes import COMMAND_CODES, GIVEN_UP, LEFT, ORPHANED, OVER, REFUSED, UNABLE
from chaperon.cluster.worker.parent_pipe import Connection, NameReader, connected_pair, write_key_line
from chaperon.errors import EngineNotStarted
from chaperon.load.background import OnFault, Watched, spawn_watched
from chaperon.measure.quantity import count_text

FLUSH_WAIT, FLUSH_WAITS = 0.25, 20
"""How long, and how many times, the supervisor waits at the end for windows of dead engines to be sent, in seconds."""

KILL_AFTER = 3
"""Number of requests to leave after which engines are killed."""

REJOIN_WAIT = 10.0
"""How many seconds at most an engine that replaces a dead one waits for the master of the run, which may be over."""

MAX_DEATHS = 10
RESTART_DELAY = 1.0
_PDEATHSIG = 1
_IMPORT_PATH = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    f"import sys; sys.path[:] = [{_IMPORT_PATH!r}, *filter(None, sys.path)]; import chaperon; del sys.path[0]; "
    "from chaperon.__main__ import main; main()"
)
"""Like `python -m chaperon`, with this copy of Chaperon and without the modules of the working directory."""

RELAYED_WITHIN = 1.0
"""Seconds after the end of an engine in which what it printed is still relayed."""
LONGEST_LINE = 65_536
"""Bytes of a line that is relayed at once."""

REMEDIES = {
    errno.EAGAIN: "raise the limit of processes with ulimit -u, in a container with --pids-limit",
    errno.ENOMEM: "use fewer --processes, or a machine with more memory",
}
"""What helps where an engine cannot be started, by the error; too few descriptors have `descriptors.remedy`."""

Command = Callable[[str, int], Sequence[str]]
"""Maps a worker's name and incarnation to the arguments of `chaperon`."""


class Supervisor:
    """Keeps one engine process running for each of *names* until `leave` or `end`.

    An engine performs one run; then the next is started, unless *once*. With *rejoin_wait*, an engine that
    replaces one that died in a run, or was given up by the master, waits that many seconds for its master. *link* is
    used to report deaths to the master, *notify* for messages to the user, *on_fault* for a fault of Chaperon's own.
    Engines keep their journals in *private_dir*. The line of a *key* is written to each engine by a
    socket, since other processes can read environments and arguments; by the same socket an engine hands over the names
    that its journal does not hold. *relay* gets each line that an engine
    prints, which otherwise goes to the streams of this process directly.
    """

    def __init__(
        self,
        names: Sequence[str],
        command: Command,
        link: WorkerLink,
        clock: Clock,
        *,
        once: bool = False,
        rejoin_wait: float | None = None,
        key: str = "",
        private_dir: PrivateDir | None = None,
        notify: Callable[[str], None] = lambda text: None,
        on_fault: OnFault = lambda text: None,
        relay: Callable[[str], None] | None = None,
    ) -> None:
        self._on_fault = on_fault
        self._relay = relay
        self._names = names
        self._command = command
        self._link = link
        self._clock = clock
        self._once = once
        self._rejoin_wait = rejoin_wait
        self._rejoining: set[str] = set()
        self._key = key
        self._private_dir = private_dir
        self.orphans: dict[tuple[str, int], OrphanedWindows] = {}
        self._senders: list[gevent.Greenlet[..., object]] = []
        self._notify = notify
        self._engines: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving = 0
        self._restart_delays: set[Event] = set()
        self._codes: list[int] = []
        self._restarters: list[gevent.Greenlet[..., object]] = []

    def __repr__(self) -> str:
        return f"<Supervisor of {', '.join(self._engines) or 'no engine'}>"

    def start(self) -> Supervisor:
        """Start all engines."""
        self._link.listen(self._on_message, lambda exc: None)
        self._restarters = [
            spawn_watched(
                f"what keeps {name} going", self._keep_running, name, on_fault=self._on_sender_fault, ends=True
            )
            for name in self._names
        ]
        return self

    def wait(self) -> int:
        """Wait until all engines have ended; return the highest of their exit codes. Blocks."""
        gevent.joinall(self._restarters)
        for _ in range(FLUSH_WAITS):  # a pause of this process uses up one of them, not all
            if gevent.joinall(self._senders, timeout=FLUSH_WAIT) == self._senders:
                break
        self._close()
        return max(self._codes, default=0)

    def leave(self) -> None:
        """Ask every engine to return its shares and end; repeated calls interrupt visits, then kill."""
        self._leaving += 1
        self._signal_all(signal.SIGTERM if self._leaving < KILL_AFTER else signal.SIGKILL)

    def end(self, within: float = 2.0) -> None:
        """Ask every engine to end, kill it after *within* seconds. Blocks until none is left."""
        self._leaving += 1
        self._signal_all(signal.SIGTERM)
        gevent.joinall(self._restarters, timeout=within)  # not killed: one may be starting an engine
        self._leaving += KILL_AFTER
        self._signal_all(signal.SIGKILL)
        gevent.joinall(self._restarters)
        self._close()

    def _signal_all(self, number: int) -> None:
        for engine in list(self._engines.values()):
            _signal(engine, number)
        for rest in self._restart_delays:
            rest.set()

    def _close(self) -> None:
        for sender in self._senders:
            sender.kill()
        self._link.close()
        if self._private_dir is not None:
            self._private_dir.close()

    def _on_sender_fault(self, text: str) -> None:
        self._codes.append(exit_codes.FAULT)
        self._on_fault(text)

    def _on_message(self, message: Message) -> None:
        if isinstance(message, WindowsReceived):
            orphan = self.orphans.get((message.worker, message.incarnation))
            if orphan is not None:
                orphan.acknowledge(message)

    def _keep_running(self, name: str) -> None:
        deaths = 0
        while not self._leaving:
            incarnation = SystemRandom().getrandbits(53)
            hidden = HiddenNames()
            try:
                code = self._run(name, incarnation, hidden)
            except EngineNotStarted as exc:
                what = f"cannot be started: {exc}"
            else:
                self._send_orphaned(name, incarnation, code, hidden)
                final = self._final_code(code)
                if final is not None:
                    self._codes.append(final)
                    return
                if code in COMMAND_CODES:
                    deaths = 0
                    continue
                what = describe_exit(code)
            deaths += 1
            self._notify(f"worker {name}: its engine {what}")
            self._wait_to_restart()
            if deaths >= MAX_DEATHS:
                self._notify(f"worker {name}: given up after {count_text(deaths, 'death')} in a row")
                self._codes.append(exit_codes.FAULT)
                return
        self._codes.append(exit_codes.ABORTED)

    def _wait_to_restart(self) -> None:
        """Wait before the next engine is started; `leave` and `end` end the wait."""
        rest = Event()
        self._restart_delays.add(rest)
        call = self._clock.after(RESTART_DELAY, rest.set)
        rest.wait()
        call.cancel()
        self._restart_delays.discard(rest)

    def _final_code(self, code: int) -> int | None:
        """Return the exit code of the command after an engine ended with *code*; None if another is started."""
        if self._leaving and (code < 0 or (code == OVER and not self._once)):  # ended by our signal
            return exit_codes.ABORTED
        if code in (REFUSED, LEFT) or self._leaving or (self._once and code in (OVER, UNABLE, ORPHANED)):
            return COMMAND_CODES.get(code, code)
        return None

    def _send_orphaned(self, name: str, incarnation: int, code: int, hidden: HiddenNames) -> None:
        """Report an engine's end to the master, and send the windows in its journal with the names it hides."""
        if code == GIVEN_UP:
            self._rejoining.add(name)
        journal = self._journal(incarnation)
        orphan = OrphanedWindows(name, incarnation, code, journal, self._link, self._clock, hidden)
        if orphan.fault:
            self._notify(f"worker {name}: {orphan.fault}")
        died = code not in COMMAND_CODES
        if orphan or orphan.fault or (died and (orphan.journal_found or not self._leaving)):
            self.orphans[name, incarnation] = orphan
            if died and orphan.journal_found:
                self._rejoining.add(name)
            self._senders = [sender for sender in self._senders if not sender.dead]
            sender = spawn_watched(
                f"what {name} left", self._send_all, name, incarnation, on_fault=self._on_sender_fault, ends=True
            )
            self._senders.append(sender)

    def _send_all(self, name: str, incarnation: int) -> None:
        self.orphans[name, incarnation].send_all()
        del self.orphans[name, incarnation]

    def _journal(self, incarnation: int) -> Path | None:
        return None if self._private_dir is None else self._private_dir.folder / str(incarnation)

    def _run(self, name: str, incarnation: int, hidden: HiddenNames) -> int:
        journal = self._journal(incarnation)
        kept = [] if journal is None else ["--journal", str(journal)]
        if name in self._rejoining and self._rejoin_wait is not None:
            kept += ["--wait", f"{self._rejoin_wait:g}"]
        engine, ours = self._start([*self._command(name, incarnation), *kept])
        self._engines[name] = engine
        printed = self._relay_lines_of(name, engine)
        write_key_line(ours, self._key)
        names = NameReader(ours, hidden.add)
        reading = spawn_watched(f"names hidden by {name}", names.read, on_fault=self._on_sender_fault, ends=True)
        if self._leaving:  # asked to leave while this engine was being started
            _signal(engine, signal.SIGTERM if self._leaving < KILL_AFTER else signal.SIGKILL)
        try:
            return int(engine.wait())
        finally:
            if engine.returncode is not None:
                del self._engines[name]
                reading.kill()
                names.read_rest()
                ours.close()
                if printed is not None:
                    printed.join(RELAYED_WITHIN)
                    printed.kill()

    def _start(self, arguments: Sequence[str]) -> tuple[subprocess.Popen[bytes], Connection]:
        """Start an engine; return its process, and our end of its standard input. Raises EngineNotStarted."""
        try:
            ours, its = connected_pair()
        except OSError as exc:
            raise EngineNotStarted(_start_failure(exc)) from exc
        with its:
            try:
                engine = subprocess.Popen(
                    [sys.executable, "-c", _PROGRAM, *arguments],
                    stdin=its.fileno(),  # our end is closed when this process ends: see `exit_with_parent`
                    env=without_keys(os.environ),
                    start_new_session=True,  # Ctrl-C on this terminal goes to the supervisor alone
                    stdout=None if self._relay is None else subprocess.PIPE,
                    stderr=None if self._relay is None else subprocess.STDOUT,
                )
            except OSError as exc:
                ours.close()
                raise EngineNotStarted(_start_failure(exc)) from exc
        return engine, ours

    def _relay_lines_of(self, name: str, engine: subprocess.Popen[bytes]) -> Watched | None:
        """Start a greenlet that relays what *engine* prints, and return it; None without `relay`."""
        relay, stream = self._relay, engine.stdout
        if relay is None or stream is None:
            return None

        def relay_lines() -> None:
            with stream, suppress(OSError, ValueError):  # the terminal is closed: the run goes on
                while line := stream.readline(LONGEST_LINE):
                    relay(line.decode("utf-8", "replace").removesuffix("\n"))

        return spawn_watched(f"what {name} prints", relay_lines, on_fault=self._on_sender_fault, ends=True)


def exit_with_parent() -> int:
    """End this process at once when its supervisor ends in any way; return the connection to it, a file descriptor.

    The supervisor holds the other end of standard input and writes one line at the start,
    see `read_key_line`; on Linux the kernel is asked as well.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, signal.SIGKILL)
    connection = os.dup(0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)

    def watch() -> None:
        with suppress(OSError):  # the supervisor ended before it had read all names
            while os.read(connection, 1):
                pass
        os._exit(ORPHANED)

    gevent.get_hub().threadpool.spawn(watch)  # in a thread: the hub may be busy
    return connection


def _signal(engine: subprocess.Popen[bytes], number: int) -> None:
    if engine.poll() is None:
        engine.send_signal(number)


def _start_failure(exc: OSError) -> str:
    lacks_descriptors = exc.errno == errno.EMFILE
    remedy = descriptors.remedy(descriptors.limit()) if lacks_descriptors else REMEDIES.get(exc.errno or 0, "")
    return f"{exc.strerror or exc}{remedy and f': {remedy}'}"


def describe_exit(code: int) -> str:
    """Return how a process ended, by its exit code, which is the negative number of a signal that ended it."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was ended by signal {-code}"
