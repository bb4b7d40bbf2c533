"""Reading a run file: its runs, their reports, their seconds as columns."""

from __future__ import annotations

import math
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from chaperon.errors import LimitError, NoRunFile, RunFileError, UsageError
from chaperon.gc_tuning import reduced_gc
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.quantity import count_text
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import Window
from chaperon.report.collector import Collector, Listener
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.limits import Limit
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.closed_second import ClosedSecond, closed_second
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.report import Report
from chaperon.report.run_file.columns import Columns, SecondColumns
from chaperon.report.run_file.frames import FrameReader
from chaperon.report.run_file.records import MergedRecord, Record, RunFooter, RunHeader, WindowRecord, decode, facts_of
from chaperon.report.run_file.replay import Replay, Stretch, decoded
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.report.verdict import RunInfo

UNFINISHED = "the run is unfinished: its file ends in second {second}, without the end of the run"


@lazy_dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run of a run file: *header* and *footer* are its first and last record, *footer* None if it is unfinished.

    *seconds* is the number of seconds there are windows of, *checksum* the CRC-32 of all its records, which a
    copy has, too.
    """

    path: Path
    header: RunHeader
    footer: RunFooter | None
    start: int
    end: int
    seconds: int
    checksum: int = 0

    def __repr__(self) -> str:
        return f"<RecordedRun {self.header.environment} of {self.header.started}, {self.duration:.0f} s>"

    @property
    def finished(self) -> bool:
        """Whether the file has the end of the run."""
        return self.footer is not None

    @property
    def duration(self) -> float:
        """The length of the run in seconds: up to its last complete second if it is unfinished."""
        return float(self.seconds) if self.footer is None else self.footer.duration

    @property
    def limits(self) -> tuple[str, ...]:
        """The limits of the run, as written."""
        return self.header.limits

    def report(
        self,
        *,
        from_: float = 0.0,
        to: float | None = None,
        phase: str | None = None,
        limits: Sequence[str] | None = None,
        strict: bool = False,
        on_second: Callable[[ClosedSecond, bool], None] | None = None,
    ) -> Report:
        """Return the report of the run, or of the stretch from second *from_* up to second *to*, or of one *phase*.

        For the whole run with its own limits it equals the report the run ended with. *limits*
        are judged in place of the run's own. With *strict*, or where the run had it, errors that no
        limit covers are a FAIL. *on_second* is called with each second and whether
        it holds only what came late for it, as live outputs get them. Blocks while it reads the
        file. Raises RunFileError, LimitError, and UsageError for a stretch with no second of the
        run in it.
        """
        stretch = self._stretch(from_, to, phase)
        length = self.duration if stretch.whole else min(stretch.end, self.duration) - stretch.start
        header = self.header
        info = RunInfo(header.environment, header.seed, header.started, length, header.began)
        # a window is thousands of small objects, none of them garbage in a cycle
        with self._new_monitor(limits, strict=strict) as monitor, reduced_gc():
            if on_second is not None:
                monitor.collector.listeners.append(self._second_listener(monitor, on_second))
            self._replay(monitor, stretch, kept=limits is None)
            if not self.finished:
                monitor.set_aborted(UNFINISHED.format(second=self.seconds))
            return monitor.report(info, finished=self.finished)

    @property
    def planned(self) -> PlannedRun:
        """What outputs know of the run before its first second."""
        header = self.header
        labels = tuple(label for label, _ in header.loads)
        load = " + ".join(load for _, load in header.loads)
        return PlannedRun(
            header.environment,
            header.seed,
            load,
            labels,
            header.limits,
            target=header.target,
            facts=lambda: facts_of(header, self.path.name, self._sha256()),
        )

    def _sha256(self) -> str:
        with self.path.open("rb") as file:
            found = sha256()
            while part := file.read(1 << 20):
                found.update(part)
        return found.hexdigest()

    def series(self, name: str, scenario: str | None = None) -> SecondColumns:
        """Return a series by name, second by second, warm-up included. Raises KeyError if there is none."""
        return self._columns().series(name, scenario)

    def per_second(self) -> dict[str, list[float | int | None]]:
        """Return the requests of all series, second by second, as `SecondColumns.per_second` does."""
        return self._columns().all_requests.per_second()

    def _columns(self) -> Columns:
        columns = Columns()
        with self._new_monitor(()) as monitor:
            monitor.collector.listeners.append(columns.add_second)
            self._replay(monitor, Stretch(), kept=False)
            monitor.collector.close()
        return columns

    @contextmanager
    def _new_monitor(self, limits: Sequence[str] | None, *, strict: bool = False) -> Iterator[RunMonitor]:
        """Give a monitor to apply the records to. Its cycle of references is broken afterwards.

        Otherwise its memory, which is that of all seconds, would wait for a full garbage collection, and
        `reduced_gc` puts that off with each report.
        """
        monitor = self._monitor(limits, strict=strict)
        try:
            yield monitor
        finally:
            monitor.collector.listeners.clear()

    def _monitor(self, limits: Sequence[str] | None, *, strict: bool = False) -> RunMonitor:
        texts = self.header.limits if limits is None else limits
        try:
            alone = self.header.independent
            parsed: list[Limit] = [replace(parse(text), abort=False, independent=alone) for text in texts]
            rules = ValidityRules(**self.header.rules)
        except (LimitError, TypeError) as exc:
            if limits is not None:
                raise
            raise RunFileError(f"{self.path} has a header that is not valid: {exc}") from exc
        return RunMonitor(Collector(()), parsed, brake=None, rules=rules, strict=strict or self.header.strict)

    def _second_listener(self, monitor: RunMonitor, on_second: Callable[[ClosedSecond, bool], None]) -> Listener:
        began, newest = self.header.time, -1

        def listen(second: int, series: Mapping[Key, Sequence[Series]], windows: Sequence[Window]) -> None:
            nonlocal newest
            late, newest = second <= newest, max(second, newest)
            in_flight = monitor.collector.in_flight
            on_second(
                closed_second(second, series, windows, time=began + second, in_flight=in_flight, redact=str), late
            )

        return listen

    def _replay(self, monitor: RunMonitor, stretch: Stretch, *, kept: bool) -> None:
        replay = Replay(monitor, self.header.began, stretch, kept)
        for record in self.records():
            replay.apply(record)

    def _stretch(self, start: float, end: float | None, phase: str | None) -> Stretch:
        until = math.inf if end is None else end
        if start < 0 or until <= start or start >= max(self.duration, 1.0):
            shown = "its end" if end is None else f"{end:g} s"
            raise UsageError(f"no second of the run is from {start:g} s to {shown}: it took {self.duration:.1f} s")
        if phase is None:
            return Stretch(start, until)
        found: dict[str, set[tuple[str, int]]] = {}
        for record in self.records():
            if isinstance(record, (WindowRecord, MergedRecord)):
                window = decoded(record.body, record.worker, self.header.began)
                for (label, name), span in window.phases.items():
                    if span > 0:
                        found.setdefault(name, set()).add((label, window.at))
        if phase not in found:
            raise UsageError(f"the run has no phase {phase!r}: it has {', '.join(sorted(found)) or 'none'}")
        return Stretch(start, until, phase, frozenset(found[phase]))

    def records(self) -> Iterator[Record]:
        """Yield every record between header and footer, in order. Blocks while it reads; raises RunFileError."""
        with self.path.open("rb") as file:
            frames = FrameReader(file, start=self.start)
            for kind, payload in frames:
                if frames.good > self.end:
                    return
                yield decode(kind, payload)


def read_run(path: str | Path) -> RunFile:
    """Return the run file at *path*. Blocks while every frame is checked once.

    A file that ends in the middle of a frame, as that of a killed process does, is read up to
    there. Raises RunFileError if it cannot be read, is no run file, or is of another version.
    """
    place = Path(path)
    try:
        kind = place.stat().st_mode
        if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            raise RunFileError("it is a pipe or a socket, and a run file is read more than once: write it to a file")
        with place.open("rb") as file:
            start = file.read(MAGIC)
            runs = list(_runs(place, FrameReader(file)))
    except OSError as exc:
        raise RunFileError(f"cannot read {place}: {exc.strerror or exc}") from exc
    except RunFileError as exc:
        raise RunFileError(f"cannot read {place}: {exc}") from exc
    if not runs:
        raise NoRunFile(f"{place} is not a run file: {_what_it_is(start)}")
    return RunFile(place, runs)


COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""Formats by what their files begin with."""
MAGIC = max(map(len, COMPRESSED))


