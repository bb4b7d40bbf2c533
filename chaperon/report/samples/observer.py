"""Every sample one by one, with what sent it: its user, its visit, and of a request the URL and the status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from chaperon.interrupts import is_interrupt
from chaperon.measure.sample import Sample

if TYPE_CHECKING:
    from chaperon.measure.recorder import Recorder


class SampleRecord(NamedTuple):
    """One sample, with what sent it.

    *time* is its end, in seconds since the epoch (Unix time). *worker* is the name of the process that sent
    it. *scenario*, *name*, *kind*, *phase* and *tags* are those of its series. *took* is its service time in
    seconds; *due* for how long it had been due at its start, None if nothing scheduled it. *value* is what was
    recorded or counted, None for a duration. *bytes* is the number of bytes received. *error* is the error
    class, "" for a good sample, *message* its text; *censored* is true if it was cut before it ended.

    *user* and *visit* are numbers, as `session.visit.user` and `session.visit.number`. *method*, *url* (as sent
    first, before redirects) and *status* are of a request by HTTP; "", "" and None of other samples, *status*
    None without a response.
    """

    time: float
    worker: str
    scenario: str
    name: str
    kind: str
    phase: str
    tags: tuple[tuple[str, str], ...]
    took: float
    due: float | None
    value: float | None
    bytes: int
    error: str
    message: str
    censored: bool
    user: int
    visit: int
    method: str = ""
    url: str = ""
    status: int | None = None


Observe = Callable[[SampleRecord], object]
LEFT_OUT = object()
"""What an observer returns for a sample that it leaves out because it has as many as it may keep."""


class SampleObserver:
    """Calls *observe* with each sample of a recorder, within the visit, in the order of their ends.

    An exception of *observe* is counted as a note that begins with *what*, samples that it leaves out as one,
    too. *epoch* is the Unix time at 0 of the recorder's clock.
    """

    def __init__(self, observe: Observe, epoch: float, what: str) -> None:
        self._observe = observe
        self._epoch = epoch
        self._what = what
        self._pending: SampleRecord | None = None
        self._recorder: Recorder | None = None

    def __repr__(self) -> str:
        return f"<SampleObserver for {self._what}>"

    def attach(self, recorder: Recorder) -> None:
        """Observe the samples of *recorder*, to which notes are counted."""
        self._recorder = recorder

    def add(self, sample: Sample) -> None:
        """Observe a sample; one by HTTP when its response is known, at the latest before the next sample."""
        self.flush()
        if self._recorder is None or (sample.failure is not None and not sample.failure.begun):
            return
        key, failure, doing = sample.key, sample.failure, self._recorder.activity
        record = SampleRecord(
            time=self._epoch + sample.end,
            worker=self._recorder.worker,
            scenario=key.scenario,
            name=key.name,
            kind=key.kind,
            phase=key.phase,
            tags=key.tags,
            took=sample.end - sample.start,
            due=None if sample.due is None else sample.start - sample.due,
            value=sample.value,
            bytes=sample.bytes,
            error="" if failure is None else failure.error,
            message="" if failure is None else failure.message,
            censored=failure is not None and failure.censored,
            user=doing.user,
            visit=doing.visit,
        )
        if key.kind == "http":
            self._pending = record
        else:
            self._call(record)

    def add_response(self, method: str, url: str, status: int | None) -> None:
        """Complete the sample of a request that was added last."""
        if self._pending is not None:
            self._pending = self._pending._replace(method=method, url=url, status=status)
            self.flush()

    def flush(self) -> None:
        """Observe a sample whose response has not become known."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._call(pending)

    def _call(self, record: SampleRecord) -> None:
        assert self._recorder is not None
        try:
            left_out = self._observe(record) is LEFT_OUT
        except BaseException as exc:  # an error in the author's function must not fail the visit
            if is_interrupt(exc):
                raise
            self._recorder.count_exception(f"samples {self._what} did not receive", exc)
        else:
            if left_out:
                self._recorder.count_note(f"samples left out of {self._what}: it has its full size")
