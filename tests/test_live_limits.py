"""Limits that watch the run: over a sliding window, during a phase, by tag, with an abort."""

import subprocess
import sys

import pytest
from scenes import simulated
from unjudged import UNJUDGED
from waits import forever

from chaperon import Environment, Scenario, rate, run, step, users
from chaperon.execution.running import Running
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.collector import Collector
from chaperon.report.limits import live_limit
from chaperon.report.limits.limit_parser import parse
from chaperon.report.monitor import RunMonitor
from chaperon.report.report import Verdict
from chaperon.report.verdict import RunInfo

GET = Key("shop", "GET /")
SEARCH = Key("shop", "GET /", tags=(("kind", "search"),))


class Told:
    """A monitor that gets second by second how long requests took, or that they failed."""

    def __init__(self, *limits):
        self.record = Recorder("a", began=0.0)
        self.watch = RunMonitor(Collector(["a"]), [parse(text) for text in limits], brake=None)
        self.second, self.stopped = 0, None

    def hear(self, *tooks, key=GET, users=1, phase="steady", each=1, planned=1):
        for took in tooks:
            for _ in range(each):
                bad = Failure("http 503", "503") if took is None else None
                self.record.record(Sample(key._replace(phase=phase), self.second, self.second + (took or 0.01), bad))
        for _ in range(planned):
            self.record.count_visit("shop", self.second, "planned")
            self.record.count_visit("shop", self.second, "done")
        stop = self.watch.add(self.record.cut(users=users, phases={("shop", phase): 1.0}))
        self.stopped = self.second if stop and self.stopped is None else self.stopped
        self.second += 1
        return self

    def limit(self):
        return self.report().limits[0]

    def report(self):
        return self.watch.report(RunInfo("e", 1, "2026-01-01T00:00:00Z", float(self.second)), finished=True)


def test_a_sliding_limit_breaks_where_one_stretch_breaks_it():
    told = Told("mean(GET /) < 300ms over 3s", "mean(GET /) < 300ms")
    for took in (0.1, 0.1, 0.1, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1):
        told.hear(took)

    sliding, whole = told.report().limits

    assert (sliding.held, sliding.at, round(sliding.value, 3)) == (False, 4, 0.367)
    assert whole.held


def test_a_sliding_limit_holds_where_no_whole_stretch_breaks_it():
    told = Told("mean(GET /) < 300ms over 5s")
    for took in (0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.1):
        told.hear(took)

    assert told.limit().held


def test_a_run_shorter_than_the_stretch_is_judged_whole():
    assert not Told("mean(GET /) < 300ms over 30s").hear(0.4).hear(0.4).limit().held
    assert Told("mean(GET /) < 300ms over 30s").hear(0.1).hear(0.1).limit().held


@pytest.mark.parametrize("kept", [live_limit.KEPT, 6_000])  # bytes: all seconds one by one; the last ones in tens
def test_samples_that_resemble_their_neighbours_are_too_few_while_the_run_goes_on_as_at_its_end(monkeypatch, kept):
    monkeypatch.setattr(live_limit, "KEPT", kept)
    told = Told("p95(GET /) < 50ms", "p50(GET /) < 50ms")
    for second in range(100):
        told.hear(0.27 if 5 <= second < 9 else 0.03, each=20)
        states = told.watch.pulse().limits
    live, plain = told.watch.limits_so_far()

    report = told.report()

    few = "p95 of the samples is 30.0ms; 2,000 samples that resemble their neighbours count as "
    assert [(state.shown, state.standing) for state in states] == [("max 270ms", "broken"), ("30.0ms", "held")]
    assert (live.held, live.shown, live.value) == (False, "max 270ms", report.limits[0].value)
    assert live.note.startswith(few)
    assert (plain.held, plain.note) == (True, None)
    assert report.reasons[0].startswith(f"limit broke: p95(GET /) < 50ms, but the maximum was 270ms ({few}")


def test_a_stretch_without_data_breaks_it_while_somebody_is_busy_and_not_in_a_pause():
    frozen, paused = Told("p50 < 1s over 2s"), Told("p50 < 1s over 2s")
    for told, busy in ((frozen, 1), (paused, 0)):
        told.hear(0.1, each=9).hear(0.1, each=9)
        for _ in range(5):
            told.hear(users=busy, planned=0)

    assert (frozen.limit().held, frozen.limit().note) == (False, "no data for 2 s")
    assert paused.limit().held


def test_a_rate_over_a_stretch():
    told = Told("rate > 5/s over 2s")
    for many in (10, 10, 2, 2, 10):
        told.hear(0.1, each=many)

    assert (told.limit().held, told.limit().value, told.limit().at) == (False, 2.0, 3)


def test_a_class_of_errors_over_a_stretch():
    told = Told("errors(GET /: http 503) < 3 over 2s")
    for tooks in ((0.1, None), (0.1,), (None, None), (None, 0.1), (0.1,)):
        told.hear(*tooks)

    assert (told.limit().held, told.limit().value, told.limit().at) == (False, 3.0, 3)


def test_a_limit_during_a_phase_speaks_of_that_phase_alone():
    limits = ["max < 1s during steady", "rate > 1/s during steady", "max < 1s during ramp", "count < 5 during cool-off"]
    told = Told(*limits)
    told.hear(5.0, phase="ramp")
    for level in (10, 10, 20):
        told.hear(0.1, 0.1, phase=f"steady at {level}/s")

    assert [limit.held for limit in told.report().limits] == [True, True, False, False]


def test_a_limit_during_a_phase_that_never_was_says_which_there_were():
    limit = Told("max < 1s during spike").hear(0.1).limit()

    assert (limit.held, limit.note) == (False, "there was no phase 'spike', only: steady")


