"""What a killed engine owed reaches the master, and its shares go on where it stood."""

import errno
import os
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import gevent
import pytest
from test_fleet import Ground
from test_journal import WHO

from chaperon import exit_codes, iterations, rate, users
from chaperon.cluster.journal.journal import Journal
from chaperon.cluster.journal.journal_texts import HiddenNames
from chaperon.cluster.journal.orphaned_windows import OrphanedWindows
from chaperon.cluster.journal.private_dir import PrivateDir
from chaperon.cluster.protocol.messages import WindowsReceived
from chaperon.cluster.transport.in_memory import LossyNetwork
from chaperon.cluster.worker.engine_codes import GIVEN_UP, ORPHANED, OVER, REFUSED, UNABLE
from chaperon.cluster.worker.join import Identity
from chaperon.cluster.worker.supervisor import MAX_DEATHS, RESTART_DELAY, Supervisor, describe_exit
from chaperon.cluster.worker.worker import Worker
from chaperon.testing import VirtualClock

pytestmark = pytest.mark.long


class Mortal(Ground):
    """Workers that keep journals and can be killed as an engine process is."""

    def __init__(self, folder, load, **options):
        super().__init__(load, **options)
        self.folder = folder
        self.ended = 0
        self.names = {}

    def worker(self, name, *, life=1):
        identity = Identity(name, life)
        link = self.net.connect(identity.routing_id)
        self.names[name] = HiddenNames()
        worker = Worker(
            link, identity, lambda welcome, data: self.environment, self.clock, journal=self.folder / f"{name}-{life}",
            send_name=self.names[name].add,
        )  # fmt: skip
        self.crew[name] = worker
        gevent.spawn(lambda: self.codes.__setitem__(f"{name}/{life}", worker.run()))
        return worker

    def kill(self, name, life=1):
        """End an engine at once, and let its supervisor find what is on the disk at that moment."""
        left = self.folder / f"{name}-{life}-left"
        shutil.copytree(self.folder / f"{name}-{life}", left)
        self.in_flight = self.crew[name].assignment.load.engine.busy
        super().kill(name, life)
        link = self.net.connect(f"supervisor of {name}".encode())
        self.estate = OrphanedWindows(name, life, -9, left, link, self.clock, self.names[name])
        link.listen(
            lambda message: self.estate.acknowledge(message) if isinstance(message, WindowsReceived) else None, None
        )
        self.settling = gevent.spawn(self.estate.send_all)


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("at", [0.02, 3.0, 3.47, 7.99])
def test_killed_at_any_moment_an_engine_owes_nothing(tmp_path, at, loss):
    stage = Mortal(tmp_path, rate(40, hold=10), took=0.3, loss=loss, duplication=loss)
    for name in ("alpha", "beta", "gamma"):
        stage.worker(name)
    stage.fleet(3)

    stage.after(at, lambda: stage.kill("beta"))
    report = stage.play()

    ledger = report.ledger["shop"]
    numbers = Counter(number for _, number, _ in stage.made)
    assert ledger.balanced
    assert ledger.planned == 400
    assert max(numbers.values()) == 1
    assert len(numbers) == ledger.done + stage.in_flight
    assert report["visit"].series.good.count == ledger.done
    assert report["visit"].series.censored.count == stage.in_flight
    assert stage.settling.ready()
    assert not list(tmp_path.glob("*-left"))


def test_visits_that_none_made_after_a_worker_died_are_lost_with_it_though_its_journal_was_complete(tmp_path):
    stage = Mortal(tmp_path, rate(40, hold=10), took=0.0)
    for name in ("alpha", "beta", "gamma"):
        stage.worker(name)
    stage.fleet(3)

    stage.after(3.01, lambda: stage.kill("beta"))
    report = stage.play()

    lost = report.ledger["shop"].lost
    assert stage.in_flight == 0
    assert not any(worker.lost or worker.losses for worker in report.workers)
    assert lost >= 1
    assert report.reasons == (f"{lost} of 400 visits were lost with beta: {lost / 400:.1%}, more than 1%",)


