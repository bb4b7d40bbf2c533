"""Any end of a long-lived greenlet is a fault of ours: said at once, the run INVALID."""

import ast

import gevent
import pytest
from test_estate import Mortal
from test_fleet import Ground
from test_house import HOUSE, MODULES, name_of
from waits import until

from chaperon import Environment, Scenario, rate, run
from chaperon.cluster.journal.orphaned_windows import EXIT_FAULT, OrphanedWindows
from chaperon.cluster.master.coordinator import Coordinator
from chaperon.cluster.protocol.messages import WorkerDied
from chaperon.cluster.transport.in_memory import LossyNetwork
from chaperon.cluster.transport.link import FAULTS
from chaperon.cluster.worker import window_sender
from chaperon.cluster.worker.supervisor import Supervisor
from chaperon.cluster.worker.worker import Worker
from chaperon.execution.running import Running
from chaperon.load.background import spawn_watched
from chaperon.load.generator.health import Health
from chaperon.load.generator.watchdog import BlockingWatchdog
from chaperon.load.in_flight import VisitsInFlight
from chaperon.measure.recorder import Recorder
from chaperon.report.collector import Collector
from chaperon.report.report import Verdict
from chaperon.testing import VirtualClock

UNWATCHED = {
    ("load.in_flight", "gevent.spawn"): "a user: `VisitsInFlight._run` keeps what it dies of, and perform raises it",
    ("session.tasks", "gevent.spawn"): "a task of the author's: what it raises is its result",
    ("session.periodic", "gevent.spawn"): "what an author does again and again: errors are recorded as of its call",
    ("cluster.transport.in_memory", "gevent.spawn"): "one message on its way, in tests",
    ("testing.network", "gevent.spawn"): "the script of a peer, in tests",
    (
        "cluster.worker.supervisor",
        "gevent.get_hub().threadpool.spawn",
    ): "a thread that ends with its parent",
    ("load.generator.watchdog", "apart.start"): "a thread that keeps what it dies of, for the hub to raise",
}
"""The only places that start greenlets or threads otherwise, with the reason why nobody need watch them."""
STARTS = {"spawn", "spawn_later", "spawn_raw", "start_later", "start_new_thread", "Greenlet", "Thread", "Timer"}


OTHERWISE = {"session.spawn", "self._session.spawn", "self.spawn", "flight.spawn"}
"""What is called like it: the author's verb, and the one of the load that is in the list."""


def starts_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in STARTS or called == "apart.start":
                yield called


@pytest.mark.long
@pytest.mark.as_written
def test_long_lived_greenlets_are_started_in_one_place():
    others = [path for path in MODULES.values() if path != HOUSE / "load" / "background.py"]

    found = {(name_of(path), called) for path in others for called in starts_of(path) if called not in OTHERWISE}

    assert found == set(UNWATCHED)


class Odd(BaseException):
    pass


DEATHS = [RuntimeError("why"), Odd("why"), SystemExit(0), gevent.GreenletExit(), AssertionError(), OSError(28, "full")]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: type(death).__name__)
def test_a_death_is_told_whatever_it_was_of(death, capsys):
    told = []

    def die():
        raise death

    spawn_watched("testing", die, on_fault=told.append, ends=True).join()

    assert told == [f"a fault of Chaperon's own in testing: {type(death).__name__}: {death}"]
    said = capsys.readouterr().err
    assert said.startswith(f"chaperon: {told[0]}\nTraceback")


def test_to_return_is_to_die_unless_it_is_to_end(capsys):
    told = []

    spawn_watched("testing", lambda: None, on_fault=told.append).join()
    spawn_watched("testing", lambda: None, on_fault=told.append, ends=True).join()

    assert len(told) == 1
    assert "it returned before its end was asked for" in told[0]


def test_to_be_killed_is_no_fault(capsys):
    told = []
    greenlet = spawn_watched("testing", gevent.sleep, 60, on_fault=told.append)
    gevent.sleep(0)

    greenlet.kill()
    spawn_watched("testing", gevent.sleep, 60, on_fault=told.append).kill()

    assert told == []
    assert capsys.readouterr().err == ""


