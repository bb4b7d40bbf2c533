"""When links are cut, closed or stopped, the target never gets a load twice: its holder stops before others start."""

from collections import Counter
from random import Random

import gevent
import pytest
from gevent.event import Event
from test_fleet import Ground
from thorough import some

from chaperon import iterations, rate, users
from chaperon.cluster.master.state import STOOD_STILL
from chaperon.cluster.worker.engine_codes import OVER
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long

RATE, HOLD = 30, 60


class Stopping:
    """The clock of a process that can be stopped, as SIGSTOP does: no greenlet wakes up meanwhile."""

    def __init__(self, clock):
        self.now, self._clock = clock.now, clock
        self._going = Event()
        self._going.set()

    def sleep(self, seconds):
        self._clock.sleep(seconds)
        self._going.wait()

    def after(self, seconds, deed):
        return self._clock.after(seconds, lambda: self._call(deed))

    def _call(self, deed):
        if self._going.is_set():
            deed()
        else:
            gevent.spawn(lambda: self._going.wait() and deed())

    def stop(self):
        self._going.clear()

    def go_on(self):
        self._going.set()


class Moments(Ground):
    """A ground that knows when each visit was begun, and whose master can be stopped."""

    def __init__(self, load, *, workers=3, took=0.1, **options):
        super().__init__(load, took=took, **options)
        self.real, self.begun = self.clock, []
        begun, now = self.begun, self.clock.now

        class Noting(list):
            def append(self, visit):
                begun.append(now())
                list.append(self, visit)

        self.made = Noting()
        for k in range(workers):
            self.worker(f"w{k}")

    def fleet(self, workers=3, **patience):
        self.clock = self.masters = Stopping(self.real)
        self.clock.run = self.real.run
        try:
            return super().fleet(workers, **patience)
        finally:
            self.clock = self.real

    def stop_master(self, at, span):
        self.after(at, self.freeze)
        self.after(at + span, self.thaw)

    def freeze(self):
        self.masters.stop()
        self.net.freeze()

    def thaw(self):
        self.masters.go_on()
        self.net.thaw()

    def starts(self):
        return sorted(at - self.master.state.began for at in self.begun)


def assert_once(stage, report, *, rate=RATE, hold=HOLD):
    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.planned == rate * hold
    assert max(Counter(number for _, number, _ in stage.made).values()) == 1
    begun = stage.starts()
    assert all(n <= at * rate + 1 for n, at in enumerate(begun))
    assert ledger.done == len(stage.made)
    return ledger


@pytest.mark.parametrize("span", some([0.5, 3.0, 8.9, 9.5, 10.5, 15.0, 28.0], 3))
def test_a_master_that_stood_still_gives_nobody_up(span):
    stage = Moments(rate(RATE, hold=HOLD))
    stage.fleet()
    stage.stop_master(10.0, span)

    report = stage.play()

    assert_once(stage, report)
    assert report.ledger["shop"].lost == 0
    assert not any(worker.lost for worker in report.workers)
    assert (STOOD_STILL in report.notes) is (span > 1.0)


@pytest.mark.parametrize("load", [iterations(600, users=9), users(9, hold=40)], ids=str)
def test_closed_loads_survive_a_master_that_stood_still(load):
    stage = Moments(load, took=0.5)
    stage.fleet()
    stage.stop_master(10.0, 15.0)

    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.done == ledger.planned == len(stage.made)
    assert not any(worker.lost for worker in report.workers)
    if load == iterations(600, users=9):
        assert ledger.planned == 600


def test_a_master_that_stood_still_waits_longer_for_workers_to_come():
    stage = Moments(rate(RATE, hold=5), workers=0)
    stage.real.after(12.0, lambda: [stage.worker(f"w{k}") for k in range(3)])
    stage.real.after(1.0, stage.freeze)
    stage.real.after(11.0, stage.thaw)

    stage.fleet(gather=5.0)

    assert stage.play().verdict is Verdict.PASS


def test_a_worker_that_stood_still_counts_its_masters_silence_from_its_waking():
    stage = Moments(rate(RATE, hold=HOLD), workers=1)
    stage.fleet(1, master_timeout=12.0)
    worker = stage.crew["w0"]
    clock = worker._clock
    sleeper = Stopping(clock)
    worker._clock = sleeper

    def stop():
        sleeper.stop()
        stage.net.cut.add(b"w0/1")

    def go_on():
        sleeper.go_on()
        stage.net.cut.discard(b"w0/1")

    stage.after(10.0, stop)
    stage.after(19.0, go_on)
    report = stage.play()

    assert report.ledger["shop"].balanced
    assert stage.codes.get("w0/1") in (None, OVER)


