"""A run in code: what its verbs do before it has started, what a person notes."""

import pytest

from chaperon import Environment, Running, Scenario, iterations, run
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.cluster_run import ClusterRun
from chaperon.cluster.transport.in_memory import LossyNetwork
from chaperon.errors import UsageError
from chaperon.testing import VirtualClock


def environment():
    return Environment(scenarios=[run(Scenario(lambda session: session.count("n"), name="shop"), iterations(3))])


def in_one_process():
    return Running(environment().plan())


def on_workers():
    clock = VirtualClock()
    link = LossyNetwork(clock).master
    return ClusterRun(environment().plan(), link, ScenarioBundle("shop.py"), workers=2, clock=clock)


RUNS = pytest.mark.parametrize("made", [in_one_process, on_workers])


@RUNS
@pytest.mark.parametrize(
    "verb",
    [
        lambda running: running.stop(),
        lambda running: running.abort("why"),
        lambda running: running.kill(),
        lambda running: running.scale(2.0),
        lambda running: running.pause(),
        lambda running: running.resume(),
        lambda running: running.report(),
        lambda running: running.wait(1.0),
        lambda running: running.finish(),
    ],
)
def test_a_verb_before_the_start_says_what_to_do(verb, made):
    with pytest.raises(UsageError, match=r"has not started: call start\(\) first"):
        verb(made())


@RUNS
def test_a_block_around_a_run_that_never_started_ends_at_once(made):
    with made() as running:
        assert not running.ended


def test_a_run_is_started_once():
    with environment().start() as running, pytest.raises(UsageError, match="started already"):
        running.start()


def test_what_a_person_notes_stands_in_the_report():
    with environment().start() as running:
        running.note("deployed 1.2")
        running.wait()

    assert running.report().notes["deployed 1.2"] == 1