def _what_it_is(start: bytes) -> str:
    """Return why a file that begins with *start* is no run file."""
    if not start:
        return "it is empty, as that of a run is before its load begins"
    for magic, name in COMPRESSED.items():
        if start.startswith(magic):
            return f"it is compressed with {name}; unpack it first"
    return "write one with --run-file"


def _runs(path: Path, frames: FrameReader) -> Iterator[RecordedRun]:
    """Yield the runs of a file, each with the place of its records."""
    header: RunHeader | None = None
    footer: RunFooter | None = None
    start = end = last = checksum = number = 0
    for kind, payload in frames:
        record = decode(kind, payload)
        if isinstance(record, RunHeader):
            if header is not None:
                yield RecordedRun(path, header, footer, start, end, last, checksum)
            number += 1
            if record.number != number:
                raise RunFileError(f"its run {number} was written as run {record.number}: is it several files in one?")
            header, footer, start, end, last, checksum = record, None, frames.good, frames.good, 0, 0
        elif header is None:
            raise RunFileError("it is not a run file: it does not begin with a header")
        elif isinstance(record, RunFooter):
            footer = record
        else:
            end = frames.good
            if isinstance(record, WindowRecord):
                last = max(last, record.at + 1)
            elif isinstance(record, MergedRecord):
                last = max(last, *(at + 1 for _, at, _ in record.parts))
        checksum = zlib.crc32(payload, checksum)
    if header is not None:
        yield RecordedRun(path, header, footer, start, end, last, checksum)


