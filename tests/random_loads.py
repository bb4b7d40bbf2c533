"""Random loads of random scenarios in simulated time, changed while they run: the books balance, the figures are true.

As a script, for many seeds: python tests/random_loads.py --seeds 500 [--first 100] [--seconds 300]
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import json
import sys
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from drawn_visits import ACTS, Told
from many_seeds import run_seeds
from simulated_storms import faults_of_greenlets

from chaperon import (
    Environment,
    Scenario,
    Verdict,
    feed,
    iterations,
    pause,
    rate,
    run,
    stages,
    step,
    users,
    users_per_second,
)
from chaperon.execution.running import Running
from chaperon.report.run_file.run_file import read_run
from chaperon.report.run_file.writer import RunFileWriter
from chaperon.testing import ScriptedNetwork, VirtualClock

LONGEST = 10_000.0
"""Seconds of simulated time in which each run has ended."""
LOADS = (
    lambda c: (rate(c.choice([0.5, 7, 40]), ramp=c.choice([0, 3]), hold=c.choice([1, 9.5]), **_more(c)), None),
    lambda c: (rate(20, hold=8, in_flight=c.choice([1, 3, 50])), 160),
    lambda c: (rate(9, hold=10, delay=c.choice([0, 2.5])), 90),
    lambda c: (rate(9, hold=10, warmup=c.choice([0, 3])), 90),
    lambda c: (users(c.choice([1, 9]), ramp=c.choice([0, 4]), hold=c.choice([5, 12]), **_think(c)), None),
    lambda c: (users(12, ramp=c.choice([0, 3])), 12),
    lambda c: (iterations(60, users=c.choice([1, 7])), 60),
    lambda c: (iterations(60, users=7, hold=c.choice([1, 5])), 60),
    lambda c: (iterations(9, users=7, each=True, **_think(c)), 63),
    lambda c: (users_per_second(4, visits=3, hold=8, **_think(c)), 96),
    lambda c: (users_per_second(4, visits=2, hold=8, in_flight=c.choice([2, 9])), 64),
    lambda c: (rate(10, hold=4) >> pause(2) >> users(4, hold=4) >> iterations(30, users=3), None),
    lambda c: (rate(10, hold=4) >> rate(20, ramp=1, hold=3), None),
    lambda c: (users(3, hold=4) >> users(6, ramp=1, hold=3, **_think(c)), None),
    lambda c: (rate(5, hold=6) | users(3, hold=5) | iterations(20, users=2), None),
    lambda c: (stages((2, 5), (3, 5), (1, 0), (2, 8), of=c.choice([rate, users, users_per_second])), None),
)
"""Loads that a chance draws, each with the number of its visits where that is simple."""
LIMITS = (
    "errors(visits) < 10%",
    "errors(visits) < 10% abort after 2s",
    "p95(work) < 500ms",
    "errors(work) < 3",
    "errors < 20% over 3s",
    "errors(visits) < 20% over 2s abort",
    "count(work) > 3",
)


def _more(chance):
    return chance.choice([{}, {"poisson": True}])


def _think(chance):
    return chance.choice([{}, {"think": 0.4}, {"pacing": 1.5}])


class Play:
    """A run whose load, scenario, limits and changes are drawn from a seed."""

    def __init__(self, seed):
        self.seed, chance = seed, Random(seed)
        self.chance, self.clock = chance, VirtualClock()
        self.told = Told(self.clock)
        self.acts = []
        self.entries, self.planned = [], []
        for index in range(chance.choice([1, 1, 1, 2])):
            load, planned = chance.choice(LOADS)(chance)
            self.planned.append(planned)
            self.entries.append(run(self._scenario(f"s{index}"), load))
        self.limits = chance.sample(LIMITS, chance.choice([0, 1, 2]))
        self.options = {
            "limits": self.limits,
            "grace": chance.choice([0.5, 3.0, 10.0]),
            "warmup": chance.choice([0, 0, 2]),
            "late": chance.choice([1.0, 1.0, None]),
            "strict": chance.random() < 0.2,
            "brake": chance.choice([None, 3.0]),
        }
        self.changes, self.changed, self.stopped = [], False, False

    def _scenario(self, name):
        chance = self.chance
        acts = chance.choices(list(ACTS), weights=[w for _, w in ACTS.values()], k=chance.randint(1, 4))
        every = chance.choice([1, 1, 3, 10])
        self.acts.append((name, every, acts))
        rows = feed(range(chance.choice([5, 10_000])), order="unique")
        told = self.told
        more = {
            "on_error": chance.choice(["next-visit", "continue", "stop-session"]),
            "retries": chance.choice([0, 0, 1]),
        }
        more["think"] = chance.choice([None, 0.1])

        @step(**more)
        def work(session):
            told.begun["step work"] += 1
            session.sleep(0.01)  # users whose visits take no time never let simulated time pass
            for index, act in enumerate(acts):
                if session.visit.number % every == index % every:
                    ACTS[act][0](session, told, rows)
                else:
                    with told.block(session, "calm", "http"):
                        session.sleep(0.02)

        return Scenario(work, name=name)

    def play(self, path):
        """Run it, its run file at *path*; return the report. Raises AssertionError without an end."""
        environment = Environment("http://shop", scenarios=self.entries, name="play", seed=self.seed, **self.options)
        writer = RunFileWriter(path)
        self.tapped = Counter()
        network = ScriptedNetwork(self.clock, self._serve)
        self.running = Running(environment.plan(), clock=self.clock, network=network, tap=self._tap)
        self.running.start(run_file=writer)
        for _ in range(self.chance.choice([0, 0, 1, 2, 4])):
            self.clock.after(self.chance.uniform(0.0, 15.0), self._change)
        late = []
        self.clock.after(LONGEST, lambda: late.append(True))
        self.clock.run(lambda: self.running.ended or late)
        assert not late, "the run does not end"
        report = self.running.finish()
        writer.close()
        return report

    def _tap(self, sample):
        self.tapped[sample.key.name] += 1

    def _serve(self, peer):
        """Answer requests for "/SECONDS/STATUS"."""
        while True:
            _, target, *_ = peer.receive().split()
            _, span, status = target.decode().split("/")
            peer.sleep(float(span))
            if status == "0":
                return peer.reset()
            peer.send(f"HTTP/1.1 {status} Said\r\nContent-Length: 2\r\n\r\nok".encode())

    def _change(self):
        chance, running = self.chance, self.running
        if running.ended:
            return
        verb = chance.choice(["scale", "scale", "pause", "stop", "kill", "gap"])
        self.changes.append(f"{self.clock.now() - 1000:.3f} {verb}")
        self.changed = True
        if verb == "scale":
            running.scale(chance.choice([0.3, 0.5, 2.0]))
        elif verb == "pause":
            running.pause()
            self.clock.after(chance.uniform(0.05, 4.0), lambda: running.ended or running.resume())
        elif verb == "gap":
            self.clock._now += chance.choice([0.2, 2.0, 7.0])
        else:
            self.stopped = True
            getattr(running, verb)("enough")


def play(seed):
    """Run one seed and check every law; raise AssertionError, with what was drawn, where one does not hold."""
    drawn = Play(seed)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with faults_of_greenlets() as faults:
                report = drawn.play(Path(folder) / "play.chap")
            faults = [fault for fault in faults if "Broken" not in fault and "away" not in fault]
            assert not faults or drawn.told.astray, faults
            check(drawn, report)
            again = read_run(Path(folder) / "play.chap").report()
            beside(report.to_dict(), again.to_dict())
        except AssertionError as exc:
            loads = [str(entry.load) for entry in drawn.entries]
            raise AssertionError(f"seed {seed}: {exc}\n{loads} {drawn.options} {drawn.acts} {drawn.changes}") from exc
    return report


FATES = ("done", "failed", "interrupted", "no_row", "dropped", "lost")


def check(drawn, report):
    """Check the laws of the books and of the figures."""
    told = f"{dict(report.ledger)}, {report.verdict}, {report.reasons}, {report.warnings}, {dict(report.notes)}"
    for label, counts in report.ledger.items():
        assert counts.balanced, f"it does not balance: {told}"
        assert counts.planned == sum(getattr(counts, fate) for fate in FATES), told
        assert counts.lost == 0, f"lost: {told}"
        wanted = drawn.planned[[entry.label for entry in drawn.entries].index(label)]
        if wanted is not None and not drawn.changed and drawn.running.ending is None:
            assert counts.planned == wanted, f"{wanted} wanted: {told}"
    for fault in ("Chaperon", "in no window", "counted", "though the load makes", "windows have"):
        assert not [reason for reason in report.reasons if fault in reason], f"fault: {told}"
    _check_samples(drawn, report, told)
    for row in report.rows:
        _check_row(row, report)
    for result, text in zip(report.limits, drawn.limits, strict=True):
        if text == "errors(work) < 3":
            work = [row for row in report.rows if row.name == "work"]
            assert result.held == (bool(work) and sum(row.errors for row in work) < 3), (result, work, told)
        if text == "count(work) > 3":
            work = [row for row in report.rows if row.name == "work"]
            assert result.held == (sum(row.count for row in work) > 3), (result, work, told)
        assert result.held or report.verdict is not Verdict.PASS, (result, told)
    assert sum(second.counts.planned for second in report.seconds) == report.visits.planned, told
    asked = sum(series.count for key, series in report.series.items() if key.is_request)
    assert sum(second.requests for second in report.seconds) == asked, told
    visits = report.visits
    failed, ended = visits.failed, visits.done + visits.failed
    warm = drawn.options["warmup"] or any("warmup" in str(entry.load) for entry in drawn.entries)
    for limit in ("errors(visits) < 10%", "errors(visits) < 10% abort after 2s"):
        if limit in drawn.limits and not warm and failed > 0.1 * (ended + visits.interrupted):
            assert report.verdict is not Verdict.PASS, f"verdict: {told}"
    assert not [
        r for r in report.reasons if r.startswith("stopped in") and "was no data" in r and drawn.options["warmup"]
    ] or (report.duration > 4), told
    if drawn.stopped:
        assert report.verdict is not Verdict.PASS or not drawn.changes, told


def _check_samples(drawn, report, told):
    """Check that each block, step and visit of the scenario's own account is one sample."""
    account = drawn.told
    counted = Counter()
    for key, series in report.series.items():
        counted[key.name] += series.count
    visits = report.visits
    begun = visits.done + visits.failed + visits.interrupted
    assert visits.done + visits.failed <= counted["visit"] <= begun, (counted["visit"], "visits", told)
    if account.astray:
        return
    for name, count in account.begun.items():
        count -= visits.no_row if name == "step work" else 0  # what found no row has no duration
        assert counted[name] == count, (name, counted[name], count, account.good[name], account.bad[name], told)
    for name, count in account.values.items():
        if name != "swallowed":
            assert counted[name] == count, (name, counted[name], count, told)
    for name, count in drawn.tapped.items():
        assert counted[name] == count or name == "visit", (name, counted[name], count, "tapped", told)
    errors = Counter()
    for error in report.errors:
        errors[error.series] += error.count
    bad = Counter()
    for key, series in report.series.items():
        bad[key.name] += series.errors
    checks = bad["check no price"]
    assert account.bad["asked"] <= bad["asked"] <= account.bad["asked"] + account.refused, ("asked", told)
    assert bad["asked"] + checks >= account.bad["asked"] + account.refused, ("refused", bad, account.refused, told)
    assert checks <= account.late, (checks, account.late, told)
    for name in ("work", "calm", "asked"):
        assert errors[name] == bad[name], (name, errors[name], bad[name], told)
    for name in ("work", "calm", "call outer"):
        own = account.taken.get(name, [])
        whole = [series.good for key, series in report.series.items() if key.name == name and series.good]
        if own:
            assert min(each.low for each in whole) == pytest.approx(min(own)), (name, told)
            assert max(each.high for each in whole) == pytest.approx(max(own)), (name, told)
            assert sum(each.mean * each.count for each in whole) == pytest.approx(sum(own)), (name, told)
        good = sum(series.good.count for key, series in report.series.items() if key.name == name)
        assert good == account.good[name], (name, good, account.good[name], told)


