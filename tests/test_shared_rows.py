"""Unique rows of a feed, shared by the workers of a fleet: each is taken once, and a worker that leaves returns its."""

import pytest
from test_fleet import Ground

from chaperon import Environment, Scenario, feed, rate, run, step, users, users_per_second
from chaperon.cluster.master.losses import ROWS_NOTE

LOADS = [rate(20, hold=10), users_per_second(5, visits=3, hold=10)]


class Taking(Ground):
    """A fleet whose visits take a unique row at their end."""

    def __init__(self, load, *, rows, took):
        super().__init__(load)
        self.rows = []
        customers = feed(range(rows), order="unique", name="customers")

        @step
        def visit(session):
            self.made.append(session.visit.number)
            session.clock.sleep(took)
            self.rows.append(session.take(customers))

        self.environment = Environment(
            scenarios=[run(Scenario(visit, name="shop"), load)], grace=5.0, name="ground", seed=7
        )


def leaving(load, *, rows, took=0.7, at=4.0):
    """Play a load on two workers, of whom one leaves."""
    stage = Taking(load, rows=rows, took=took)
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(at, lambda: stage.crew["w1"].leave())
    return stage, stage.play()


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_a_visit_on_a_leaving_worker_that_wants_a_row_is_interrupted_while_rows_are_left(load):
    stage, report = leaving(load, rows=10_000)

    ledger = report.ledger["shop"]
    assert ledger.no_row == 0
    assert ledger.interrupted > 0
    assert ledger.balanced
    assert len(stage.rows) == len(set(stage.rows)) == ledger.done
    assert report.notes["visits ended because the rows of customers had gone to other workers"] == ledger.interrupted
    assert "visits ended because customers had no row left" not in report.notes


def test_a_feed_that_runs_out_is_no_row_left_though_a_worker_has_left():
    stage, report = leaving(LOADS[0], rows=100)

    ledger = report.ledger["shop"]
    assert sorted(stage.rows) == list(range(100))
    assert ledger.no_row + ledger.interrupted == 100
    assert report.notes["visits ended because customers had no row left"] == ledger.no_row > 80


@pytest.mark.parametrize("at", [0.3, 6.0])
def test_rows_that_may_have_been_taken_twice_are_noted_though_nothing_is_known_of_the_worker(at):
    stage = Taking(users(6, hold=30), rows=10_000, took=0.3)
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(at, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(20.0, lambda: stage.crew["w1"].assignment.load.engine.stop(0.0))
    report = stage.play()

    assert len(stage.rows) > len(set(stage.rows))
    assert report.notes[ROWS_NOTE] == 1


def test_rows_taken_twice_are_noted_though_every_window_of_the_lost_worker_comes_in_the_end():
    stage = Taking(users(6, hold=40), rows=10_000, took=0.3)
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(5.0, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(25.0, lambda: stage.net.cut.discard(b"w1/1"))
    report = stage.play()

    assert len(stage.made) == report.ledger["shop"].planned
    assert len(stage.rows) > len(set(stage.rows))
    assert report.notes[ROWS_NOTE] == 1


def test_no_row_is_taken_twice_where_none_is_taken():
    stage = Ground(users(6, hold=30))
    for k in range(2):
        stage.worker(f"w{k}")
    stage.fleet(2)
    stage.after(3.0, lambda: stage.kill("w1"))

    assert ROWS_NOTE not in stage.play().notes
