"""What masters say to workers, workers to masters: plain values, each a type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chaperon.measure.closing import Closing

Order = Literal["wait", "run", "end", "stop", "kill", "over"]
"""What a master wants of its workers: wait; send; end when the shares are done; end in the
grace time; end now; leave, for the last window is in."""

State = Literal["loading", "ready", "failed", "sending", "leaving", "ended"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A share in somebody's hands: the *attempt* tells one handing-out from the next.

    *start* arrivals and *rows* unique rows of it were taken before. With
    *count_missed_as_lost* its former holder is gone: arrivals due before the share starts again are lost.
    """

    share: str
    attempt: int
    start: int = 0
    rows: int = 0
    count_missed_as_lost: bool = False


class Adjustable(Protocol):
    """What a change can be made to: a load that is being sent, or the account of how it was changed."""

    def scale(self, factor: float, at: float) -> object: ...

    def pause(self, at: float) -> object: ...

    def resume(self, at: float) -> object: ...


@dataclass(frozen=True, slots=True)
class Change:
    """The load is "scale"d by a factor, "pause"d or "resume"d from an offset of the run on."""

    what: Literal["scale", "pause", "resume"]
    at: float
    factor: float = 1.0

    def apply(self, load: Adjustable) -> None:
        """Make the change."""
        match self.what:
            case "scale":
                load.scale(self.factor, self.at)
            case "pause":
                load.pause(self.at)
            case "resume":
                load.resume(self.at)


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker asks to be let in; *capacity* is how much it takes, 1 being the usual."""

    worker: str
    incarnation: int
    chaperon: str
    python: str
    host: str
    cores: int
    capacity: float


@dataclass(frozen=True, slots=True)
class Welcome:
    """The master admits a worker: what to run, with all timeouts in seconds.

    *known_secrets* are the fingerprints of the secrets that the master replaces in its report.
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


@dataclass(frozen=True, slots=True)
class Reject:
    """The master does not let a worker in; it is not to come back as it is."""

    why: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """A worker asks for a piece of the scenario."""

    digest: str
    offset: int


@dataclass(frozen=True, slots=True)
class BundleChunk:
    """A piece of the scenario."""

    digest: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """The complete state of a worker: a heartbeat, sent every half interval; *sent_at* is the worker's clock.

    *claims* are offers it would take. *leases* are the shares it sends, from their first
    arrival to where it stands; *done* those it has made to the end, *returned* those it gave
    back. *cut* is the number of its newest window, *over* whether that is its last. *stop* is
    why a scenario wants to end the run for all, *fault* is a fault of ours. *closing*
    is what it counted apart from its windows, said with the last of them. *endpoint* is its own
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


@dataclass(frozen=True, slots=True)
class Pong:
    """All that a master wants, said again and again.

    *received_at* and *replied_at* are readings of the master's clock, *sent_at* is copied from the ping;
    *began* is when the run starts or started. *acked* windows are in without a gap, those
    in *ahead* beyond it. *leases* are all the shares that the worker has; what is not among
    them it is to give back. *changes* are all that were made to the load, in their order.
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


@dataclass(frozen=True, slots=True)
class Offer:
    """A share anybody may claim."""

    run: int
    lease: Lease


@dataclass(frozen=True, slots=True)
class WindowFrame:
    """A window on its way, numbered; *body* is packed."""

    worker: str
    incarnation: int
    run: int
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A supervisor says that an engine of its own has ended, having cut *cut* windows as far as is known.

    *fault* is a fault of ours: what the engine ended by, or why what it left cannot be sent.
    """

    worker: str
    incarnation: int
    code: int
    cut: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class WindowsReceived:
    """A master has the windows of a dead engine up to a number, with those *ahead*, or wants no more of them."""

    worker: str
    incarnation: int
    upto: int
    ahead: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bye:
    """A worker leaves in order: all it had to say has been heard."""

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
    Bye,
)
