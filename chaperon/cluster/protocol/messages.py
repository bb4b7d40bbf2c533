"""The messages between master and workers: dataclasses of plain values. They may be lost, doubled or late.

No message is changed once it is made. Those of which a master makes thousands a second are not frozen, since a frozen
one is made in twice the time.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal, NamedTuple, Protocol

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.closing import Closing
from chaperon.signed import SignedInt

Order = Literal["wait", "run", "end", "stop", "kill", "over"]
"""What a master orders: wait; perform the shares; end when they are done; end within the grace
time; end now; leave, since the last window has arrived."""

State = Literal["loading", "ready", "failed", "sending", "leaving", "ended"]

CHANGE_LEAD_TIME = 0.5
"""Seconds between a change of the load and its moment, so that every worker has received it by then."""

CLOCK_PINGS = 8
"""By how many pings a worker estimates the offset of its clock. It sends the first ones in quick succession."""


class Lease(NamedTuple):
    """A share leased to a worker; *attempt* numbers the leases of the share.

    *start* arrivals and *rows* unique rows of it were used before. With *count_missed_as_lost* its
    last holder was lost: arrivals due before the share starts again count as lost. It is a tuple, as
    a master reads and writes thousands a second.
    """

    share: str
    attempt: int
    start: int = 0
    rows: int = 0
    count_missed_as_lost: bool = False


class Adjustable(Protocol):
    """What a change is applied to: a running load, or the record of changes."""

    def scale(self, factor: float, at: float, *, by: str = "") -> object: ...

    def pause(self, at: float, *, by: str = "") -> object: ...

    def resume(self, at: float, *, by: str = "") -> object: ...


@lazy_dataclass(frozen=True, slots=True)
class Change:
    """A change of the load from offset *at* of the run, in seconds: "scale" by *factor*, "pause" or "resume".

    *by* names its cause in the report; empty for a call of the program itself.
    """

    what: Literal["scale", "pause", "resume"]
    at: float
    factor: float = 1.0
    by: str = ""

    def apply(self, load: Adjustable) -> None:
        """Apply the change."""
        match self.what:
            case "scale":
                load.scale(self.factor, self.at, by=self.by)
            case "pause":
                load.pause(self.at, by=self.by)
            case "resume":
                load.resume(self.at, by=self.by)


@lazy_dataclass(frozen=True, slots=True)
class Hello:
    """A worker asks to join; *capacity* is its relative capacity, 1 being the usual."""

    worker: str
    incarnation: int
    chaperon: str
    python: str
    host: str
    cores: int
    capacity: float


@lazy_dataclass(frozen=True, slots=True)
class Welcome:
    """The master admits a worker: what to run, with all timeouts in seconds.

    *known_secrets* are the fingerprints of the secrets that the master replaces in its report, *secrets* the
    values of `secret(…)`, by their references.
    """

    run: int
    target: str
    digest: str
    size: int
    overrides: dict[str, Any]
    setup_result: dict[str, Any]
    shares: int
    workers: int
    worker_timeout: float
    master_timeout: float
    known_secrets: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


@lazy_dataclass(frozen=True, slots=True)
class Reject:
    """The master refuses a worker for good."""

    why: str


@lazy_dataclass(frozen=True, slots=True)
class Fetch:
    """A worker asks for a chunk of the scenario."""

    digest: str
    offset: int


@lazy_dataclass(frozen=True, slots=True)
class BundleChunk:
    """A chunk of the scenario."""

    digest: str
    offset: int
    data: bytes


@lazy_dataclass(slots=True)
class Ping:
    """The complete state of a worker: a heartbeat, sent every half interval that has no window.

    *sent_at* is the worker's clock. *claims* are offers it accepts. *leases* are the shares it performs, with their
    progress; *done* those it has completed, *returned* those it returned. *cut* is the number of its newest window,
    *over* whether that is its last. *stop* is the reason why a scenario stops the run, *fault* a
    fault of Chaperon's own. *closing* are its final totals, sent with the last window. *endpoint* is its own
    address and port on the connection that carries the ping.
    """

    worker: str
    incarnation: int
    run: int
    state: State
    sent_at: float
    note: str = ""
    claims: tuple[Lease, ...] = ()
    leases: tuple[Lease, ...] = ()
    done: tuple[Lease, ...] = ()
    returned: tuple[Lease, ...] = ()
    cut: int = 0
    over: bool = False
    stop: str = ""
    fault: str = ""
    closing: Closing | None = None
    endpoint: str = ""


@lazy_dataclass(slots=True)
class Pong:
    """The complete orders of a master, sent as the answer to every ping.

    *received_at* and *replied_at* are readings of the master's clock, *sent_at* is copied from the ping;
    *began* is the start of the run. Windows up to *acked* have arrived, and those in *ahead* beyond
    the first missing one. *leases* are all shares of the worker; it returns those that are not
    among them. *changes* are all changes of the load, in order. *given_up*: the master has given the worker up, and
    the run goes on without it.
    """

    run: int
    order: Order
    sent_at: float
    received_at: float
    replied_at: float
    began: float | None
    grace: float
    acked: int
    ahead: tuple[int, ...] = ()
    leases: tuple[Lease, ...] = ()
    changes: tuple[Change, ...] = ()
    given_up: bool = False


@lazy_dataclass(frozen=True, slots=True)
class Offer:
    """A share that any worker may claim."""

    run: int
    lease: Lease


@lazy_dataclass(slots=True)
class WindowFrame:
    """A window in packed form, *body*, with its number."""

    worker: str
    incarnation: int
    run: int
    seq: int
    body: bytes


@lazy_dataclass(frozen=True, slots=True)
class WorkerDied:
    """A supervisor reports the death of an engine, which had cut *cut* windows as far as is known.

    *fault* is a fault of Chaperon's own that ended the engine, or the reason why its windows cannot be sent.
    """

    worker: str
    incarnation: int
    code: SignedInt
    cut: int = 0
    fault: str = ""


@lazy_dataclass(frozen=True, slots=True)
class WindowsReceived:
    """A master has the windows of a dead engine up to *upto*, and those in *ahead*, or needs no more of them."""

    worker: str
    incarnation: int
    upto: int
    ahead: tuple[int, ...] = ()


@lazy_dataclass(frozen=True, slots=True)
class LogLine:
    """A log record of a worker: its level, as in `logging`, its text, and the lines of its traceback."""

    level: SignedInt
    text: str
    details: tuple[str, ...] = ()


@lazy_dataclass(frozen=True, slots=True)
class LogLines:
    """Log records of a worker, in a message that is not repeated; *number* counts these messages from 1."""

    worker: str
    incarnation: int
    run: int
    number: int
    lines: tuple[LogLine, ...]


@lazy_dataclass(frozen=True, slots=True)
class Bye:
    """A worker leaves in order: the master has everything it sent."""

    worker: str
    incarnation: int


Message = (
    Hello
    | Welcome
    | Reject
    | Fetch
    | BundleChunk
    | Ping
    | Pong
    | Offer
    | WindowFrame
    | WorkerDied
    | WindowsReceived
    | LogLines
    | Bye
)
KINDS: tuple[type[Message], ...] = (
    Hello,
    Welcome,
    Reject,
    Fetch,
    BundleChunk,
    Ping,
    Pong,
    Offer,
    WindowFrame,
    WorkerDied,
    WindowsReceived,
    LogLines,
    Bye,
)
