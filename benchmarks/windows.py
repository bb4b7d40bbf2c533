"""What the windows of a second cost a master: decoding, adding, merging, without a socket."""

from __future__ import annotations

import gc
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.fleet_players import bodies
from chaperon.gc_tuning import reduced_gc
from chaperon.measure.encoding.window_codec import unpack_window
from chaperon.report.collector import Collector

SIZES = ((100, 100), (1000, 10), (4000, 10))
"""Numbers of workers, with the series in each window."""
SECONDS = 7


def windows() -> str:
    """Return a table: milliseconds of CPU for all windows of one second, the median of a few seconds.

    The first second is cheaper than those that follow, since nothing is in memory yet.
    """
    lines = ["| workers × series | decode | add | merge | of a core | resident |", "|---|---|---|---|---|---|"]
    for workers, series in SIZES:
        decode, add, merge = (1000 * median(each) for each in zip(*_seconds(workers, series), strict=True))
        core = (decode + add + merge) / 1000
        spans = f"{decode:.0f} ms | {add:.0f} ms | {merge:.0f} ms"
        lines.append(f"| {workers:,} × {series} | {spans} | {core:.2f} | {_resident():.0f} MB |")
    return "\n".join(lines)


def _seconds(workers: int, series: int) -> list[tuple[float, float, float]]:
    """Return what the windows of each second cost: decoding, adding, merging, in seconds of CPU."""
    packed, collector, found = bodies(series, 40, SECONDS), Collector(), []
    gc.collect()
    with reduced_gc():  # as a master does
        for body in packed:
            decode = add = 0.0
            for worker in range(workers):
                start = process_time()
                window = unpack_window(body, f"worker-{worker}", began=0.0)
                decoded = process_time()
                collector.add(window)
                decode, add = decode + decoded - start, add + process_time() - decoded
            start = process_time()
            collector.close()
            found.append((decode, add, process_time() - start))
    return found


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
