"""Recorder: collects all samples of a worker and cuts them into windows, one per second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from chaperon.author_frames import raised_at
from chaperon.measure.caps import OTHER, Caps
from chaperon.measure.exception_text import class_name, describe, with_place
from chaperon.measure.exchange import ExchangeLog
from chaperon.measure.hub_lag import HubLag
from chaperon.measure.plain_text import NAME, WORDS, encodable
from chaperon.measure.sample import (
    NOTHING_RESERVED,
    WARM_UP,
    Failure,
    Key,
    OpenSeries,
    Reserved,
    ResponseCounts,
    Row,
    Sample,
    SessionActivity,
)
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, ErrorKey, JournalWriter, RunEvent, VisitCounts, VisitOutcome, Window

HAPPENINGS: Final = 100
"""Maximum number of events per window."""
EXCEPTIONS = 100
"""Maximum number of exceptions of the author's rules whose text is kept for notes."""
BATCH: Final = 256
"""Number of samples of one key that are merged into its series at once."""
NEWEST: Final = 1_000
"""Number of the newest requests of one key that stay unmerged until the cut, so that `amend` finds them."""
LARGEST: Final = 1e290
"""Exclusive upper bound of values, so that their sum stays finite. Larger values are refused, like infinity."""
MOST_BYTES: Final = 1 << 53
"""Exclusive upper bound of the size of one sample, in bytes."""

NAMES_CUT = f"names of series longer than {NAME} characters cut"
HAPPENINGS_CAPPED = f"happenings beyond the first {HAPPENINGS} of a second left out"
UNMEASURED = "connections were opened outside the session"
"""The beginning of the notes on connections of visits that no sample includes; reports have them as warnings."""
REFUSED = "samples refused: not a finite number, or negative"
SIZES_REFUSED = "sizes left out: no number of bytes"

Tap = Callable[[Sample], None]


