"""Which message is the one that is waited for."""

from __future__ import annotations

import json as jsons
from collections.abc import Callable
from typing import Any

from chaperon.client.websocket.message_queue import Message
from chaperon.errors import UsageError

Key = str | Callable[[Any], object]
_NOTHING = object()


class MessageMatcher:
    """A test of messages, with the form in which the one found is handed out.

    The test sees a message as it came or, *json*, read as JSON; then what is no JSON is not
    wanted.
    """

    __slots__ = ("_handed_as_json", "_json", "_test")

    def __init__(self, test: Callable[[Any], object], *, json: bool, handed_as_json: bool) -> None:
        self._test = test
        self._json = json
        self._handed_as_json = handed_as_json

    def __call__(self, message: Message) -> bool:
        if not self._json:
            return bool(self._test(message.body))
        return message.json is not None and bool(self._test(message.json))

    def value_of(self, message: Message) -> Any:
        """Return a message as it is handed out."""
        return message.json if self._handed_as_json else message.body


def match_message(wanted: Any, json: bool) -> MessageMatcher:
    """Return the test for a message: by its text or bytes, by what it is as JSON, or by a predicate."""
    if callable(wanted):
        return MessageMatcher(wanted, json=json, handed_as_json=json)
    if json or isinstance(wanted, (dict, list)):
        return MessageMatcher(lambda value: value == wanted, json=True, handed_as_json=True)
    if isinstance(wanted, (str, bytes)):
        return MessageMatcher(lambda body: body == wanted, json=False, handed_as_json=False)
    raise UsageError(f"expect() takes text, bytes, a dict, a list or a predicate, got {wanted!r}")


def match_reply(message: Any, reply_to: Key) -> MessageMatcher:
    """Return the test for the reply to *message*: by a field both have, or by a predicate."""
    as_json = not isinstance(message, (str, bytes))
    if callable(reply_to):
        return MessageMatcher(reply_to, json=as_json, handed_as_json=as_json)
    key = field_of(message if as_json else _read(message), reply_to)
    if key is _NOTHING:
        raise UsageError(f"the message has no field {reply_to!r} for a reply to have as well")
    return MessageMatcher(lambda reply: field_of(reply, reply_to) == key, json=True, handed_as_json=as_json)


def field_of(value: Any, path: str) -> Any:
    """Return the field at a dotted path, such as "payload.ref" or "0.id"; a sentinel where there is none."""
    for name in path.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return _NOTHING
    return value


def _read(message: str | bytes) -> Any:
    try:
        return jsons.loads(message)
    except ValueError:
        return None
