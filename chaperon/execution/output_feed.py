"""OutputFeed: hands the seconds and the report of a run to its outputs, each of which may fail alone."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import gevent
from gevent.event import Event

from chaperon.errors import OutputError
from chaperon.interrupts import is_raised
from chaperon.load.background import Watched, spawn_watched
from chaperon.measure.exception_text import describe
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import Window
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.output import Output, PlannedRun, is_live, with_exchange_folder

if TYPE_CHECKING:
    from chaperon.report.outputs.closed_second import ClosedSecond
    from chaperon.report.report import Report

QUEUED = 30
"""Seconds of the run kept for an output that is behind."""
FLUSH = 5.0
"""Seconds that all live outputs together have at the end for what is still queued."""
FINISH = 30.0
"""Seconds an output may block while it writes the report."""


class OutputFailure(NamedTuple):
    """An output that could not be written, by its name, with what it raised."""

    output: str
    error: BaseException

    @property
    def text(self) -> str:
        """What happened, in a sentence."""
        return failure_text(self.output, self.error)


class OutputFeed:
    """The outputs of one run. Live ones get every closed second of the collector, in order."""

    def __init__(self, outputs: Sequence[Output], monitor: RunMonitor) -> None:
        self.failures: list[OutputFailure] = []
        self._outputs = list(outputs)
        self._monitor = monitor
        self._live: list[_LiveOutput] = []
        self._began = 0.0
        self._last = -1

    def __repr__(self) -> str:
        return f"<OutputFeed to {', '.join(output.name for output in self._outputs) or 'nothing'}>"

    def start(self, plan: PlannedRun) -> None:
        """Start every output. Raises OutputError as one of them does; any other error loses that output alone."""
        plan = with_exchange_folder(plan, self._outputs)
        for output in list(self._outputs):
            try:
                output.start(plan)
            except OutputError:
                raise
            except BaseException as exc:
                if not is_raised(exc):
                    raise
                self._outputs.remove(output)
                self.failures.append(OutputFailure(output.name, exc))

    def begin(self, began: float) -> None:
        """Hand out seconds from now on; *began* is the start of the run on the wall clock, in seconds since 1970."""
        self._began = began
        for output in self._outputs:
            if is_live(output):
                self._attach(output)

    def add(self, output: Output, plan: PlannedRun) -> None:
        """Start one more output and hand out seconds to it from now on. Raises what its `start` raises."""
        output.start(plan)
        self._outputs.append(output)
        if is_live(output):
            self._attach(output)

    def flush(self) -> None:
        """Wait until live outputs have what is queued, at most `FLUSH` seconds, and note what they lost."""
        if not self._live:  # no switch to the hub: a visit that never switches might run on
            return
        gevent.joinall([live.close() for live in self._live], timeout=FLUSH)
        for live in self._live:
            live.stop()
        self._live = []

    def finish(self, report: Report) -> None:
        """Let every output write the report, in their order; *failures* has those that could not."""
        for output in self._outputs:
            try:
                with gevent.Timeout(FINISH, TimeoutError(f"it took longer than {FINISH:g} s")):
                    output.finish(report)
            except BaseException as exc:
                if not is_raised(exc):
                    raise
                self.failures.append(OutputFailure(output.name, exc))

    def _attach(self, output: Output) -> None:
        from chaperon.report.outputs.closed_second import closed_second  # late: only live outputs need it

        self._closed_second = closed_second
        self._live.append(_LiveOutput(output, self._monitor))
        if self._on_second not in self._monitor.collector.listeners:
            self._monitor.collector.listeners.append(self._on_second)

    def _on_second(self, second: int, by_key: Mapping[Key, Sequence[Series]], windows: Sequence[Window]) -> None:
        closed = self._closed_second(
            second,
            by_key,
            windows,
            time=self._began + second,
            in_flight=self._monitor.collector.in_flight,
            redact=self._monitor.redact,
        )
        late, self._last = second <= self._last, max(second, self._last)
        for live in self._live:
            live.put(closed, late=late)


class _LiveOutput:
    """A live output with its queue and its greenlet."""

    def __init__(self, output: Output, monitor: RunMonitor) -> None:
        self._output = output
        self._monitor = monitor
        self._queue: deque[tuple[ClosedSecond, bool]] = deque()
        self._more = Event()
        self._closing = False
        self._lost = 0
        self._greenlet: Watched = spawn_watched(
            f"the feed of {output.name}", self._work, on_fault=monitor.add_fault, ends=True
        )

    def __repr__(self) -> str:
        return f"<_LiveOutput {self._output.name}: {len(self._queue)} queued, {self._lost} lost>"

    def put(self, second: ClosedSecond, *, late: bool) -> None:
        """Queue a second; leave the oldest out where too many wait."""
        if len(self._queue) >= QUEUED:
            self._queue.popleft()
            self._lose("it is too slow")
        self._queue.append((second, late))
        self._more.set()

    def close(self) -> Watched:
        """Let the greenlet end when everything queued has been written; return it at once."""
        self._closing = True
        self._more.set()
        return self._greenlet

    def stop(self) -> None:
        """End the greenlet, and note how many seconds were lost."""
        busy = not self._greenlet.ready()
        self._greenlet.kill()
        for _ in range(len(self._queue) + busy):
            self._lose(f"the run ended and it was not done within {FLUSH:g} s")
        self._queue.clear()
        if self._lost:
            self._monitor.collector.count_note(f"seconds not written: {self._output.name}", self._lost)

    def _work(self) -> None:
        while True:
            while self._queue:
                second, late = self._queue.popleft()
                try:
                    (self._output.late if late else self._output.second)(second)
                except BaseException as exc:
                    if not is_raised(exc):
                        raise
                    self._lose(describe(exc))
            if self._closing:
                return
            self._more.clear()
            self._more.wait()

    def _lose(self, why: str) -> None:
        self._lost += 1
        if self._lost == 1:
            _say(f"the output {self._output.name} loses seconds of the run: {why}; the report says how many")


def failure_text(name: str, error: BaseException) -> str:
    """Return in a sentence why the output *name* could not be written."""
    if isinstance(error, OutputError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot write {name}: {error.strerror}"
    return f"cannot write {name}: {describe(error)}"


def _say(text: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # standard error may be closed; the notes have it too
            sys.stderr.write(f"chaperon: {text}\n")
            sys.stderr.flush()