def test_what_is_made_once_is_made_once_whoever_is_killed(tmp_path):
    stage = Mortal(tmp_path, iterations(300, users=9), took=0.2)
    for name in ("alpha", "beta", "gamma"):
        stage.worker(name)
    stage.fleet(3)

    stage.after(1.73, lambda: stage.kill("alpha"))
    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.planned == 300 == len(stage.made)
    assert ledger.lost == stage.in_flight == 3
    assert Counter((n, u) for _, n, u in stage.made).most_common(1)[0][1] == 1
    assert report["visit"].series.good.count == ledger.done == 297
    assert report["visit"].series.censored.count == 3


def test_users_of_a_killed_engine_come_back_and_every_visit_is_told(tmp_path):
    stage = Mortal(tmp_path, users(6, hold=8), took=0.25)
    stage.worker("alpha")
    stage.worker("beta")
    stage.fleet(2)

    stage.after(2.61, lambda: stage.kill("beta"))
    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.planned == len(stage.made)
    assert ledger.lost == stage.in_flight == 3
    assert {user for *_, user in stage.made} == set(range(6))


def test_a_master_that_knows_nothing_of_the_dead_wants_nothing(tmp_path):
    stage = Mortal(tmp_path, rate(40, hold=10))
    stage.worker("alpha")
    stage.fleet(1)
    stranger = OrphanedWindows(
        "nobody", 5, -9, tmp_path / "nothing", link := stage.net.connect(b"supervisor"), stage.clock
    )
    link.listen(lambda message: stranger.acknowledge(message), None)

    settling = gevent.spawn(stranger.send_all)
    stage.play()

    assert settling.ready()
    assert not stranger


@pytest.fixture
def supervised(monkeypatch):
    """Return a supervisor whose engines end with given codes."""

    def make(codes, **options):
        clock, started = VirtualClock(), []

        def run(self, name, incarnation, hidden):
            started.append(incarnation)
            return codes(len(started), self)

        monkeypatch.setattr(Supervisor, "_run", run)
        monkeypatch.setattr(
            "chaperon.cluster.worker.supervisor.FLUSH_WAIT", 0.01
        )  # there is no master to take what was owed
        link = LossyNetwork(clock).connect(b"supervisor")
        return clock, started, Supervisor(["alpha"], lambda name, life: [], link, clock, **options).start()

    return make


def test_told_to_leave_between_two_engines_it_starts_no_other(supervised):
    clock, started, supervisor = supervised(lambda n, self: -9)
    clock.after(RESTART_DELAY / 2, supervisor.leave)

    waiting = gevent.spawn(supervisor.wait)
    clock.run(lambda: len(started) == 1)
    gevent.sleep(0)
    clock.run(lambda: clock.now() >= 1000 + RESTART_DELAY)

    assert waiting.get(timeout=10) == exit_codes.ABORTED
    assert len(started) == 1


@pytest.mark.parametrize(("once", "code"), [(False, exit_codes.ABORTED), (True, exit_codes.PASS)])
def test_told_to_leave_as_its_run_is_over_only_one_that_would_have_stayed_has_left(supervised, once, code):
    _, _, supervisor = supervised(lambda n, self: self.leave() or OVER, once=once)

    assert supervisor.wait() == code


@pytest.mark.parametrize(
    ("ended", "once", "code", "started"),
    [
        (OVER, True, exit_codes.PASS, 1),
        (UNABLE, True, exit_codes.NOT_LOADED, 1),
        (ORPHANED, True, exit_codes.CLUSTER, 1),
        (REFUSED, False, exit_codes.CLUSTER, 1),
        (GIVEN_UP, True, exit_codes.PASS, 2),
        (ORPHANED, False, exit_codes.CLUSTER, 2),
        *((died, True, exit_codes.PASS, 2) for died in (0, 1, 3, 6, 130, -9)),
    ],
)
def test_an_engine_is_followed_by_another_unless_it_says_that_it_has_ended_for_good(
    supervised, ended, once, code, started
):
    clock, began, supervisor = supervised(lambda n, self: ended if n == 1 else OVER if once else REFUSED, once=once)
    waiting = gevent.spawn(supervisor.wait)
    clock.run(lambda: waiting.ready() or len(began) == started)

    assert waiting.get(timeout=10) == code
    assert len(began) == started


