"""What a run is written to: every output gets what it should, and one that fails loses itself alone."""

import asyncio
import re
from pathlib import Path

import gevent
import pytest
from output_options import is_path
from test_fleet import Ground

from chaperon import Environment, Scenario, iterations, rate, run, step
from chaperon.cli.outputs import OUTPUTS
from chaperon.errors import OutputError
from chaperon.execution import output_feed
from chaperon.execution.output_feed import QUEUED, OutputFeed
from chaperon.execution.running import Running
from chaperon.measure.sample import Key
from chaperon.measure.window import Window
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.output import Output
from chaperon.report.verdict import Verdict
from chaperon.testing import VirtualClock

ROOT = Path(__file__).resolve().parent.parent


class Kept(Output):
    """Keeps everything it gets."""

    name = "the list"

    def __init__(self):
        self.plan = self.report = None
        self.seconds = []
        self.added = []

    def start(self, plan):
        self.plan = plan

    def second(self, second):
        self.seconds.append(second)

    def late(self, second):
        self.added.append(second)

    def finish(self, report):
        self.report = report


class Failing(Kept):
    """Raises where it is asked to."""

    def __init__(self, *where, error=None):
        super().__init__()
        self._where = where
        self._error = error or ValueError("it broke")

    def start(self, plan):
        super().start(plan)
        self._fail("start")

    def second(self, second):
        self._fail("second")
        super().second(second)

    def late(self, second):
        self._fail("late")
        super().late(second)

    def finish(self, report):
        super().finish(report)
        self._fail("finish")

    def _fail(self, what):
        if what in self._where:
            raise self._error


@step
def visit(session):
    with session.measure("work", kind="redis"):
        session.clock.sleep(0.1)
    if session.visit.number % 10 == 0:
        raise RuntimeError("token=s3cr3t-value")


SHOP = Scenario(visit, name="shop")


def environment(load=None, scenario=SHOP, **options):
    return Environment(scenarios=[run(scenario, load or rate(20, hold=5))], name="one", **options)


def simulate(*outputs, load=None, scenario=SHOP, **options):
    """Run *scenario* on simulated time; return the run when its outputs are written."""
    clock = VirtualClock()
    running = Running(environment(load, scenario, **options).plan(), clock=clock).start(outputs)
    clock.run(lambda: running.ended)
    running.finish()
    return running


def test_a_live_output_gets_every_second_in_order_then_the_report():
    kept = Kept()

    running = simulate(kept, limits=["errors < 50%"])

    seconds, report = kept.seconds, kept.report
    assert [second.at for second in seconds] == list(range(6))
    assert [second.time - seconds[0].time for second in seconds] == pytest.approx(list(range(6)))
    assert report.finished
    assert report.verdict is running.report().verdict
    assert kept.plan.environment == "one"
    assert kept.plan.scenarios == ("shop",)
    assert kept.plan.limits == ("errors < 50%",)
    assert kept.plan.load


def test_the_seconds_add_up_to_the_report():
    kept = Kept()

    simulate(kept)

    seconds, report = kept.seconds, kept.report
    assert sum(second.requests.count for second in seconds) == report.requests.count == 100
    work = [second.series.get(Key("shop", "work", "redis")) for second in seconds]
    assert sum(series.good.count for series in work if series) == report["work"].count
    assert sum(second.ledger["shop"].done for second in seconds) == report.ledger["shop"].done == 90
    assert sum(error.count for second in seconds for error in second.errors.values()) == 10
    assert seconds[-1].users == seconds[-1].in_flight == 0
    assert max(second.in_flight for second in seconds) > 0
    assert all("late_p99" in second.health for second in seconds)


