"""The wall clock is for labels alone: one that jumps, or hosts whose clocks differ, change no figure of a run."""

import csv
import json
from itertools import count

import pytest
from test_fleet import Ground

from chaperon import rate
from chaperon.execution import load_builder
from chaperon.execution import run as run_module
from chaperon.report.outputs.csv import CsvOutput
from chaperon.report.outputs.json import JsonOutput
from chaperon.report.run_file.run_file import read_run

HOUR = 3_600.0


class HostClock:
    """The simulated clock as a host reads it whose own clock is *ahead*, in seconds."""

    def __init__(self, clock, ahead):
        self._clock = clock
        self._ahead = ahead

    def now(self):
        return self._clock.now() + self._ahead

    def sleep(self, seconds):
        self._clock.sleep(self._resolved(seconds))

    def after(self, seconds, deed):
        return self._clock.after(self._resolved(seconds), deed)

    def _resolved(self, seconds):
        """Return a span that the simulated clock can wait: the numbers of a clock behind it are finer."""
        return max(seconds, 1e-9) if seconds > 0 else seconds


class Hosts(Ground):
    """Workers on hosts whose monotonic clocks differ."""

    def __init__(self, load, ahead, **given):
        super().__init__(load, **given)
        self._ahead = ahead

    def worker(self, name, **given):
        clock = self.clock
        self.clock = HostClock(clock, self._ahead[name])
        try:
            return super().worker(name, **given)
        finally:
            self.clock = clock


def performed(folder, *, ahead=(0.0, 0.0)):
    """Return JSON, rows of the CSV by second, and run file of one run of two workers."""
    folder.mkdir()
    stage = Hosts(rate(20, hold=6), {"w0": ahead[0], "w1": ahead[1]})
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2, outputs=[JsonOutput(folder / "out.json"), CsvOutput(folder)], run_file=folder / "run.chap")
    report = stage.play()
    stage.master.finish()
    figures = json.loads((folder / "out.json").read_text())
    with (folder / "seconds.csv").open() as file:
        rows = list(csv.DictReader(file))
    return report, figures, rows, read_run(folder / "run.chap")


def counted(figures):
    """Return the figures of a JSON by second, without what the generator says of itself."""
    return [{**second, "generator": None} for second in figures["seconds"]]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_wall_clock_that_jumps_changes_no_figure(tmp_path, monkeypatch, jump):
    _, steady, rows, _ = performed(tmp_path / "steady")
    readings = count()
    for module in (run_module, load_builder):
        monkeypatch.setattr(module, "epoch", lambda: 1.7e9 + jump * next(readings))
    monkeypatch.setattr("time.time", lambda: 1.7e9 + jump * next(readings))

    report, jumping, jumped, file = performed(tmp_path / "jumping")

    assert report.verdict.value == "PASS"
    for name in ("series", "ledger"):
        assert jumping[name] == steady[name]
    assert counted(jumping) == counted(steady)
    assert [{**row, "time": ""} for row in jumped] == [{**row, "time": ""} for row in rows]
    assert jumped
    assert file.report().duration == report.duration


@pytest.mark.parametrize("ahead", [(7 * HOUR, -900.0), (-990.0, 1e7)], ids=str)
def test_hosts_whose_clocks_differ_by_hours_make_one_run(tmp_path, ahead):
    _, alike, *_ = performed(tmp_path / "alike")

    report, apart, _, file = performed(tmp_path / "apart", ahead=ahead)

    assert report.verdict.value == "PASS"
    assert apart["ledger"] == alike["ledger"]
    assert counted(apart) == counted(alike)
    assert file.report().verdict is report.verdict
