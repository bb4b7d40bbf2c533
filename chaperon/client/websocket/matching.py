"""Predicates that select the message a scenario waits for: by content, by correlation field, by function."""

from __future__ import annotations

import json as jsons
from collections.abc import Callable
from typing import Any

from chaperon.client.websocket.message_queue import Message
from chaperon.errors import UsageError

Key = str | Callable[[Any], object]
_NOTHING = object()


class MessageMatcher:
    """A predicate of messages, and the form in which a matching message is returned.

    With *json* the test gets the parsed JSON value, and a message that is not JSON does not match; without
    it, the test gets the text or bytes.
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
        """Return the value of a matching message that the scenario gets: parsed JSON, text or bytes."""
        return message.json if self._handed_as_json else message.body


def match_message(wanted: Any, json: bool) -> MessageMatcher:
    """Return a matcher for *wanted*: text, bytes, a JSON value, or a predicate. Raises UsageError."""
    if callable(wanted):
        return MessageMatcher(wanted, json=json, handed_as_json=json)
    if json or isinstance(wanted, (dict, list)):
        return MessageMatcher(lambda value: value == wanted, json=True, handed_as_json=True)
    if isinstance(wanted, (str, bytes)):
        return MessageMatcher(lambda body: body == wanted, json=False, handed_as_json=False)
    raise UsageError(f"expect() takes text, bytes, a dict, a list or a predicate, got {wanted!r}")


def match_reply(message: Any, reply_to: Key) -> MessageMatcher:
    """Return a matcher for the reply to *message*: by the value of a common field, or by a predicate.

    Raises UsageError if *message* has no field *reply_to*.
    """
    as_json = not isinstance(message, (str, bytes))
    if callable(reply_to):
        return MessageMatcher(reply_to, json=as_json, handed_as_json=as_json)
    key = field_of(message if as_json else _read(message), reply_to)
    if key is _NOTHING:
        raise UsageError(f"the message has no field {reply_to!r} to match a reply by")
    return MessageMatcher(lambda reply: field_of(reply, reply_to) == key, json=True, handed_as_json=as_json)


def field_of(value: Any, path: str) -> Any:
    """Return the value at a dotted path, such as "payload.ref" or "0.id"; a sentinel if there is none."""
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
