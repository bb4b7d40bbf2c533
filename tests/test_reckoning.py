"""What was recorded is compared with what the load planned, the recorder took, the transport sent."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import once, simulated
from stage import Stage
from test_fleet import Ground
from thorough import examples

from chaperon import iterations, pause, rate, users, users_per_second
from chaperon.cluster.worker.window_sender import WindowSender
from chaperon.load.arrivals import arrivals_until, offsets
from chaperon.load.in_flight import VisitsInFlight
from chaperon.load.live_changes import LiveChanges
from chaperon.load.plan import Due, due_visits
from chaperon.load.share import deal
from chaperon.measure.closing import Closing, Reported, disagreements
from chaperon.measure.recorder import Recorder
from chaperon.measure.window import Window
from chaperon.report.collector import Collector
from chaperon.report.report import Verdict

LOADS = [
    rate(7.3, hold=5),
    rate(7.3, ramp=2, hold=3),
    rate(11, hold=5, poisson=True),
    rate(30, hold=4, in_flight=2),
    rate(5, hold=2) >> pause(1) >> rate(9, hold=2),
    rate(5, hold=4) | iterations(9, users=2),
    iterations(40, users=3),
    iterations(4, users=3, each=True),
    users(6),
    users(6, ramp=3),
    users_per_second(4, visits=3, hold=5),
    users_per_second(4, visits=2, ramp=2, hold=4, poisson=True, think=0.4, in_flight=3),
]


@pytest.mark.parametrize("load", LOADS, ids=str)
@pytest.mark.parametrize("shares", [1, 3])
def test_the_plan_is_what_an_engine_accounts_for(load, shares):
    stage = Stage(load, shares=shares, took=0.3).play()

    due = due_visits(stage.shares, stage.engine.live_changes, stopped=None)["shop"]

    ledger = stage.ledger()
    assert due == Due(ledger.planned, True)
    assert stage.engine.planned == {"shop": ledger.planned}


@settings(max_examples=examples(60))
@given(st.sampled_from(LOADS[:8]), st.floats(0.0, 6.0), st.sampled_from([0.05, 0.3, 2.0]))
def test_a_run_that_is_stopped_has_planned_what_was_due_until_then(load, at, took):
    stage = Stage(load, took=took, grace=0.5).play(at)
    stage.engine.stop()
    stage.play()

    stopped = stage.engine.stopped
    due = due_visits(stage.shares, stage.engine.live_changes, stopped=stopped, began=stage.began)["shop"]

    assert due.least <= stage.ledger().planned <= due.least + 2  # one of each track may be due in that very moment


@settings(max_examples=examples(60))
@given(
    st.sampled_from(LOADS[:5]),
    st.lists(st.tuples(st.floats(0.1, 5.0), st.sampled_from(["pause", "resume", 0.5, 2.0])), max_size=4),
)
def test_a_load_that_is_steered_has_planned_what_is_due_by_then(load, changes):
    stage = Stage(load, took=0.1)
    for at, what in sorted(changes, key=lambda change: change[0]):
        stage.play(at)
        if what in ("pause", "resume"):
            getattr(stage.engine, what)()
        else:
            stage.engine.scale(what)
    stage.play()

    due = due_visits(stage.shares, stage.engine.live_changes, stopped=None)["shop"]

    planned = stage.ledger().planned
    assert due.least <= planned <= due.least + len(changes)  # one that is due in the moment of a change may be begun


@given(st.sampled_from([0, 1]), st.floats(0.1, 200.0), st.floats(0.0, 5.0), st.floats(0.0, 7.0))
def test_arrivals_are_counted_as_they_are_listed(poisson, level, ramp, moment):
    load = rate(level, ramp=ramp, hold=1, poisson=bool(poisson))

    assert arrivals_until(load, moment) == sum(at <= moment for _, at in offsets(load))


def test_closed_loads_with_an_end_are_for_the_target_to_say():
    assert due_visits(deal([("shop", users(3, hold=5))]), LiveChanges(), stopped=None) == {"shop": Due(0, False)}


def nothing(session):
    session.check("made", True)


def dropping(monkeypatch, owner, name, which):
    usual, calls = getattr(owner, name), []

    def odd(self, *args, **kwargs):
        calls.append(args)
        return None if which(len(calls), args) else usual(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, odd)


def test_a_window_that_is_lost_on_its_way_is_lost_in_the_ledger_with_the_numbers(monkeypatch):
    dropping(monkeypatch, Collector, "add", lambda n, args: n == 3)

    report = simulated(nothing, load=rate(10, hold=5))

    assert report.verdict is Verdict.INVALID
    assert report.visits.planned == 50
    assert report.visits.lost == 10
    assert report.visits.balanced
    assert "10 of 50 visits of shop that were due are in no window: lost" in report.reasons
    assert "local counted 6 windows, its windows have 5" in report.reasons


@pytest.mark.as_written
@pytest.mark.parametrize("load", [users(3, hold=5, think=1), iterations(20, users=2), rate(10, hold=5)], ids=str)
def test_visits_that_nobody_wrote_down_are_found(monkeypatch, load):
    dropping(monkeypatch, Recorder, "count_visit", lambda n, args: args[2:3] == ("planned",) and n > 4)

    report = simulated(nothing, load=load)

    assert report.verdict is Verdict.INVALID
    assert any("local planned" in reason for reason in report.reasons)


def test_visits_that_were_never_begun_are_found_by_the_plan(monkeypatch):
    from chaperon.load.performers import open_load

    monkeypatch.setattr(open_load, "offsets", lambda *args, **kwargs: iter(list(offsets(*args, **kwargs))[:30]))

    report = simulated(nothing, load=rate(10, hold=5))

    assert report.verdict is Verdict.INVALID
    assert report.visits.lost == 20
    assert "20 of 50 visits of shop that were due are in no window: lost" in report.reasons


@pytest.mark.as_written
def test_samples_that_are_in_no_series_are_found(monkeypatch):
    dropping(monkeypatch, Recorder, "_merge_batch", lambda n, args: args[0].kind == "check" and n > 3)

    report = simulated(nothing, load=rate(10, hold=5))

    assert report.verdict is Verdict.INVALID
    assert any("local counted" in reason and "samples" in reason for reason in report.reasons)


@pytest.mark.as_written
def test_requests_that_were_sent_and_not_recorded_are_found(monkeypatch, target):
    dropping(monkeypatch, Recorder, "record_open", lambda n, args: args[0].key.kind == "http" and n % 5 == 0)

    report = once(target, lambda session: session.get("/"), load=iterations(20))

    assert len(target.asked) == 20
    assert report.verdict is Verdict.INVALID
    assert any("local sent 20 requests, its windows have" in reason for reason in report.reasons)


def test_requests_that_the_environment_leaves_out_are_no_loss(target):
    report = once(target, lambda session: session.get("/"), load=iterations(20), metrics={"GET /": None})

    assert len(target.asked) == 20
    assert report.verdict is Verdict.PASS, report.reasons


@pytest.mark.parametrize("load", [rate(20, hold=5), iterations(60, users=4), users(4, hold=5, think=0.5)], ids=str)
def test_what_a_worker_does_not_send_is_found_by_its_last_word(monkeypatch, load):
    usual = WindowSender.send

    def odd(self, window):
        usual(self, Window(window.worker, window.seq, window.at) if window.seq == 2 else window)

    monkeypatch.setattr(WindowSender, "send", odd)
    stage = Ground(load)
    for name in ("alpha", "beta"):
        stage.worker(name)
    stage.fleet(2)

    report = stage.play()

    assert report.verdict is Verdict.INVALID
    assert report.visits.planned == len(stage.made)
    assert any(reason.startswith("alpha planned") for reason in report.reasons)
    assert any(reason.startswith("beta counted") and "samples" in reason for reason in report.reasons)


@pytest.mark.parametrize("order", ["stop", "kill", "pause"])
def test_a_fleet_that_is_stopped_or_paused_has_no_loss(order):
    stage = Ground(rate(40, hold=10), took=0.3)
    for name in ("alpha", "beta"):
        stage.worker(name)
    fleet = stage.fleet(2)
    stage.after(3.21, lambda: getattr(fleet, order)(*(["enough"] if order != "pause" else [])))
    stage.after(6.0, fleet.resume if order == "pause" else lambda: None)

    report = stage.play()

    assert report.verdict is (Verdict.PASS if order == "pause" else Verdict.ABORTED), report.reasons
    assert report.visits.lost == 0
    assert report.visits.balanced


@pytest.mark.as_written
def test_a_plan_of_fewer_visits_than_were_made_is_said(monkeypatch):
    usual = VisitsInFlight.count_visit

    def twice(self, progress, due, fate, waited=0.0):
        usual(self, progress, due, fate, waited)
        if fate == "planned" and len(made) < 3:
            made.append(due)
            usual(self, progress, due, "planned")
            usual(self, progress, due, "done")

    made = []
    monkeypatch.setattr(VisitsInFlight, "count_visit", twice)

    report = simulated(nothing, load=rate(10, hold=5))

    assert report.verdict is Verdict.INVALID
    assert "53 visits of shop were planned, though the load makes 50 due" in report.reasons


@pytest.mark.parametrize("field", ["windows", "samples", "requests", "messages"])
def test_every_figure_that_disagrees_is_said(field):
    said = Closing(3, 10, {"shop": 5}, 4)
    reported = Reported(3, 10, 4, {"shop": 5})
    assert disagreements(said, reported, "alpha") == []

    (reason,) = disagreements(replace(said, **{field: 11}), reported, "alpha")

    assert "alpha" in reason
    assert "11" in reason


@pytest.mark.parametrize(
    "lie",
    [{"visits": {}}, {"visits": {"other": 5}}, {"visits": {"shop": -5}}, {"samples": -10}, {"windows": -3},
     {"requests": -4}, {"left_out": -1}, {"messages": -1, "recorded_messages": -1}],
    ids=str,
)  # fmt: skip
def test_no_total_that_a_worker_leaves_out_or_makes_negative_agrees(lie):
    reported = Reported(3, 10, 4, {"shop": 5})

    assert disagreements(replace(Closing(3, 10, {"shop": 5}, 4), **lie), reported, "alpha")