def failing(monkeypatch, owner, name, *, after, of=None):
    """Let a method raise from its *after*-th call on."""
    usual, calls = getattr(owner, name), []

    def odd(self, *args, **kwargs):
        calls.append(self)
        if len(calls) >= after:
            raise of or Odd("why")
        return usual(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, odd)


def local(load):
    clock, made = VirtualClock(), []
    scenario = Scenario(lambda session: made.append(session), name="shop")
    running = Running(Environment(scenarios=[run(scenario, load)]).plan(), clock=clock).start()
    clock.run(lambda: running.ended)
    return running.report(), made


PARTS = {
    "the recorder": (Recorder, "cut", 3),
    "the collector": (Collector, "add", 3),
    "the end of the collector": (Collector, "add", 10),
    "the health": (Health, "cut", 3),
    "the ticker": (BlockingWatchdog, "beat", 30),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("death", DEATHS[:4], ids=lambda death: type(death).__name__)
def test_a_run_whose_part_has_died_is_invalid(monkeypatch, part, death):
    owner, name, after = PARTS[part]
    failing(monkeypatch, owner, name, after=after, of=death)

    report, made = local(rate(20, hold=10))

    assert report.verdict is Verdict.INVALID
    assert any("of Chaperon's own in" in reason and type(death).__name__ in reason for reason in report.reasons)
    if after < 10:
        assert len(made) < 100  # it was stopped when it was known


def test_a_timer_of_the_load_that_fails_ends_the_run_as_invalid(monkeypatch):
    monkeypatch.setattr(VisitsInFlight, "_wake", lambda self: 1 / 0)
    clock = VirtualClock()
    scenario = Scenario(lambda session: None, name="shop")
    running = Running(Environment(scenarios=[run(scenario, rate(20, hold=10))]).plan(), clock=clock).start()
    clock.after(2.0, running.pause)

    clock.run(lambda: running.ended)

    report = running.report()
    assert report.verdict is Verdict.INVALID
    assert any("ZeroDivisionError" in reason for reason in report.reasons)
    assert report.duration < 3


def test_a_thread_that_watches_the_hub_and_dies_makes_the_run_invalid(monkeypatch, capsys):
    monkeypatch.setattr(BlockingWatchdog, "_watch", lambda self: 1 / 0)
    scenario = Scenario(lambda session: None, name="shop")

    report = Environment(scenarios=[run(scenario, rate(20, hold=5))]).execute()

    assert report.verdict is Verdict.INVALID
    assert any("watching the hub: ZeroDivisionError" in reason for reason in report.reasons)
    assert report.duration < 5


@pytest.mark.parametrize("part", [part for part in PARTS if "collector" not in part])
def test_a_worker_whose_part_has_died_makes_the_run_invalid(monkeypatch, part):
    owner, name, after = PARTS[part]
    failing(monkeypatch, owner, name, after=after)
    stage = Ground(rate(20, hold=10))
    for name in ("alpha", "beta"):
        stage.worker(name)
    stage.fleet(2)

    report = stage.play()

    assert report.verdict is Verdict.INVALID
    assert any("of Chaperon's own in" in reason and "Odd: why" in reason for reason in report.reasons)
    assert len(stage.made) < 100


@pytest.mark.as_written
def test_a_fault_in_the_last_moment_is_not_dropped(monkeypatch):
    stage = Ground(rate(20, hold=2))
    stage.worker("alpha")
    stage.fleet(1)

    def late():
        monkeypatch.setattr(stage.crew["alpha"].assignment.load._recorder, "cut", lambda **kwargs: 1 / 0)

    stage.after(1.99, late)
    report = stage.play()

    assert report.verdict is Verdict.INVALID
    assert any("ZeroDivisionError" in reason for reason in report.reasons)


def test_a_window_that_cannot_be_packed_is_a_fault_and_is_waited_for_by_nobody(monkeypatch):
    pack = window_sender.pack_to_fit

    def odd(window, *, began):
        if window.seq == 3 and window.series:
            raise ValueError("why")
        return pack(window, began=began)

    monkeypatch.setattr(window_sender, "pack_to_fit", odd)
    stage = Ground(rate(20, hold=10))
    stage.worker("alpha")
    stage.fleet(1)

    report = stage.play()

    assert report.verdict is Verdict.INVALID
    assert report.notes[window_sender.UNPACKED] == 1
    assert report.duration < 10


def test_a_worker_whose_heart_stops_ends_by_a_code_of_its_own_and_is_passed_on(monkeypatch, tmp_path):
    stage = Mortal(tmp_path, rate(20, hold=10))
    for name in ("alpha", "beta"):
        stage.worker(name)
    stage.fleet(2)
    beta = stage.crew["beta"]

    def stop():
        stage.net.cut.add(b"beta/1")  # it cannot say so itself
        monkeypatch.setattr(beta._join, "tick", lambda: 1 / 0)

    stage.after(3.0, stop)
    stage.after(4.0, lambda: dead(stage))
    report = stage.play()

    assert stage.codes["beta/1"] == EXIT_FAULT
    assert report.verdict is Verdict.INVALID
    assert any("beta ended by a fault of Chaperon's own" in reason for reason in report.reasons)


def dead(stage):
    link = stage.net.connect(b"supervisor of beta")
    estate = OrphanedWindows("beta", 1, stage.codes["beta/1"], None, link, stage.clock)
    link.listen(lambda message: estate.acknowledge(message), None)
    gevent.spawn(estate.send_all)


def test_a_master_whose_loop_dies_ends_its_run_as_invalid(monkeypatch):
    stage = Ground(rate(20, hold=10))
    stage.worker("alpha")
    stage.fleet(1)
    failing(monkeypatch, Coordinator, "_step", after=30)

    report = stage.play()

    assert report.verdict is Verdict.INVALID
    assert any("Odd: why" in reason for reason in report.reasons)


def test_what_a_dead_engine_left_and_cannot_be_read_is_told_not_hidden(tmp_path):
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "open").write_bytes(b"rubbish" * 1000)
    net = LossyNetwork(VirtualClock())
    told = []
    net.master.listen(lambda peer, message: told.append(message), None)

    estate = OrphanedWindows("alpha", 1, -9, tmp_path / "left", net.connect(b"supervisor"), VirtualClock())

    assert "what alpha left cannot be sent" in estate.fault
    gevent.spawn(estate.send_all)
    until(lambda: told)
    assert isinstance(told[0], WorkerDied)
    assert told[0].fault == estate.fault


def test_a_journal_that_was_never_begun_is_no_fault(tmp_path):
    net = LossyNetwork(VirtualClock())

    assert OrphanedWindows("alpha", 1, -9, tmp_path / "left", net.connect(b"supervisor"), VirtualClock()).fault == ""


def test_a_supervisor_whose_keeper_dies_does_not_end_well(monkeypatch):
    monkeypatch.setattr(Supervisor, "_run", lambda self, name, incarnation, hidden: 1 / 0)
    faults = []
    clock = VirtualClock()
    link = LossyNetwork(clock).connect(b"supervisor")

    supervisor = Supervisor(["alpha"], lambda name, life: [], link, clock, on_fault=faults.append).start()

    assert supervisor.wait() == 1
    assert "ZeroDivisionError" in faults[0]


def test_a_message_that_could_not_be_dealt_with_is_said_by_the_worker(monkeypatch):
    stage = Ground(rate(20, hold=5))
    worker = stage.worker("alpha")
    stage.fleet(1)
    stage.after(2.0, lambda: worker._link.dropped.update([FAULTS]))
    report = stage.play()

    assert isinstance(worker, Worker)
    assert report.verdict is Verdict.INVALID
    assert any(FAULTS in reason for reason in report.reasons)