def _check_row(row, report):
    """Check that the figures of a row fit each other."""
    shown = [row.bounds(p) for p in (50, 90, 95, 99, 99.9)]
    values = [each.lower for each in shown if each is not None]
    assert all(b > a - 1e-9 for a, b in pairwise(values)), (row, values)
    assert row.count == row.good.count + row.bad.count + row.censored, row
    if row.good and not row.censored:
        for value in values:
            assert row.min - 1e-9 <= value <= row.max + 1e-9, (row, values, row.min, row.max)
    if row.good:
        assert row.min - 1e-9 <= row.mean <= row.max + 1e-9, (row, row.mean)
    for _, at in row.slowest:
        assert at <= report.began + report.duration + 1e-3, (row, at, report.duration)
    for second in report.seconds:
        assert second.at <= report.duration + 1, (second, report.duration)


def beside(ours, theirs, place=""):
    """Check that the report made of the run file has every figure of the run's own."""
    ours, theirs = json.loads(json.dumps(ours)), json.loads(json.dumps(theirs))
    assert ours == theirs, "\n".join(_differences(ours, theirs))[:1500]


def _differences(a, b, place=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from _differences(a.get(key), b.get(key), f"{place}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, pair in enumerate(zip(a, b, strict=True)):
            yield from _differences(*pair, f"{place}[{index}]")
    elif a != b:
        yield f"{place}: {a!r:.200} in the run, {b!r:.200} in its file"


if __name__ == "__main__":
    sys.exit(run_seeds(play, "runs"))
