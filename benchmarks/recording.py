"""What it costs to record one sample: time by `Meter.record`, memory that stays."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from chaperon.clock import HubClock
from chaperon.cluster.journal.journal import Journal
from chaperon.cluster.journal.journal_file import JournalHeader
from chaperon.cluster.journal.private_dir import PrivateDir
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder

SAMPLES = 100_000
NAMES = ("GET /", "POST /login", "GET /products", "step look_around", "visit")


def recording(rounds: int = 7) -> str:
    """Measure and return the figures as a line.

    The samples are lognormal and come under five names in turn; what it takes to add them
    to their sketches and to cut a window is in it, the loop around is not.
    """
    chance = Random(7)
    samples = [(NAMES[i % len(NAMES)], chance.lognormvariate(-5, 0.7)) for i in range(SAMPLES)]
    cost = median(_seconds(samples) for _ in range(rounds)) / SAMPLES
    with PrivateDir() as private_dir:
        journaled = median(_seconds(samples, private_dir.folder / str(n)) for n in range(rounds)) / SAMPLES
    peak, kept = _memory(samples)
    return (
        f"recording: {cost * 1e6:.2f} µs a sample, {journaled * 1e6:.2f} µs with a journal; "
        f"of {SAMPLES:,} samples in one window {kept / SAMPLES:.1f} B each stay, {peak / 1e6:.2f} MB at most"
    )


def _meter(folder: Path | None = None) -> Meter:
    journal = None if folder is None else Journal(folder, JournalHeader("local", 1, 1, began=0.0))
    return Meter(Recorder("local", began=0.0, journal=journal), HubClock(), "shop")


def _seconds(samples: list[tuple[str, float]], folder: Path | None = None) -> float:
    meter = _meter(folder)
    take = meter.record
    start = perf_counter()
    for name, end in samples:
        take(name, "http", 0.0, end, None, 100)
    meter.recorder.cut()
    middle = perf_counter()
    for _name, _end in samples:
        pass
    return middle - start - (perf_counter() - middle)


def _memory(samples: list[tuple[str, float]]) -> tuple[int, int]:
    meter = _meter()
    tracemalloc.start()
    try:
        for name, end in samples:
            meter.record(name, "http", 0.0, end, None, 100)
        _, peak = tracemalloc.get_traced_memory()
        window = meter.recorder.cut()
        kept, _ = tracemalloc.get_traced_memory()
        assert sum(series.count for series in window.series.values()) == len(samples)
    finally:
        tracemalloc.stop()
    return peak, kept