def test_the_slowest_requests_of_a_run_are_in_its_report(tmp_path):
    @step
    def uneven(session):
        with session.measure(f"work {session.visit.number % 3}", kind="redis"):
            session.clock.sleep(session.visit.number / 100)

    class Slowest(Output):
        name = "the slowest requests"

        def finish(self, report):
            lines = [f"{slow.took:.2f} {slow.name} at {slow.at:.2f}\n" for slow in report.slowest(10)]
            (tmp_path / "slowest.txt").write_text("".join(lines))

    simulate(Slowest(), scenario=Scenario(uneven, name="shop"))

    expected = [f"{n / 100:.2f} work {n % 3} at {n / 20 + n / 100:.2f}\n" for n in range(99, 89, -1)]
    assert (tmp_path / "slowest.txt").read_text() == "".join(expected)


def test_every_output_that_writes_files_is_described():
    described = re.findall(r"^\| `(--[a-z-]+)", (ROOT / "docs" / "runs.md").read_text(), re.MULTILINE)

    flags = [option.flag for row in OUTPUTS for option in row.options if is_path(option)]
    assert {"--json", "--csv"} <= set(flags)
    missing = [flag for flag in flags if flag not in described]
    assert not missing, f"docs/runs.md, Output files, has no row of {missing}"


def test_no_second_holds_a_secret():
    kept = Kept()

    simulate(kept)

    texts = [error.sample for second in kept.seconds for error in second.errors.values()]
    assert texts
    assert not [text for text in texts if "s3cr3t-value" in text]


def test_a_live_output_hears_of_a_fleet_what_it_hears_of_one_process():
    alone, fleet = Kept(), Kept()
    simulate(alone, load=rate(20, hold=5))
    ground = Ground(rate(20, hold=5))
    for name in ("a", "b"):
        ground.worker(name)

    ground.fleet(2, outputs=[fleet])
    report = ground.play()

    visits = [[second.ledger["shop"].done for second in kept.seconds if second.ledger] for kept in (alone, fleet)]
    assert sum(visits[1]) == report.ledger["shop"].done == 100
    assert [second.at for second in fleet.seconds] == list(range(len(fleet.seconds)))
    assert fleet.report.verdict is report.verdict


def test_what_comes_after_its_second_was_closed_is_told_apart():
    ground, kept = Ground(rate(20, hold=30)), Kept()
    for name in ("a", "b"):
        ground.worker(name)
    ground.fleet(2, outputs=[kept])
    collector = ground.master.state.collector
    ground.after(3, lambda: collector.leave("b"))

    ground.play()

    late = sum(counts.done for second in kept.added for counts in second.ledger.values())
    on_time = sum(counts.done for second in kept.seconds for counts in second.ledger.values())
    assert late > 0
    assert late + on_time == kept.report.ledger["shop"].done == 600


@pytest.mark.parametrize("raised", [ValueError("it broke"), SystemExit(3), KeyError("x"), AssertionError()], ids=repr)
def test_seconds_that_an_output_fails_on_are_lost_to_it_alone_and_said_once(capsys, raised):
    broken, kept = Failing("second", error=raised), Kept()

    running = simulate(broken, kept)

    report = running.report()
    assert [second.at for second in kept.seconds] == list(range(6))
    assert report.notes["seconds not written: the list"] == 6
    assert not [reason for reason in report.reasons if "own" in reason]
    assert broken.report is not None
    assert running.output_failures == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "the output the list loses seconds of the run" in line


def test_an_output_that_is_too_slow_loses_its_oldest_seconds(capsys, monkeypatch):
    monkeypatch.setattr(output_feed, "FLUSH", 0.05)
    waits = gevent.event.Event()

    class Slow(Kept):
        def second(self, second):
            super().second(second)
            waits.wait()

    slow, kept = Slow(), Kept()
    running = simulate(slow, kept, load=rate(1, hold=QUEUED + 20))

    total = len(kept.seconds)
    assert [second.at for second in kept.seconds] == list(range(total))
    assert [second.at for second in slow.seconds] == [0]
    assert running.report().notes["seconds not written: the list"] == total
    assert slow.report is not None
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_output_that_is_behind_at_the_end_gets_what_is_queued():
    class Behind(Kept):
        def second(self, second):
            for _ in range(20):
                gevent.sleep(0)
            super().second(second)

    behind = Behind()

    running = simulate(behind)

    assert [second.at for second in behind.seconds] == list(range(6))
    assert not [note for note in running.report().notes if "lost" in note]


