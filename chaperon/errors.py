"""Every exception class of Chaperon, in four groups: yours, the plan's, ours, control flow.

The classes of the first three groups are subclasses of `ChaperonError`; their messages name the
remedy. `chaperon` exports those that a public function raises. `client.network.exceptions` joins
the errors of requests with the classes of `requests`, which is too large to be imported here.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any


class ChaperonError(Exception):
    """The base class of what Chaperon raises on purpose; the message names the remedy."""


# 1. Yours: raised in a scenario, by the call that failed. A scenario may catch them.


class ConfigMissing(ChaperonError, KeyError):
    """A required key is missing in the configuration."""

    __str__ = Exception.__str__


class NotAssigned(ChaperonError, KeyError, AttributeError):
    """A value was read that was never assigned to the session."""

    __str__ = Exception.__str__


class NotInReply(ChaperonError, LookupError):
    """A response does not contain what the scenario extracts from it."""


class TaskMissing(ChaperonError, KeyError):
    """A task was joined that was never spawned."""

    __str__ = Exception.__str__


class TaskEnded(ChaperonError):
    """A joined task was ended before it was done."""


class JoinTimeout(ChaperonError, TimeoutError):
    """A joined task did not end in time."""


class SignalTimeout(ChaperonError, TimeoutError):
    """An awaited signal did not arrive in time."""


class RendezvousTimeout(ChaperonError, TimeoutError):
    """Not enough sessions came to a rendezvous in time."""


class BlockTimeout(ChaperonError, TimeoutError):
    """A `with session.timeout(…)` block exceeded its limit; *expired* is True if the limit itself raised this."""

    expired = False


class StepTimeout(BlockTimeout):
    """A step exceeded its time limit."""


class VisitTimeout(BlockTimeout):
    """A visit exceeded the time limit of its scenario."""


class ScenarioExit(ChaperonError):
    """A scenario called `sys.exit`: this fails the visit, and does not end the run."""


class _OfRequest(ChaperonError):
    """A call's request failed; *request* and *response* are as in `requests.RequestException`."""

    request: Any = None
    response: Any = None


class DeadlineExceeded(_OfRequest):
    """A request was not complete before its deadline, even if bytes were still arriving.

    It is also a `requests.exceptions.ReadTimeout`.
    """


class BodyTooLarge(_OfRequest):
    """The decoded body of a response is larger than `max_body`. It is also a `requests.RequestException`."""


class DescriptorsExhausted(_OfRequest):
    """No file descriptor was available for a connection. It is also a `requests.ConnectionError`."""


class PortsExhausted(_OfRequest):
    """No local port was available for a connection. It is also a `requests.ConnectionError`."""


class WebSocketError(ChaperonError):
    """A WebSocket failed; *counted_as* is the error class it is reported under."""

    counted_as = "websocket"