def test_a_limit_by_tag_speaks_of_what_has_it():
    limits = ["max(GET / {kind=search}) < 1s", "max(GET /) < 1s", "count({kind=search}) == 2", "max(GET /x/{id}) < 1s"]
    told = Told(*limits)
    told.hear(0.1, 0.2, key=SEARCH).hear(5.0)

    assert [limit.held for limit in told.report().limits] == [True, False, True, False]


def test_a_limit_that_aborts_stops_the_run_when_it_breaks():
    told = Told("errors < 10% abort")
    told.hear(0.1, each=20).hear(0.1, each=20).hear(None, each=20).hear(0.1)

    assert told.stopped == 2
    report = told.report()
    assert report.verdict is Verdict.FAIL
    assert any("stopped in second 3: errors < 10% abort was 33.33%" in reason for reason in report.reasons)


def test_an_abort_waits_for_as_long_as_it_was_told():
    told = Told("errors < 10% abort after 4s")
    for _ in range(6):
        told.hear(None)

    assert told.stopped == 3


def test_an_abort_waits_for_data_unless_it_was_told_for_how_long():
    patient, strict = Told("p50 < 1s abort"), Told("p50 < 1s abort after 3s")
    for _ in range(6):
        patient.hear()
        strict.hear()

    assert (patient.stopped, strict.stopped) == (None, 2)


@pytest.mark.parametrize("load", [rate(10, hold=8, warmup=5), rate(10, hold=8, delay=5)], ids=["warm-up", "delay"])
def test_an_abort_waits_while_no_visit_that_counts_is_due(load):
    def shop(session):
        with session.measure("GET /", kind="http"):
            session.sleep(0.1)

    report = simulated(shop, load=load, limits=["errors < 10% abort after 2s"])

    assert (report.verdict, report.reasons) == (Verdict.PASS, ())
    assert report.visits.done == 80


def test_a_sliding_limit_aborts_too():
    told = Told("mean < 300ms over 2s abort")
    for took in (0.1, 0.1, 0.4, 0.6, 0.1):
        told.hear(took)

    assert told.stopped == 3


def test_seconds_that_workers_send_late_count_in_a_stretch_that_is_still_open():
    watch = RunMonitor(Collector(["a", "b"], patience=1.0), [parse("count > 0 over 3s")], brake=None)
    a, b = Recorder("a", began=0.0), Recorder("b", began=0.0)
    windows = []
    for second in range(4):
        b.record(Sample(GET, second, second + 0.1))
        windows.append(b.cut(users=1))
        watch.add(a.cut(users=1))

    for window in windows:
        watch.add(window)

    limit = watch.report(RunInfo("e", 1, "", 4.0), finished=True).limits[0]
    assert limit.value is not None


@pytest.mark.parametrize("load", [users(5, hold="1m"), rate(20, hold="1m")], ids=str)
def test_a_run_is_aborted_within_two_seconds_though_its_visits_would_last(target, load):
    @step
    def failing(session):
        session.get("/status/500")
        forever()

    scenario = Scenario(failing, name="shop")
    environment = Environment(target.url, scenarios=[run(scenario, load)], limits=["errors < 50% abort"])

    report = environment.adapt(trust=UNJUDGED).execute()

    assert report.verdict is Verdict.FAIL
    assert report.duration < 1 + 2


def test_a_run_is_scaled_paused_resumed_and_the_report_says_when(clock):
    scenario = Scenario(lambda session: clock.sleep(0.1), name="shop")
    environment = Environment(scenarios=[run(scenario, rate(10, hold=30))])
    running = Running(environment.plan(), clock=clock).start()
    deeds = {5: lambda: running.scale(2), 10: running.pause, 15: running.resume}
    for at, deed in deeds.items():
        clock.after(at, deed)

    clock.run(lambda: running.ended)

    report = running.report()
    assert report.visits.done == pytest.approx(50 + 100 + 0 + 300, abs=2)
    assert [(what.at, what.text) for _, what in report.happenings] == [
        (5.0, "scaled to 2 times the plan"), (10.0, "paused"), (15.0, "resumed"),
    ]  # fmt: skip


def test_a_hundred_scenarios_side_by_side_each_get_their_load(clock):
    made = []
    steps = [lambda session, i=i: (made.append(i), clock.sleep(0.05)) for i in range(100)]
    loads = [rate(2, hold=3) if i % 2 else users(1, hold=3, pacing=1) for i in range(100)]
    entries = [run(Scenario(each, name=f"s{i}"), loads[i]) for i, each in enumerate(steps)]
    running = Running(Environment(scenarios=entries).plan(), clock=clock).start()

    clock.run(lambda: running.ended)

    assert [made.count(i) for i in range(100)] == [6 if i % 2 else 3 for i in range(100)]
    assert len(running.report().ledger) == 100


LOADED = """
from gevent import monkey; monkey.patch_all()
import sys
from chaperon import Environment, Scenario
from chaperon.clock import HubClock
from chaperon.execution.running import Running
seen = []
class Watchful(HubClock):
    def now(self):
        seen.append("chaperon.client.http.measured" in sys.modules)
        return HubClock.now()
running = Running(Environment(scenarios=[Scenario(lambda session: None, name="shop")]).plan(), clock=Watchful()).start()
running.wait()
assert seen and all(seen), seen.index(False)
"""


@pytest.mark.processes
def test_nothing_is_loaded_any_more_when_the_run_begins():
    subprocess.run([sys.executable, "-c", LOADED], check=True, timeout=30)