class Recorder:
    """Collects the samples, visits, errors and notes of one worker. `cut` returns them as a window.

    *began* is the reading of the clock at the start of the run, in seconds, *second* the second of it that the first
    window covers. *lag* estimates how long responses waited for the event loop. *tap* is called with every sample,
    *journal* gets all records. *reserved* is what limits speak of, see `Caps`, whose bounds limit the memory used.
    *recorded* counts samples, *left_out* requests of series that the environment leaves out, *messages* those sent by
    WebSockets; *ledger* has the visits since the last cut, *activity* is that of the session that recorded last.
    """

    def __init__(
        self,
        worker: str,
        *,
        began: float,
        second: int = 0,
        tap: Tap | None = None,
        journal: JournalWriter | None = None,
        reserved: Reserved = NOTHING_RESERVED,
    ) -> None:
        self.worker = worker
        self.began = began
        self.lag = HubLag()
        self.exchanges = ExchangeLog()
        self.responses = ResponseCounts()
        self.activity = SessionActivity()
        self._journal = journal
        self._keep = None if journal is None else journal.record_fields
        self._tap = tap
        self._seq = 0
        self.recorded = 0
        self.left_out = 0
        self.messages = 0
        self._second = second
        self._open: dict[Key, OpenSeries] = {}
        self._begun: list[OpenSeries] = []
        self._counted: VisitCounts | None = None
        self._counted_second = -1
        self._counted_label = ""
        self._series: dict[Key, Series] = {}
        self.ledger: dict[tuple[str, int], VisitCounts] = {}
        self._errors: dict[ErrorKey, ErrorCount] = {}
        self._notes: Counter[str] = Counter()
        self._happenings: list[RunEvent] = []
        self._caps = Caps(self.count_note, reserved)
        self._exceptions: dict[tuple[str, str, str], str] = {}

    def __repr__(self) -> str:
        return f"<Recorder {self.worker} at window {self._seq}>"

    @property
    def cut_so_far(self) -> int:
        """The number of the newest window that was cut."""
        return self._seq

    def detach(self) -> None:
        """Write no more to the journal, call no tap: in a forked process both belong to its parent."""
        self._journal = self._keep = self._tap = self.exchanges.tap = self.exchanges.response = None

    def record(self, sample: Sample) -> None:
        """Record one sample; see `record_fields`."""
        self.record_fields(*sample)

    def record_fields(
        self,
        key: Key,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        """Record the fields of one sample (see `Sample`).

        A value that is not finite or is negative is refused and counted as a note; only a gauge
        may be negative.
        """
        took = end - start if value is None else value
        series = self._open.get(key)
        if series is None and 0.0 <= abs(took) < LARGEST:
            key = self._caps.key(key)
            series = self._open.get(key)
            if series is None:
                series = self._open[key] = OpenSeries(key)
        self.record_open(series or OpenSeries(key), start, end, failure, bytes, due, value)

    def open_series(self, key: Key) -> OpenSeries | None:
        """Return where the samples of a key within the caps are collected; None if there was none."""
        return self._open.get(key)

    def record_open(
        self,
        series: OpenSeries,
        start: float,
        end: float,
        failure: Failure | None,
        bytes: int,
        due: float | None,
        value: float | None,
    ) -> None:
        """Record the fields of one sample of *series*; see `record_fields`. Takes under a microsecond."""
        # mypyc: the fields of a Sample as seven parameters, so that compiled callers create no Sample.
        key = series.key
        took = end - start if value is None else value
        if not 0.0 <= took < LARGEST and not (key.kind == "gauge" and abs(took) < LARGEST):
            self.count_note(REFUSED)
            return
        self.recorded += 1
        if failure is not None:
            failure = failure.plain()
            if not failure.begun:  # a visit that never started does not count as a sample
                self.recorded -= 1
        if bytes and not (isinstance(bytes, int) and 0 < bytes < MOST_BYTES):
            self.count_note(SIZES_REFUSED)
            bytes = 0
        rows = series.rows
        if not series.begun:
            series.begun = True
            self._begun.append(series)
        rows.append((key, start, end, failure, bytes, due, value))
        if self._keep is not None:
            self._keep(key, start, end, failure, bytes, due, value)
        if self._tap is not None:
            self._tap(Sample(key, start, end, failure, bytes, due, value))
        if len(rows) >= BATCH:
            if not series.amendable:
                self._merge_batch(key, rows)
                series.rows = []
            elif len(rows) >= NEWEST + BATCH:
                self._merge_batch(key, rows[:BATCH])
                del rows[:BATCH]

    def amend(self, key: Key, start: float, end: float, before: str | None, failure: Failure) -> bool:
        """Record *failure* in place of the outcome of a sample; return False if the sample is part of a window already.

        The sample is the newest one of the series with these moments and the error class *before*, None if
        it was good. Its phase and tags may differ from those of *key*. Found are samples since the
        last cut, of each series the newest 1,000.
        """
        alike = [k for k in self._open if k[0] == key[0] and k[1] in (key[1], OTHER) and k[2] == key[2] and k != key]
        for known in [key, *alike]:
            series = self._open.get(known)
            batch = [] if series is None else series.rows
            for place in range(len(batch) - 1, -1, -1):
                _, began, ended, outcome, size, due, value = batch[place]
                if began == start and ended == end and (None if outcome is None else outcome.error) == before:
                    failure = failure.plain()
                    batch[place] = (known, start, end, failure, size, due, value)
                    if self._journal is not None:
                        self._journal.amend(known, start, end, before, failure)
                    return True
        return False

    def count_visit(
        self, label: str, due: float, outcome: VisitOutcome, waited: float = 0.0, *, share: str = ""
    ) -> None:
        """Count one visit with its *outcome* in the ledger, in the second in which it was *due* on the clock.

        *waited* is for how many seconds a dropped visit had been due. *share* is the name of its share.
        """
        second = max(int(due - self.began), 0)
        counts = self._counted
        if counts is None or second != self._counted_second or label != self._counted_label:
            counts = self.ledger.get((label, second))
            if counts is None:
                counts = self.ledger[label, second] = VisitCounts()
            self._counted, self._counted_second, self._counted_label = counts, second, label
        if outcome == "planned":
            counts.planned += 1
        elif outcome == "done":
            counts.done += 1
        else:
            setattr(counts, outcome, getattr(counts, outcome) + 1)
        if waited:
            counts.waited += waited
        if self._journal is not None:
            self._journal.count_visit(label, due, outcome, waited, share)

    def record_rows(self, share: str, rows: int) -> None:
        """Write to the journal how many rows of a share were handed out. Windows report the number as progress."""
        if self._journal is not None:
            self._journal.record_rows(share, rows)

    def record_event(self, what: RunEvent) -> None:
        """Record an event for the report. Beyond 100 per window only their number is recorded, as a note."""
        if len(self._happenings) < HAPPENINGS:
            what = replace(what, text=encodable(what.text))
            self._happenings.append(what)
            if self._journal is not None:
                self._journal.record_event(what)
        else:
            self.count_note(HAPPENINGS_CAPPED)

    def count_note(self, what: str) -> None:
        """Count one occurrence of the note *what*, which the report shows with its number."""
        what = encodable(what)
        self._notes[what] += 1
        if self._journal is not None:
            self._journal.count_note(what)

    def count_exception(self, what: str, exc: BaseException) -> None:
        """Count an exception of the author's code as a note: *what*, its text, and the line that raised it.

        All exceptions of one class from one line have the text of the first.
        """
        place = raised_at(exc)
        kind = (what, class_name(exc), "" if place is None else str(place))
        text = self._exceptions.get(kind)
        if text is None:
            text = with_place(f"{what}: {describe(exc)}", kind[2], WORDS)
            if len(self._exceptions) >= EXCEPTIONS:
                text = f"{what}: {kind[1]}"
            else:
                self._exceptions[kind] = text
        self.count_note(text)

    def cut(
        self,
        *,
        users: int = 0,
        health: Mapping[str, float] | None = None,
        progress: Mapping[str, tuple[int, int, int]] | None = None,
        phases: Mapping[tuple[str, str], float] | None = None,
        due: Mapping[str, float] | None = None,
        late: Series | None = None,
        unreached: Mapping[str, str] | None = None,
    ) -> Window:
        """Return all records since the last cut as the window of the next second.

        The parameters are fields of the window (see `Window`); *late* has the lateness of the visits begun since then.
        """
        for series in self._begun:
            if series.rows:
                self._merge_batch(series.key, series.rows)
            series.rows, series.begun = [], False
        generator = {"late": late, "lag": self.lag.cut()}
        self._seq += 1
        window = Window(
            worker=self.worker,
            seq=self._seq,
            at=self._second + self._seq - 1,
            series=self._series,
            ledger=self.ledger,
            errors=self._errors,
            health={**(health or {}), **self.responses.cut()},
            progress=progress or {},
            users=users,
            notes=self._notes,
            phases=phases or {},
            due=due or {},
            happenings=self._happenings,
            generator={name: series for name, series in generator.items() if series is not None},
            unreached=unreached or {},
            exchanges=self.exchanges.cut(),
        )
        self._begun, self._series, self.ledger, self._counted = [], {}, {}, None
        self._errors, self._notes, self._happenings = {}, Counter(), []
        return window

    def _merge_batch(self, key: Key, batch: list[Row]) -> None:
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series()
        before = series.errors
        series.add(batch)
        if key.is_request:
            self.lag.add(batch)
        if series.errors > before:
            for _, _, end, failure, *_ in batch:
                if failure is not None and failure.listed:
                    self._list(key, failure, end - self.began)

    def _list(self, key: Key, failure: Failure, at: float) -> None:
        where = (key.scenario, key.name, failure.error)
        where = self._caps.error(where)
        error = ErrorCount(1, at, at, failure.message, int(key.phase == WARM_UP), failure.where)
        known = self._errors.get(where)
        if known is None:
            self._errors[where] = error
        else:
            known.add(error)
