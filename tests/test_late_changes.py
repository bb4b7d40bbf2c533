"""A change of the load that a worker hears of too late: no visit is uncounted for it, and the report says so."""

import pytest
from test_fleet import Ground

from chaperon import iterations, rate, users, users_per_second

LOADS = [rate(20, hold=10), users_per_second(5, visits=3, hold=10)]


def changed(load, changes, *, how, since, until):
    """Play a load on three workers, of whom one hears nothing for a while."""
    stage = Ground(load, took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    deaf = getattr(stage.net, how)
    stage.after(since, lambda: deaf.add(b"w1/1"))
    stage.after(until, lambda: deaf.discard(b"w1/1"))
    for at, verb, *factor in changes:
        stage.after(at, lambda verb=verb, factor=factor: getattr(stage.master, verb)(*factor))
    return stage, stage.play()


def late(report):
    """Return the start and the length of each event of a change that came late, by its text."""
    return {e.text.split()[4]: (e.at, e.took) for worker, e in report.happenings if "yet" in e.text and worker == "w1"}


@pytest.mark.parametrize("how", ["mute", "cut"])
@pytest.mark.parametrize("load", LOADS, ids=str)
def test_what_is_due_after_a_pause_is_in_the_books_though_a_worker_hears_of_its_end_after_the_load(load, how):
    stage, report = changed(load, [(5.0, "pause"), (8.0, "resume")], how=how, since=7.8, until=12.0)

    ledger = report.ledger["shop"]
    assert ledger.planned == 7 * 20 if load is LOADS[0] else 7 * 15
    assert ledger.balanced
    assert ledger.lost == 0
    assert ledger.dropped > 0
    assert ledger.done == len(stage.made)
    assert not [reason for reason in report.reasons if "lost" in reason]


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_a_load_ends_when_it_should_where_every_worker_hears_its_master(load):
    _, report = changed(load, [], how="mute", since=20.0, until=21.0)

    assert report.duration == pytest.approx(10.2 if load is LOADS[0] else 10.4, abs=0.15)


@pytest.mark.parametrize("load", [*LOADS, users(6, hold=10)], ids=str)
def test_a_change_that_a_worker_hears_of_seconds_late_is_an_event_of_its_own(load):
    changes = [(3.0, "pause"), (5.5, "resume"), (7.0, "scale", 2.0)]
    _, report = changed(load, changes, how="mute", since=2.8, until=5.0)

    (since, span) = late(report).pop("paused")
    assert since == pytest.approx(3.5, abs=0.01)
    assert span == pytest.approx(1.5, abs=0.6)
    assert set(late(report)) == {"paused"}


def test_a_worker_that_joins_after_a_change_has_not_heard_of_it_late():
    stage = Ground(rate(20, hold=10))
    stage.worker("w0")
    stage.fleet(1)
    stage.after(2.0, lambda: stage.master.scale(2.0))
    stage.after(5.0, lambda: stage.worker("w1"))
    report = stage.play()

    assert "w1" in {worker.name for worker in report.workers}
    assert not [event for _, event in report.happenings if "yet" in event.text]


def held_back(stage):
    """Let no window of a worker arrive for 3 s, so that the run outlasts its load."""
    link, until = stage.crew["w1"]._link, stage.clock.now() + 5.0
    send = link.send_window
    link.send_window = lambda frame: stage.clock.now() < until or send(frame)
    stage.after(4.0, lambda: stage.master.scale(2.0))


AFTER_THE_LOAD = {
    "in the last moment": lambda stage: stage.after(1.9, lambda: stage.master.scale(2.0)),
    "while windows are missing": held_back,
    "after a stop": lambda stage: [
        stage.after(1.0, lambda: stage.master.stop("enough")),
        stage.after(1.1, lambda: stage.master.scale(2.0)),
    ],
    "just before a stop": lambda stage: [
        stage.after(1.0, lambda: stage.master.scale(2.0)),
        stage.after(1.2, lambda: stage.master.stop("enough")),
    ],
}


@pytest.mark.parametrize("when", AFTER_THE_LOAD)
@pytest.mark.parametrize("load", [iterations(10, users=6, each=True), rate(20, hold=2)], ids=str)
def test_a_change_that_comes_after_the_load_adds_nothing_to_the_plan(load, when):
    stage = Ground(load, took=0.2)
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    AFTER_THE_LOAD[when](stage)
    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.lost == 0
    assert ledger.done == len(stage.made)
    assert not [reason for reason in report.reasons if "lost" in reason or "were planned" in reason]