def test_an_engine_ended_by_our_own_signal_has_left(supervised):
    _, _, supervisor = supervised(lambda n, self: self.leave() or -15)

    assert supervisor.wait() == exit_codes.ABORTED
    assert not supervisor.orphans


class Ended:
    """An engine process that has ended with the first of *codes*, after it joined a run."""

    stdin = stdout = None

    def __init__(self, command, codes, joined):
        self.returncode = codes.pop(0)
        if joined:
            Journal(Path(command[command.index("--journal") + 1]), WHO)

    def wait(self):
        return self.returncode

    def poll(self):
        return self.returncode


@pytest.mark.parametrize(
    ("joined", "rejoin_wait", "waits"),
    [(True, 10.0, [None, "10"]), (False, 10.0, [None, None]), (True, None, [None, None])],
)
def test_an_engine_that_replaces_one_of_a_run_waits_shortly_for_its_master(monkeypatch, joined, rejoin_wait, waits):
    commands, codes = [], [-9, REFUSED]

    def start(command, **options):
        commands.append(command)
        return Ended(command, codes, joined)

    monkeypatch.setattr("chaperon.cluster.worker.supervisor.subprocess.Popen", start)
    monkeypatch.setattr("chaperon.cluster.worker.supervisor.FLUSH_WAIT", 0.01)
    clock, folder = VirtualClock(), PrivateDir()
    supervisor = Supervisor(
        *(["alpha"], lambda name, life: ["engine"], LossyNetwork(clock).connect(b"supervisor"), clock),
        once=True,
        rejoin_wait=rejoin_wait,
        private_dir=folder,
    ).start()
    waiting = gevent.spawn(supervisor.wait)
    clock.run(lambda: len(commands) == 2)

    assert waiting.get(timeout=10) == exit_codes.CLUSTER
    assert [dict(pairwise(c)).get("--wait") for c in commands] == waits


@pytest.mark.parametrize(
    ("code", "text"), [(3, "ended with code 3"), (-9, "was ended by SIGKILL"), (-40, "was ended by signal 40")]
)
def test_an_end_is_described_by_any_code(code, text):
    assert describe_exit(code) == text


@pytest.mark.parametrize(
    ("module", "name", "number", "line"),
    [
        (
            "socket",
            "socketpair",
            errno.EMFILE,
            "cannot be started: Too many open files: raise the limit with ulimit -n 8192, in a container",
        ),
        (
            "subprocess",
            "Popen",
            errno.EAGAIN,
            "cannot be started: Resource temporarily unavailable: raise the limit of processes",
        ),
        ("subprocess", "Popen", errno.ENOENT, "cannot be started: No such file or directory"),
    ],
)
def test_an_engine_that_cannot_be_started_is_tried_again_and_said_in_a_line(monkeypatch, module, name, number, line):
    def fail(*args, **options):
        raise OSError(number, os.strerror(number))

    there = {"socket": "parent_pipe.socket.socketpair", "subprocess": "supervisor.subprocess.Popen"}[module]
    monkeypatch.setattr(f"chaperon.cluster.worker.{there}", fail)
    monkeypatch.setattr("chaperon.cluster.worker.supervisor.FLUSH_WAIT", 0.01)
    monkeypatch.setattr("chaperon.descriptors.limit", lambda: 4096)
    clock, said, faults = VirtualClock(), [], []
    link = LossyNetwork(clock).connect(b"supervisor")
    supervisor = Supervisor(
        ["alpha"], lambda name, life: [], link, clock, notify=said.append, on_fault=faults.append
    ).start()

    waiting = gevent.spawn(supervisor.wait)
    clock.run(lambda: waiting.ready() or len(said) > MAX_DEATHS)

    assert waiting.get(timeout=10) == 1
    assert len(said) == MAX_DEATHS + 1
    assert all(line in each for each in said[:-1])
    assert not faults