ANY = [
    KeyboardInterrupt(),
    SystemExit(3),
    gevent.GreenletExit(),
    asyncio.CancelledError(),
    gevent.Timeout(1),
    MemoryError(),
]
"""What an output's own code may raise."""


@pytest.mark.parametrize("where", ["start", "finish"])
@pytest.mark.parametrize("error", ANY, ids=lambda error: type(error).__name__)
def test_an_output_that_raises_anything_loses_itself_alone(where, error):
    broken, kept = Failing(where, error=error), Kept()

    running = simulate(broken, kept)

    (failure,) = running.output_failures
    assert failure.text.startswith(f"cannot write the list: {type(error).__name__}")
    assert kept.report is not None
    assert running.report().verdict is Verdict.PASS


@pytest.mark.parametrize("error", ANY, ids=lambda error: type(error).__name__)
def test_an_output_that_raises_anything_for_a_second_loses_that_second_alone(capsys, error):
    broken, kept = Failing("second", error=error), Kept()

    running = simulate(broken, kept)

    report = running.report()
    assert report.notes["seconds not written: the list"] == len(kept.seconds) > 0
    assert broken.report is not None
    assert (report.verdict, running.output_failures) == (Verdict.PASS, [])
    assert type(error).__name__ in capsys.readouterr().err


@pytest.mark.parametrize("error", ANY, ids=lambda error: type(error).__name__)
def test_an_output_that_raises_anything_for_a_late_window_loses_it_alone(error):
    broken, kept = Failing("late", error=error), Kept()
    monitor = RunMonitor(Collector(["a", "b"]), [], brake=None)
    feed = OutputFeed([broken, kept], monitor)
    feed.begin(0.0)
    for window in (Window("a", 1, 0), Window("a", 2, 30), Window("b", 1, 0), Window("b", 2, 30)):
        monitor.collector.add(window)
    monitor.collector.close()

    feed.flush()

    assert (len(broken.seconds), len(broken.added)) == (len(kept.seconds), 0)
    assert len(kept.added) == 1
    assert monitor.collector.totals().notes["seconds not written: the list"] == 1


def test_a_timeout_of_the_program_ends_its_wait_for_an_output():
    class Slow(Kept):
        def finish(self, report):
            gevent.event.Event().wait()

    feed = OutputFeed([Slow()], RunMonitor(Collector(()), [], brake=None))

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        feed.finish(None)
    assert feed.failures == []


@pytest.mark.parametrize("where", ["start", "finish"])
def test_an_output_that_fails_on_content_leaves_the_others_alone(where):
    broken, kept = Failing(where), Kept()

    running = simulate(broken, kept)

    (failure,) = running.output_failures
    assert failure.output == broken.name
    assert failure.text == "cannot write the list: ValueError: it broke"
    assert kept.report is not None
    assert (broken.report is None) == (where == "start")


def test_an_output_that_cannot_be_written_keeps_the_run_from_starting():
    made = []
    refusing = Failing("start", error=OutputError("cannot write out.txt: the folder is missing"))

    with pytest.raises(OutputError, match="the folder is missing"):
        environment(iterations(1), setup=lambda: made.append(1)).execute(outputs=[refusing])

    assert made == []


def test_a_run_in_code_writes_its_outputs_and_raises_what_failed_with_the_report():
    kept = Kept()

    report = environment(iterations(3)).execute(outputs=[kept])
    with pytest.raises(OutputError, match="cannot write the list") as failed:
        environment(iterations(3)).execute(outputs=[Failing("finish")])

    assert kept.report.visits.planned == report.visits.planned == 3
    assert failed.value.report.visits.planned == 3


def test_outputs_are_finished_once_when_the_block_of_the_run_is_left():
    class Counted(Kept):
        times = 0

        def finish(self, report):
            self.times += 1

    counted = Counted()

    with environment(iterations(3)).start(outputs=[counted]) as running:
        running.wait()
        assert counted.times == 0
    running.finish()

    assert counted.times == 1