class RunFile:
    """A run file that was read: one run, or the runs of one search for a capacity.

    `report`, `series` and `per_second` are of the last run of a search that held its limits, or of
    the run number *probe*, counted from 1.
    """

    def __init__(self, path: Path, runs: Sequence[RecordedRun]) -> None:
        self.path = path
        self.runs = tuple(runs)

    def __repr__(self) -> str:
        return f"<RunFile {self.path}: {count_text(len(self.runs), 'run')}>"

    def run(self, probe: int | None = None) -> RecordedRun:
        """Return one run: number *probe*, by default the last one that held its limits. Raises UsageError."""
        if probe is not None:
            if not 1 <= probe <= len(self.runs):
                raise UsageError(f"{self.path} has no run {probe}: it has {len(self.runs)}")
            return self.runs[probe - 1]
        held = [run for run in self.runs if run.footer is not None and run.footer.verdict == "PASS"]
        return (held or list(self.runs))[-1]

    def report(
        self,
        *,
        from_: float = 0.0,
        to: float | None = None,
        phase: str | None = None,
        limits: Sequence[str] | None = None,
        strict: bool = False,
        probe: int | None = None,
    ) -> Report:
        """Return the report of one run; see `RecordedRun.report`. Raises RunFileError, LimitError and UsageError."""
        return self.run(probe).report(from_=from_, to=to, phase=phase, limits=limits, strict=strict)

    def series(self, name: str, scenario: str | None = None, *, probe: int | None = None) -> SecondColumns:
        """Return a series by name, second by second. Raises KeyError if there is none of that name."""
        return self.run(probe).series(name, scenario)

    def per_second(self, *, probe: int | None = None) -> Mapping[str, list[float | int | None]]:
        """Return the requests of all series, second by second."""
        return self.run(probe).per_second()
