"""A child of the benchmarks is measured while it sends, or not at all."""

import os
import subprocess
import sys

import pytest

from benchmarks.measured_child import SentNothing, measure_child

pytestmark = pytest.mark.processes


def test_a_child_that_ends_before_its_measurement_gives_no_figure():
    counts = iter([0, 1, 1])

    def counted() -> int:
        count = next(counts)
        if count:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        return count

    with pytest.raises(SentNothing, match="ended before its measurement did"):
        measure_child(
            [sys.executable, "-c", ""],
            min(os.sched_getaffinity(0)),
            out=subprocess.DEVNULL,
            err=subprocess.DEVNULL,
            counted=counted,
            warm=0,
            seconds=0,
        )
