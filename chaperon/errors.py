"""Every error Chaperon raises, under one root, grouped by who is at fault."""

from typing import Any


class ChaperonError(Exception):
    """Anything Chaperon raises on purpose; the message is a sentence with the remedy in it."""


class UsageError(ChaperonError):
    """What was asked for on the command line or in a call makes no sense."""


class PlanError(UsageError):
    """A load, a duration or another quantity is out of range."""


class LimitError(UsageError):
    """A limit cannot be read; the message shows where."""


class NotPatched(ChaperonError):
    """The socket module is not gevent's, so every session would block all the others."""


class LoadError(ChaperonError):
    """A scenario file or an environment cannot be loaded or is wrong."""


class TeardownError(LoadError):
    """The run is over, but its environment could not be torn down; *report* is what was measured."""

    report: Any = None


class ConfigMissing(ChaperonError, KeyError):
    """A configuration key that is required is not there."""

    __str__ = Exception.__str__


class TaskMissing(ChaperonError, KeyError):
    """A task was joined that was never spawned."""

    __str__ = Exception.__str__


class JoinTimeout(ChaperonError, TimeoutError):
    """A joined task did not end in time."""


class TaskEnded(ChaperonError):
    """A task that is joined was ended before it was done."""


class SignalTimeout(ChaperonError, TimeoutError):
    """The signal that was waited for did not come in time."""


class RendezvousTimeout(ChaperonError, TimeoutError):
    """Not enough sessions came to a rendezvous in time."""


class BlockTimeout(ChaperonError, TimeoutError):
    """What a `with session.timeout(…)` block did took longer than that; *expired* where a time limit raised it."""

    expired = False


class StepTimeout(BlockTimeout):
    """A step took longer than its own time limit."""


class VisitTimeout(BlockTimeout):
    """A visit took longer than its scenario lets it."""


class NotInReply(ChaperonError, LookupError):
    """What a scenario looks for is not in the response."""


class NotAssigned(ChaperonError, KeyError, AttributeError):
    """A value was read that was never assigned to the session."""

    __str__ = Exception.__str__


class ClusterError(ChaperonError):
    """Master and workers did not come together."""


class ScenarioExit(ChaperonError):
    """A scenario called `sys.exit`: an error of what called it, not the end of the run."""


class OutputError(ChaperonError):
    """A report could not be written."""


class WebSocketError(ChaperonError):
    """A WebSocket failed; *counted_as* is the class of error it is reported under."""

    counted_as = "websocket"


class WebSocketRefused(WebSocketError):
    """A WebSocket could not be opened; *status* is what the server answered, if it did."""

    def __init__(self, message: str, *, counted_as: str, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(message)
        self.counted_as = counted_as
        self.status = status
        self.body = body


class WebSocketClosed(WebSocketError):
    """A WebSocket is closed: *code* as in RFC 6455, 1006 where the connection was just lost."""

    def __init__(self, code: int, reason: str = "", *, counted_as: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.counted_as = counted_as or f"ws closed {code}"

    def __str__(self) -> str:
        return f"the WebSocket is closed with code {self.code}{self.reason and f': {self.reason}'}"


class WebSocketTimeout(WebSocketError, TimeoutError):
    """What was waited for on a WebSocket did not come in time; it stays usable."""

    counted_as = "timeout"


class Ended(BaseException):
    """Work that was ended by us rather than by a fault; not for `except Exception` to swallow."""


class SessionAborted(Ended):
    """The scenario ended its session with `session.abort`."""


class FeedEmpty(Ended):
    """A feed has no row left for this session, which is done with that."""


class TimeLimitReached(Ended):
    """Stops what a time limit is set on; where the limit stands it *becomes* an ordinary exception."""

    def __init__(self, becomes: BlockTimeout) -> None:
        super().__init__(becomes)
        self.becomes = becomes

    def __str__(self) -> str:
        return str(self.becomes)


class Interrupted(Ended):
    """The run ended while this visit was still going."""
