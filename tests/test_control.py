"""A load that is changed while it goes on: the report says by whom, the run says what is asked for."""

import pytest
from test_fleet_load import Wide
from test_run_file import text_of

from chaperon import Environment, Scenario, iterations, rate, read_run, run, users
from chaperon.execution.running import Running
from chaperon.load.shapes import pause
from chaperon.report.run_file.writer import RunFileWriter
from chaperon.testing import VirtualClock

KEYS = "a key of the terminal"


@pytest.fixture
def clock():
    return VirtualClock()


def began(clock, load, run_file=None):
    scenario = Scenario(lambda session: clock.sleep(0.1), name="shop")
    return Running(Environment(scenarios=[run(scenario, load)]).plan(), clock=clock).start(run_file=run_file)


def test_each_change_is_an_event_that_says_by_whom_and_a_run_file_keeps_it(clock, tmp_path):
    writer = RunFileWriter(tmp_path / "run.chap")
    running = began(clock, rate(10, hold=30), writer)
    changes = {
        5: lambda: running.scale(1.1, by=KEYS),
        10: lambda: running.pause(by=KEYS),
        15: lambda: running.resume(by=KEYS),
        20.25: lambda: running.stop("stopped from the terminal", by=KEYS),
    }
    for at, change in changes.items():
        clock.after(at, change)

    clock.run(lambda: running.ended)
    running.finish()
    writer.close()

    report = running.report()
    assert [(event.at, event.kind, event.text) for _, event in report.happenings] == [
        (5.0, "change", f"scaled to 1.1 times the plan, by {KEYS}"), (10.0, "change", f"paused, by {KEYS}"),
        (15.0, "change", f"resumed, by {KEYS}"), (20.25, "change", f"stopped, by {KEYS}"),
    ]  # fmt: skip
    assert report.reasons == ("stopped from the terminal",)
    assert text_of(read_run(tmp_path / "run.chap").report()) == text_of(report)


def test_a_stop_before_the_first_second_is_closed_is_an_event_too(clock, tmp_path):
    writer = RunFileWriter(tmp_path / "run.chap")
    running = began(clock, rate(10, hold=30), writer)
    clock.after(0.25, lambda: running.stop("enough", by=KEYS))

    clock.run(lambda: running.ended)
    running.finish()
    writer.close()

    assert [event.text for _, event in running.report().happenings] == [f"stopped, by {KEYS}"]
    assert text_of(read_run(tmp_path / "run.chap").report()) == text_of(running.report())


def test_a_fleet_says_by_whom_as_one_process_does():
    stage = Wide(rate(30, hold=20), took=0.2).begin()
    stage.after(4.5, lambda: stage.master.scale(1.1, by=KEYS))
    stage.after(9.5, lambda: stage.master.pause(by=KEYS))
    stage.after(11.5, lambda: stage.master.resume(by=KEYS))
    stage.after(14.0, lambda: stage.master.stop("stopped from the terminal", by=KEYS))

    report = stage.play()

    assert [event.text for _, event in report.happenings] == [
        f"{what}, by {KEYS}" for what in ("scaled to 1.1 times the plan", "paused", "resumed", "stopped")
    ]
    assert (stage.master.factor, stage.master.paused) == (1.1, False)


@pytest.mark.parametrize(
    ("load", "asked"),
    [
        (rate(10, ramp=4, hold=20), {0: 0.0, 2: 5.0, 6: 10.0, 8: 20.0, 12: 0.0, 16: 20.0}),
        (users(10, ramp=4, hold=20), {2: 5.0, 6: 10.0, 8: 20.0}),
    ],
)
def test_what_is_asked_for_follows_the_plan_and_its_changes(clock, load, asked):
    running, seen = began(clock, load), {}
    unit = load.unit
    clock.after(7, lambda: running.scale(2))
    clock.after(11, running.pause)
    clock.after(15, running.resume)
    states = {}
    for at in asked:
        clock.after(at, lambda at=at: seen.update({at: running.levels[unit]}))
        clock.after(at, lambda at=at: states.update({at: (running.factor, running.paused)}))
    clock.after(17, lambda: running.stop("enough"))

    clock.run(lambda: running.ended)

    assert seen == {at: pytest.approx(level) for at, level in asked.items()}
    assert states[6] == (1.0, False)
    assert states[8] == (2.0, False)
    assert states.get(12, (2.0, True)) == (2.0, True)


def test_loads_side_by_side_are_asked_for_by_unit_and_one_after_another_in_turn(clock):
    running, seen = began(clock, (pause(2) >> rate(10, hold=4)) | users(3, hold=4) | iterations(8, users=2)), {}
    for at in (1, 3, 5):
        clock.after(at, lambda at=at: seen.update({at: running.levels}))

    clock.run(lambda: running.ended)

    assert seen == {
        1: {"visits/s": 0.0, "users": 5.0},
        3: {"visits/s": 10.0, "users": 5.0},
        5: {"visits/s": 10.0, "users": 2.0},
    }
