"""What a run file costs: writing the windows of fifty series, making the report of an hour of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import process_time

from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.report.run_file.records import RunFooter, RunHeader
from chaperon.report.run_file.run_file import read_run
from chaperon.report.run_file.writer import RunFileWriter

SERIES, BEGAN = 50, 1_000.0
WRITTEN, RATE_WRITTEN = 60, 200
"""Seconds of the run whose writing is measured; samples a second of each series."""
HOUR, RATE_READ = 3_600, 20


def run_files() -> str:
    """Measure in processes of their own; return the figures as two lines. Blocks for about three minutes."""
    with TemporaryDirectory(prefix="chaperon-run-file-") as name:
        file = Path(name, "run.chap")
        share, _ = _in_own_process("write", file, WRITTEN, RATE_WRITTEN)
        _in_own_process("write", file, HOUR, RATE_READ)
        size = file.stat().st_size
        seconds, memory = _in_own_process("read", file)
    return (
        f"run file: writing {SERIES} series of {RATE_WRITTEN}/s takes {share:.2%} of a core\n"
        f"run file: the report of an hour of {SERIES} series of {RATE_READ}/s ({size / 1e6:.0f} MB) takes "
        f"{seconds:.1f} s of CPU and {memory / 1e6:.0f} MB"
    )


def _in_own_process(what: str, file: Path, *numbers: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.run_files", what, str(file), *map(str, numbers)]
    first, second = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return first, second


def written(file: Path, seconds: int, rate: int) -> float:
    """Write a run of lognormal latencies; return the share of a core that the writing itself took."""
    writer, recorder, chance = RunFileWriter(file), Recorder("local", began=BEGAN), Random(1)
    writer.begin(RunHeader("chaperon-run/1", "2026-01-01T00:00:00Z", BEGAN, BEGAN, "shop", 1, (), (), {}, None), str)
    keys = [Key("shop", f"GET /{number}") for number in range(SERIES)]
    spent = 0.0
    for second in range(seconds):
        for key in keys:
            for number in range(rate):
                at = BEGAN + second + number / rate
                recorder.record(Sample(key, at, at + chance.lognormvariate(-3, 0.5)))
        recorder.count_visit("shop", BEGAN + second, "done")
        window = recorder.cut()
        before = process_time()
        writer.record_window(window)
        spent += process_time() - before
    writer.finish(RunFooter(float(seconds), "PASS"))
    writer.close()
    return spent / seconds


def read(file: Path) -> tuple[float, int]:
    """Make the report of a run file; return CPU seconds and bytes of memory at most, both of the whole process."""
    read_run(file).report()
    return process_time(), getrusage(RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    task, path, *rest = sys.argv[1:]
    print(json.dumps((written(Path(path), *map(int, rest)), 0) if task == "write" else read(Path(path))))
