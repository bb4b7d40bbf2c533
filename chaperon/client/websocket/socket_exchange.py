"""Keeps the exchange of a WebSocket's failed call: its handshake and the messages before the failure."""

from __future__ import annotations

from chaperon.client.exchange import decoded, header_lines, keep
from chaperon.client.websocket.conversation import LAST, Conversation
from chaperon.client.websocket.frames import TEXT
from chaperon.client.websocket.message_queue import Message
from chaperon.measure.exchange import HANDSHAKE, MESSAGE, URL, Exchange, SocketMessage, cut_text
from chaperon.measure.meter import Meter
from chaperon.measure.plain_text import encodable
from chaperon.measure.sample import Failure, Key


def keep_socket_exchange(
    meter: Meter,
    conversation: Conversation,
    name: str,
    start: float,
    end: float,
    failure: Failure | None,
    *,
    kind: str = "ws",
) -> None:
    """Keep the exchange of a call on an open WebSocket that was just recorded, if it is one of the first of its error.

    A good one, kept where every exchange is of use, has the messages since the one before, and the handshake
    only if it is the first. Raises only interrupts: what cannot be kept is counted as a note.
    """
    key = meter.exchange_key(name, kind, "" if failure is None else failure.error)
    if key is not None:
        keep(meter, lambda: _exchange(meter, key, conversation, start, end, failure))


def _exchange(
    meter: Meter, key: Key, conversation: Conversation, start: float, end: float, failure: Failure | None
) -> Exchange:
    activity, began = meter.activity, meter.recorder.began
    unshown = conversation.count - max(conversation.shown, 0)
    whole = failure is not None or conversation.shown < 0
    asked, *sent_headers = _head_lines(conversation.asked)
    answered, *headers = _head_lines(conversation.answered)
    _, status, *reason = answered.split(" ", 2)
    conversation.shown = conversation.count
    return Exchange(
        scenario=key.scenario,
        series=key.name,
        error="" if failure is None else failure.plain().error,
        message="" if failure is None else failure.plain().message,
        at=end - began,
        took=end - start,
        step=encodable(activity.step),
        user=activity.user,
        visit=activity.visit,
        method=asked.split(" ")[0],
        url=encodable(cut_text(conversation.url, URL), URL),
        sent_headers=header_lines(sent_headers) if whole else (),
        status=int(status),
        reason=encodable(" ".join(reason)),
        headers=header_lines(headers) if whole else (),
        timings=_timings(conversation) if whole else (),
        messages=tuple([_message(each, began) for each in conversation.last_messages(LAST if whole else unshown)]),
        closed=encodable(conversation.closed),
    )


def _timings(conversation: Conversation) -> tuple[tuple[str, float], ...]:
    stages = conversation.timings._asdict().items()
    return tuple([(f"{HANDSHAKE}{stage}", float(spent)) for stage, spent in stages])


def _head_lines(head: bytes) -> list[str]:
    return [line for line in head.decode("latin-1").split("\r\n") if line]


def _message(message: Message, began: float) -> SocketMessage:
    body = message.body
    text = body if isinstance(body, str) else decoded(body, None)
    binary = isinstance(body, bytes) and message.sent != TEXT
    return SocketMessage(
        bool(message.sent), message.at - began, message.size, encodable(cut_text(text, MESSAGE), MESSAGE), binary
    )
