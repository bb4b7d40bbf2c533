"""Exchange: a request and its response, of which the first few of each error are kept; counts of all responses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.plain_text import encodable
from chaperon.signed import Signed

ErrorPlace = tuple[str, str, str]
"""(scenario, series name, error class)"""
FEW = 3
"""Number of exchanges that are kept of each error class of a series, over the whole run."""
MOST = 300
"""Maximum number of exchanges that a worker keeps over the whole run."""
WINDOW = 200_000
"""Characters of exchanges in a window beyond which none is added."""
URL = 2_000
BODY = 8_000
"""Maximum lengths kept of a URL and of a body, in characters."""
FIRST_LINE = 200
"""Maximum length shown of the first line of a body, in characters."""
MESSAGE = 1_000
"""Maximum length kept of a message of a WebSocket, in characters."""
HANDSHAKE = "handshake "
LINE = 1_000
LINES = 50
"""Maximum length of a header line, in characters, and maximum number of lines."""
_TOKEN = re.compile(r"[^\s\"'&=,;:<>{}\[\]()]*\Z")


@lazy_dataclass(frozen=True, slots=True)
class SocketMessage:
    """A message that a WebSocket sent or received, *at* seconds after the start of the run.

    *size* is in bytes, *text* the beginning of the message: of a *binary* one its UTF-8, or escapes.
    """

    sent: bool
    at: Signed
    size: int
    text: str
    binary: bool = False


@lazy_dataclass(frozen=True, slots=True)
class Exchange:
    """A request, sent by a session, and its response; texts are cut to the lengths above.

    - *scenario*, *series*, *error*: where it is counted; *error* is "" for a good one, *message*
      the text of its failure.
    - *at*: when it ended, in seconds from the start of the run. *took*: its service time, seconds.
    - *step*, *user*, *visit*: what sent it; *step* is the name of its series, "" outside steps.
    - *sent_headers*, *headers*: lines "Name: value". *sent_body*, *body*: text, the beginning of it;
      *sent_size* and *size* are the whole numbers of bytes.
    - *status*: 0 without a response. *timings*: seconds by stage, as far as they are known; the names of stages that
      are over before *took* begins, those of the handshake of an open WebSocket, begin with `HANDSHAKE`.
    - *messages*: of a WebSocket, whose handshake the request is, the last messages before; *closed*: how it ended,
      "" if it is open.
    """

    scenario: str
    series: str
    error: str
    message: str
    at: Signed
    took: Signed
    step: str
    user: int
    visit: int
    method: str
    url: str
    sent_headers: tuple[str, ...] = ()
    sent_body: str = ""
    sent_size: int = 0
    status: int = 0
    reason: str = ""
    headers: tuple[str, ...] = ()
    body: str = ""
    size: int = 0
    timings: tuple[tuple[str, Signed], ...] = ()
    messages: tuple[SocketMessage, ...] = ()
    closed: str = ""

    @property
    def place(self) -> ErrorPlace:
        """Where the exchange is counted."""
        return self.scenario, self.series, self.error

    @property
    def first_line(self) -> str:
        """The first line of the body that is not empty, at most `FIRST_LINE` characters of it.

        Of an open WebSocket: how it was closed and the message received last.
        """
        body = self.body
        if self.messages or self.closed:
            received = [each.text for each in self.messages if not each.sent][-1:]
            body = ", ".join([*([self.closed] if self.closed else []), *(f"last message: {text}" for text in received)])
        lines = (line.strip() for line in body.split("\n"))
        return encodable(next((line for line in lines if line), ""), FIRST_LINE)

    @property
    def summary(self) -> str:
        """The exchange in one line: method, URL, status, the first line of the response's body."""
        answer = f"{self.status} {self.first_line}".rstrip() if self.status else "no response"
        return f"{self.method} {self.url} → {answer}"

    @property
    def length(self) -> int:
        """The number of characters of its texts."""
        messages = [each.text for each in self.messages]
        lines = (*self.sent_headers, *self.headers, self.message, self.url, self.sent_body, self.body, *messages)
        return sum(map(len, lines)) + sum(map(len, (*self.place, self.step, self.method, self.reason)))


class ExchangeLog:
    """The exchanges of one worker: the first `FEW` of each error of a series, as many as the bounds above allow.

    *tap* is called with every exchange, good ones too; *response* with method, URL and status of every request
    by HTTP, after its sample, the status None without a response.
    """

    def __init__(self) -> None:
        self.tap: Callable[[Exchange], None] | None = None
        self.response: Callable[[str, str, int | None], None] | None = None
        self._counts: dict[ErrorPlace, int] = {}
        self._open: list[Exchange] = []
        self._kept = 0
        self._length = 0

    def __repr__(self) -> str:
        return f"<ExchangeLog of {self._kept}>"

    @property
    def wants_all(self) -> bool:
        """Whether good exchanges are of use, too."""
        return self.tap is not None or self.response is not None

    def wants(self, scenario: str, series: str, error: str) -> bool:
        """Return whether the next exchange with *error* ("": a good one) of a series is of use."""
        return self.tap is not None or self._has_room((scenario, series, error))

    def add(self, exchange: Exchange) -> None:
        """Give an exchange to the tap, and keep it if there is room."""
        if self.tap is not None:
            self.tap(exchange)
        place = exchange.place
        if self._has_room(place):
            self._counts[place] = self._counts.get(place, 0) + 1
            self._open.append(exchange)
            self._kept += 1
            self._length += exchange.length

    def cut(self) -> tuple[Exchange, ...]:
        """Return the exchanges since the last cut."""
        found, self._open, self._length = tuple(self._open), [], 0
        return found

    def _has_room(self, place: ErrorPlace) -> bool:
        return bool(place[2] and self._kept < MOST and self._length < WINDOW and self._counts.get(place, 0) < FEW)


def first_exchanges(exchanges: Iterable[Exchange], length: int = WINDOW) -> tuple[Exchange, ...]:
    """Return the earliest `FEW` exchanges of each error, in the order of time, of at most *length* characters."""
    found: list[Exchange] = []
    counts: dict[ErrorPlace, int] = {}
    for each in sorted(exchanges, key=lambda one: (one.at, one.user, one.visit)):
        counts[each.place] = counts.get(each.place, 0) + 1
        if counts[each.place] <= FEW and length > 0:
            found.append(each)
            length -= each.length
    return tuple(found)


def cut_text(text: str, most: int) -> str:
    """Return the beginning of *text*, at most *most* characters, without the word that the cut divides.

    Part of a secret would not be recognised as one.
    """
    return text if len(text) <= most else _TOKEN.sub("", text[:most])
