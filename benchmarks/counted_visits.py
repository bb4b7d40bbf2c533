"""The process whose instructions are counted: it makes visits under callgrind, and counts those of the middle."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()  # as `chaperon` does, before anything else

import ctypes  # noqa: E402 - see above
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from itertools import count  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from chaperon import Environment, Scenario, iterations, run  # noqa: E402
from chaperon.clock import HubClock, Timer  # noqa: E402
from chaperon.execution.running import Running  # noqa: E402

WARM = 1_536
"""Units before the counting begins: connections are open, templates made, bytecode specialized, batches merged."""
UNITS = 1_024
"""Units that are counted: whole batches of the recorder."""
AFTER = 50
"""Units that follow, so that the last one counted is no different from the others."""
TOTAL = WARM + UNITS + AFTER

READING = 1e-5
"""Seconds that pass from one reading of the clock to the next."""


class CountedClock:
    """A clock of readings: what is done does not depend on how long anything takes, under valgrind or beside others.

    Nothing wakes who sleeps: what runs by the second is not counted, nor is what looks at the hub.
    """

    def __init__(self) -> None:
        self.now: Callable[[], float] = count(0.0, READING).__next__

    def sleep(self, seconds: float) -> None:
        """Let others run; a positive span does not end."""
        if seconds > 0.0:
            Event().wait()
        gevent.sleep(0)

    def after(self, seconds: float, deed: Callable[[], object]) -> Timer:
        """Call *deed* in the hub after *seconds* of real time."""
        return HubClock().after(seconds, deed)


def main(library: str, cases: str) -> None:
    """Run each of *cases*: a JSON list of name, URL, scenario source and number of visits."""
    marks = ctypes.CDLL(library)
    for name, url, source, visits in json.loads(cases):
        _run(marks, name, url, source, visits)


def _run(marks: ctypes.CDLL, name: str, url: str, source: str, visits: int) -> None:
    calls = count()

    def mark() -> None:
        n = next(calls)
        if n == WARM:
            marks.begin_counting()
        elif n == WARM + UNITS:
            marks.end_counting(name.encode())

    found: dict[str, Any] = {"mark": mark}
    exec(compile(source, f"{name}.py", "exec"), found)  # a scenario file, as `chaperon local` reads one
    entry = run(Scenario(found["send"], init=found.get("init"), name=name), iterations(visits))
    with Running(Environment(url, scenarios=[entry], verify=False).plan(), clock=CountedClock()).start() as running:
        running.wait()
    report = running.finish()
    if any(row.errors for row in report.rows):
        raise SystemExit(f"{name}: {report.errors}")
    print(f"{name}: {next(calls)} units", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