@pytest.mark.parametrize("span", some([1.0, 4.0, 6.5, 8.0, 9.5, 12.0, 20.0, 28.0], 3))
@pytest.mark.parametrize("how", ["cut", "mute"])
def test_a_cut_of_whatever_length_sends_no_arrival_twice(how, span):
    stage = Moments(rate(RATE, hold=HOLD))
    stage.fleet()
    cut = getattr(stage.net, how)
    stage.after(15.3, lambda: cut.add(b"w1/1"))
    stage.after(15.3 + span, lambda: cut.discard(b"w1/1"))

    assert_once(stage, stage.play())


@pytest.mark.parametrize("span", some([0.05, 0.5, 1.5, 1.9, 2.4, 3.0, 9.0, 25.0], 3))
def test_a_closed_connection_pauses_its_worker_at_once(span):
    stage = Moments(rate(RATE, hold=HOLD))
    stage.fleet()
    stage.after(15.3, lambda: stage.net.close(b"w1/1"))
    stage.after(15.3 + span, lambda: stage.net.open(b"w1/1"))

    report = stage.play()
    assert_once(stage, report)
    assert any(worker.lost for worker in report.workers) is (span > 2.0)


@pytest.mark.parametrize("span", some([0.5, 1.9, 2.4, 5.0, 8.5, 9.5, 12.0, 25.0], 3))
def test_a_proxy_that_closes_the_masters_side_alone_sends_no_arrival_twice(span):
    stage = Moments(rate(RATE, hold=HOLD))
    stage.fleet()
    stage.after(15.3, lambda: stage.net.close(b"w1/1", direct=False))
    stage.after(15.3 + span, lambda: stage.net.open(b"w1/1"))

    report = stage.play()
    assert_once(stage, report)
    assert any(worker.lost for worker in report.workers) is (span > 10.0)


def test_a_worker_that_does_not_come_back_is_taken_for_dead_after_two_beats():
    stage = Moments(rate(RATE, hold=HOLD))
    stage.fleet()
    stage.after(15.3, lambda: stage.net.close(b"w1/1"))
    seen = []
    stage.after(17.2, lambda: seen.append(len(stage.master.state.workers.present)))
    stage.after(17.7, lambda: seen.append(len(stage.master.state.workers.present)))

    report = stage.play()

    ledger = report.ledger["shop"]
    assert seen == [3, 2]
    assert ledger.balanced
    assert ledger.planned == RATE * HOLD
    assert max(Counter(number for _, number, _ in stage.made).values()) == 1
    assert len(stage.made) - 10 <= ledger.done <= len(stage.made)  # no window tells of its last second
    assert ledger.lost <= 3.6 * RATE / 3


def test_without_a_connection_to_its_master_a_worker_sends_nothing():
    stage = Moments(rate(RATE, hold=HOLD), workers=1)
    stage.fleet(1)
    stage.after(15.3, lambda: stage.net.close(b"w0/1"))

    stage.clock.run(lambda: "w0/1" in stage.codes)

    assert stage.starts()[-1] <= 15.3


@pytest.mark.parametrize("seed", some(range(15), 5))
def test_no_storm_of_cuts_and_closed_connections_sends_an_arrival_twice(seed):
    chance = Random(seed)
    stage = Moments(rate(RATE, hold=HOLD), seed=seed, loss=0.1, duplication=0.1, delay=0.3)
    stage.fleet()
    at = 5.0
    while at < HOLD - 10:
        peer = f"w{chance.randrange(3)}/1".encode()
        span = chance.choice([0.2, 1.0, 2.5, 6.0, 11.0])
        match chance.choice(["cut", "mute", "close", "half", "master"]):
            case "close" | "half" as how:
                stage.after(at, lambda peer=peer, direct=how == "close": stage.net.close(peer, direct=direct))
                stage.after(at + span, lambda peer=peer: stage.net.open(peer))
            case "master":
                stage.stop_master(at, span)
            case how:
                cut = getattr(stage.net, how)
                stage.after(at, lambda cut=cut, peer=peer: cut.add(peer))
                stage.after(at + span, lambda cut=cut, peer=peer: cut.discard(peer))
        at += span + chance.uniform(0.1, 4.0)

    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.planned >= RATE * HOLD
    assert max(Counter(number for _, number, _ in stage.made).values()) == 1
    assert all(n <= (at + 0.3) * RATE + 1 for n, at in enumerate(stage.starts()))  # clocks differ by what was held up
