"""An engine's final totals, counted independently of its windows, to cross-check the windows a master received."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.quantity import count_text
from chaperon.measure.window import Window
from chaperon.measure.window_merge import SampleCounts
from chaperon.signed import Signed

IN_FLIGHT = (
    "requests were in flight at the end of the run and are in no figure: a greenlet that the scenario spawned itself "
    "sent them (session.spawn makes tasks that a visit waits for), or a visit that could not be interrupted"
)
"""The note on requests that no sample includes, which reports have as a warning, too."""
_OPEN_END = "were in flight at the end of this stretch and are in no percentile of it: let it end later"
OPEN_ENDS = (f"requests {_OPEN_END}", f"visits {_OPEN_END}")
"""The notes on a stretch of a run that ends before its slowest requests and visits do; they are warnings, too."""


@lazy_dataclass(frozen=True, slots=True)
class Closing:
    """Final totals of one engine, each counted where the work was done.

    *windows*: windows cut by the recorder. *samples*: samples recorded. *visits*: visits planned
    by the loads, by scenario label. *requests*: requests that a transport sent or tried to send,
    redirects not counted; the HTTP samples are as many, or more by those that failed before.
    *left_out*: those of the requests whose series the environment leaves out. *messages*:
    WebSocket messages that the protocol sent, *recorded_messages*: those recorded as sent.
    *stopped*: seconds from the start of the run at which the loads were stopped, None if they
    ended by themselves.
    """

    windows: int
    samples: int
    visits: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    left_out: int = 0
    messages: int = 0
    recorded_messages: int = 0
    stopped: Signed | None = None


@lazy_dataclass(slots=True)
class Reported:
    """The same totals, summed from the windows received from one worker."""

    windows: int = 0
    samples: int = 0
    requests: int = 0
    visits: dict[str, int] = field(default_factory=dict)

    def add(self, window: Window, samples: SampleCounts) -> None:
        """Add the counts of one window, *samples* are how many it has."""
        self.windows += 1
        self.samples += samples.samples
        self.requests += samples.http
        for (label, _), counts in window.ledger.items():
            self.visits[label] = self.visits.get(label, 0) + counts.planned


def disagreements(closing: Closing, reported: Reported, worker: str) -> list[str]:
    """Return one message for each total in which a worker and its windows differ; each makes the run INVALID.

    *worker* names the worker in the messages. The list is empty if all totals agree.
    """
    found = []
    pairs = [("windows", closing.windows, reported.windows), ("samples", closing.samples, reported.samples)]
    for what, counted, received in pairs:
        if counted != received:
            found.append(f"{worker} counted {counted:,} {what}, its windows have {received:,}")
    for label in {**closing.visits, **reported.visits}:
        counted, received = closing.visits.get(label, 0), reported.visits.get(label, 0)
        if counted != received:
            found.append(f"{worker} planned {count_text(counted, 'visit')} of {label}, its windows have {received:,}")
    if min(closing.requests, closing.left_out, closing.messages) < 0:
        found.append(f"{worker} counted fewer than 0 requests or messages")
    if closing.requests > reported.requests + closing.left_out:
        received = reported.requests + closing.left_out
        found.append(f"{worker} sent {count_text(closing.requests, 'request')}, its windows have {received:,}")
    if closing.messages != closing.recorded_messages:
        sent = count_text(closing.messages, "WebSocket message")
        found.append(f"{worker} sent {sent}, {closing.recorded_messages:,} recorded")
    return found


def missing(closing: Closing, reported: Reported) -> Mapping[str, int]:
    """Return how many planned visits the windows lack, by scenario label; labels that lack none are left out."""
    lacking = {label: counted - reported.visits.get(label, 0) for label, counted in closing.visits.items()}
    return {label: count for label, count in lacking.items() if count > 0}