class WebSocketRefused(WebSocketError):
    """A WebSocket could not be opened; *status*, *headers*, *body* are of the server's response, if there was one."""

    def __init__(
        self,
        message: str,
        *,
        counted_as: str,
        status: int | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.counted_as = counted_as
        self.status = status
        self.body = body
        self.headers = {} if headers is None else headers


class WebSocketClosed(WebSocketError):
    """A WebSocket is closed: *code* as in RFC 6455, 1006 if the connection was lost without a close frame."""

    def __init__(self, code: int, reason: str = "", *, counted_as: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.counted_as = counted_as or f"ws closed {code}"

    def __str__(self) -> str:
        return f"the WebSocket is closed with code {self.code}{self.reason and f': {self.reason}'}"


class WebSocketTimeout(WebSocketError, TimeoutError):
    """A wait on a WebSocket exceeded its timeout; the WebSocket remains open."""

    counted_as = "timeout"


# 2. The plan's: what an author wrote down, or typed on the command line, cannot be run.


class UsageError(ChaperonError):
    """An option or an argument is invalid, or a method was called at the wrong time."""


class PlanError(UsageError):
    """A load, a time span or another quantity is out of range."""


class LimitError(UsageError):
    """A limit cannot be parsed; the message shows the position."""


class BaseMissing(UsageError):
    """A relative path was requested from a service without a base URL.

    It is also a `requests.exceptions.MissingSchema`.
    """


class NoSuchSeries(ChaperonError, KeyError):
    """A report has no series of that name; the message names the nearest ones."""

    __str__ = Exception.__str__


class NotPatched(ChaperonError):
    """gevent has not patched the socket module, so every session would block all the others."""


class LoadError(ChaperonError):
    """A scenario file or an environment is invalid or cannot be loaded, or its setup failed."""


class TeardownError(LoadError):
    """The teardown of an environment failed after the run; *report* is the report of that run."""

    report: Any = None


# 3. Ours: a part of Chaperon outside the scenario failed: an output, the cluster, a journal.


class OutputError(ChaperonError):
    """A report or another file could not be written; *report* is what was measured, where a run had been made."""

    report: Any = None


class RunFileError(ChaperonError):
    """A run file could not be read: it is none, is damaged, or has another schema."""


class NoRunFile(RunFileError):
    """The file does not begin as a run file does."""


class ClusterError(ChaperonError):
    """Master and workers cannot work together."""


class WorkersMissing(ClusterError):
    """Fewer workers joined in time than the run needs."""


class JournalError(ChaperonError):
    """A journal cannot be written, or a file is not a valid journal."""


class WireError(ChaperonError):
    """Bytes that are not a valid message, or a value that cannot be sent as one."""


class OtherProtocol(WireError):
    """A message of another version of the protocol between master and workers."""

    def __init__(self, theirs: int, ours: int) -> None:
        remedy = "install the same Chaperon on both"
        super().__init__(f"the other side speaks protocol {theirs}, this one {ours}: {remedy}")
        self.theirs = theirs


class WindowTooLarge(WireError):
    """A window exceeds the maximum size of a message."""


# 4. Control flow: not faults. Those under `Ended` pass an `except Exception` of the scenario; all
#    others are caught within the package.


class Ended(BaseException):
    """Work was ended on purpose. A BaseException, so that `except Exception` in a scenario does not catch it."""


class SessionAborted(Ended):
    """The scenario ended its session with `session.abort`."""


class FeedEmpty(Ended):
    """A feed has no row left for this session, which ends."""


class TimeLimitReached(Ended):
    """Unwinds the stack to the time limit that was reached, which raises *becomes* in its place."""

    def __init__(self, becomes: BlockTimeout) -> None:
        super().__init__(becomes)
        self.becomes = becomes

    def __str__(self) -> str:
        return str(self.becomes)


class Interrupted(Ended):
    """The run ended while the visit was still in flight."""


class StepFailed(Exception):
    """A step failed under a policy that ends more than the visit; only `Scenario.perform` sets the *policy*."""

    policy: Any = None


class LoadChanged(BaseException):
    """Thrown into a resting greenlet because its load has changed."""


class WaitExpired(Exception):
    """A wait reached its deadline; *raised_here* is False if a scenario raised the class itself."""

    raised_here = False


class SocketTimeout(Exception):
    """A network wait timed out; *whole* is True if the deadline passed, False if one wait exceeded *patience*."""

    def __init__(self, whole: bool) -> None:
        super().__init__("deadline exceeded" if whole else "timed out")
        self.whole = whole


class ConnectionClosedEarly(Exception):
    """The peer closed the connection in the middle of a response."""


class ProtocolError(Exception):
    """The received bytes are not a valid HTTP response; the message gives the reason."""


class ProtocolViolation(Exception):
    """The peer violated the WebSocket protocol or the message size limit; *code* is the close code to send."""

    def __init__(self, code: int, reason: str, counted_as: str = "ws protocol") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.counted_as = counted_as


class Gone(Exception):
    """The client of a hostile server has closed its connection."""


class NotEvaluated(Exception):
    """An expression or a statement of a locustfile that its import does not compute; the message says which."""


class Returned(Exception):
    """A function of a locustfile that is being computed has returned *value*."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


class ActionRefused(Exception):
    """Why an action that the live page asked for was not done: the *status* line of HTTP, and a sentence."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


class EngineNotStarted(Exception):
    """An engine process could not be started, for lack of descriptors, memory or processes; the message says which."""


class StandardStreamClosed(OSError):
    """The process was started without the standard stream *name*, "output" or "error", and something was printed."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EBADF, f"standard {name} is closed")
        self.name = name


class ViewerGone(Exception):
    """The browser at the other end of the live page's WebSocket is gone, or has not read for too long."""
