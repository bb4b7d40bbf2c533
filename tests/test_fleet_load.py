"""Phases, drops, limits, health, changes of the load: three workers are as one; on simulated time."""

from random import Random

import pytest
from test_fleet import Ground

from chaperon import Environment, Scenario, iterations, mix, rate, run, step, users
from chaperon.cli.main import exit_code
from chaperon.errors import PlanError, UsageError
from chaperon.report.breakdown import split
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long


class Wide(Ground):
    """A ground whose visits take as long as *took* says, with limits and the like."""

    def __init__(self, load, *, took=0.1, workers=3, **options):
        super().__init__(load)
        takes = took if callable(took) else lambda session: took

        @step
        def visit(session):
            self.made.append((session.visit.due, session.visit.number, session.visit.user))
            session.clock.sleep(takes(session))

        self.environment = Environment(scenarios=[run(Scenario(visit, name="shop"), load)], seed=7, **options)
        self.workers = workers

    def begin(self):
        for k in range(self.workers):
            self.worker(f"w{k}")
        self.fleet(self.workers)
        return self


def begun(stage, since, until):
    return sum(since <= due < until for due, _, _ in stage.made)


def test_phases_are_the_same_from_three_workers_as_from_one():
    told = []
    for workers in (1, 3):
        load = rate(30, ramp=2, hold=3, warmup=1) >> rate(60, hold=2)
        report = Wide(load, workers=workers).begin().play()
        told.append(
            (
                {phase: round(length, 3) for (_, phase), length in report.phases.items()},
                {phase: [row.count for row in rows] for phase, rows in split(report, "phase").items()},
                report["visit"].count,
            )
        )

    assert told[0] == told[1]
    assert told[0][0] == {"warm-up": 1.0, "ramp": 1.0, "steady at 30/s": 3.0, "steady at 60/s": 2.0}


@pytest.mark.parametrize("load", [rate(30, hold=10, poisson=True), iterations(200, users=12)], ids=str)
def test_what_visits_are_of_which_scenario_with_which_chances_is_the_same_whoever_sends_them(load):
    told = []
    for workers in (1, 3):
        stage = Wide(load, workers=workers)

        @step
        def draw(session, stage=stage):
            visit = session.visit
            stage.made.append((session.label, visit.due, visit.number, visit.user, session.random.random()))
            session.clock.sleep(0.1)

        kinds = mix({Scenario(draw, name="many"): 3, Scenario(draw, name="few"): 1})
        stage.environment = Environment(scenarios=[run(kinds, load, name="shop")], seed=11)
        report = stage.begin().play()
        open_load = isinstance(load, type(rate(1, hold=1)))
        told.append(sorted((label, due if open_load else 0, n, x) for label, due, n, user, x in stage.made))
        assert {label: counts.done for label, counts in report.ledger.items()} == {"shop": len(stage.made)}

    assert told[0] == told[1]
    labels = [label for label, *_ in told[0]]
    assert labels.count("shop/many") == pytest.approx(0.75 * len(labels), abs=2)


def test_merged_quantiles_are_those_of_one_process_on_the_same_samples():
    chance, took = Random(3), {}
    for number in range(6_000):
        took[number] = chance.lognormvariate(-3.0, 0.8)

    reports = [
        Wide(rate(200, hold=30), took=lambda session: took[session.visit.number], workers=workers).begin().play()
        for workers in (1, 4)
    ]

    exact = sorted(took.values())
    for q in ("p50", "p90", "p99"):
        one, four = (getattr(report["visit"], q) for report in reports)
        assert four == pytest.approx(one, rel=0.01)
        assert four == pytest.approx(exact[int(float(q[1:]) / 100 * len(exact))], rel=0.01)
    assert [report["visit"].count for report in reports] == [6_000, 6_000]


def test_a_cap_on_visits_in_flight_is_divided_and_drops_are_told_by_worker():
    report = Wide(rate(30, hold=10, in_flight=30), took=5.0, grace=10).begin().play()

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.planned == 300
    assert ledger.done == pytest.approx(60, abs=6)
    assert [worker.health["dropped_cap"] > 0 for worker in report.workers] == [True] * 3
    assert report.verdict is Verdict.INVALID
    assert "beyond the cap of visits in flight" in report.reasons[0]


@pytest.mark.parametrize("load", [rate(30, hold=60), users(9, hold=60)], ids=str)
def test_a_limit_aborts_the_whole_fleet_within_two_seconds_though_visits_would_last(load):
    stage = Wide(load, took=lambda s: 0.1 if s.visit.started < 8 else 40.0, limits=["max(visit) < 1s over 3s abort"])

    stage.environment = stage.environment.adapt(limits=["count(visit) < 3 over 1s abort after 4s"])
    stage.begin()
    report = stage.play()

    assert report.verdict is Verdict.FAIL
    assert report.duration <= 4 + 2
    assert begun(stage, 6, 100) == 0


def test_the_worker_at_fault_is_named():
    stage = Wide(rate(30, hold=8)).begin()

    def spoil():
        health = stage.crew["w1"].assignment.load._health
        cut = health.cut
        health.cut = lambda *args: {**cut(*args), "late_p99": 0.4, "hub_cpu": 0.2}

    stage.after(2.0, spoil)
    report = stage.play()

    assert report.verdict is Verdict.INVALID
    (reason,) = report.reasons
    assert "visits started late: 1 % of a second's by 400ms or more on w1, seconds " in reason


@pytest.mark.parametrize("load", [rate(30, hold=20), users(6, hold=20)], ids=str)
def test_the_whole_fleet_is_scaled_paused_resumed_at_one_moment(load):
    stage = Wide(load, took=0.2).begin()
    stage.after(4.5, lambda: stage.master.scale(2))
    stage.after(9.5, stage.master.pause)
    stage.after(14.5, stage.master.resume)

    report = stage.play()

    each = [begun(stage, at + 0.3, at + 4.7) for at in (0, 5, 10, 15)]
    assert each == pytest.approx([each[0], 2 * each[0], 0, 2 * each[0]], abs=8)
    assert [(what.at, what.text) for _, what in report.happenings] == [
        (5.0, "scaled to 2 times the plan"), (10.0, "paused"), (15.0, "resumed"),
    ]  # fmt: skip
    assert report.ledger["shop"].balanced


def test_a_worker_that_comes_later_knows_what_was_changed():
    stage = Wide(rate(30, hold=20), took=0.2, workers=2).begin()
    stage.after(3.5, lambda: stage.master.scale(2))
    stage.after(6.0, lambda: stage.worker("late"))
    stage.after(9.0, lambda: stage.kill("w0"))

    report = stage.play()

    assert begun(stage, 0, 4) == 120
    assert begun(stage, 4.2, 8.2) == pytest.approx(240, abs=3)
    assert begun(stage, 20.5, 30) == 0
    assert report.ledger["shop"].balanced


def test_what_nobody_made_of_a_scaled_load_is_lost_to_the_unit():
    stage = Wide(rate(30, hold=20), took=0.1, workers=2).begin()
    stage.after(3.5, lambda: stage.master.scale(2))
    for name in ("w0", "w1"):
        stage.after(9.0, lambda name=name: stage.kill(name))

    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.lost > 60 * 5
    assert report.verdict is Verdict.INVALID


def test_what_makes_no_sense_is_refused():
    stage = Wide(rate(30, hold=2))
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)

    with pytest.raises(PlanError):
        stage.master.scale(0)
    stage.play()

    assert exit_code(UsageError("x")) == 2
