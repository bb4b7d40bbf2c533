"""Channels that keep sequences: publish by PUT, subscribe by long poll or WebSocket, many on one.

PUT /name publishes a body; Cache-Control: max-age=N lets it expire, X-Firehose-Buffer-Size: N
keeps that number, X-Firehose-Persist: true keeps them for ever. PUT /channels@firehose publishes an
array of {channel, payload, ttl, buffer_size}.

GET /name?last_message_sequence=N answers with the message after N, or when one is published; after
PATIENCE seconds with 204. N = 0 is answered by the latest. POST /channels@firehose does so for
{channel: N, …}. HEAD says that the server is there.

A WebSocket at /name that sends {"last_message_sequence": N} gets all that follows; at
/channels@firehose, {"multiplex_subscribe": [{channel, last_message_sequence}, …]}. Who has missed
more than is kept gets the latest. {"ping": "PING"} is answered by {"pong": "PONG"}.
"""

import json
import time
from collections import Counter, defaultdict, deque
from contextlib import suppress
from urllib.parse import parse_qs

import gevent
from gevent.event import Event
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler

from . import serve_alone, served

BUFFER = 100
TTL = 15.0
PATIENCE = 20.0
MANY = "/channels@firehose"

counts = Counter()


class Channel:
    """Messages with their sequence numbers, the newest few of which are kept."""

    def __init__(self):
        self.sequence = 0
        self._kept = deque()
        self._news = Event()

    def publish(self, payload, *, ttl=TTL, buffer=BUFFER):
        self.sequence += 1
        self._kept.append((self.sequence, payload, time.monotonic() + ttl))
        while len(self._kept) > buffer:
            self._kept.popleft()
        counts["published"] += 1
        news, self._news = self._news, Event()
        news.set()

    def position(self, last):
        """Return the position of a subscriber whose last message was *last*; 0 is a new subscriber."""
        return min(last, self.sequence) if last else max(self.sequence - 1, 0)

    def after(self, last):
        """Return (payload, sequence) of what follows *last*, blocking until it is published."""
        while True:
            while self._kept and self._kept[0][2] < time.monotonic():
                self._kept.popleft()
            missed = [(payload, sequence) for sequence, payload, _ in self._kept if sequence > last]
            if missed:
                return missed[0] if missed[0][1] == last + 1 else missed[-1]
            self._news.wait()


channels = defaultdict(Channel)


def application(environ, start_response):
    if environ.get("wsgi.websocket") is not None:
        counts["connections"] += 1
        _converse(environ["wsgi.websocket"], environ["PATH_INFO"])
        return []
    counts[environ["REQUEST_METHOD"]] += 1
    try:
        status, reply = _answer(environ)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        status, reply = "400 Bad Request", {"error": str(exc)}
    body = b"" if reply is None else json.dumps(reply).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _answer(environ):
    path, body = environ["PATH_INFO"], environ["wsgi.input"].read().decode()
    match environ["REQUEST_METHOD"]:
        case "PUT" if path == MANY:
            for each in json.loads(body):
                payload = each["payload"] if isinstance(each["payload"], str) else json.dumps(each["payload"])
                channels[each["channel"]].publish(
                    payload, ttl=each.get("ttl", TTL), buffer=each.get("buffer_size", BUFFER)
                )
            return "202 Accepted", None
        case "PUT":
            channels[path].publish(body, **_keeping(environ))
            return "202 Accepted", None
        case "GET":
            asked = parse_qs(environ.get("QUERY_STRING", ""))
            return _next({path: int(asked.get("last_message_sequence", ["0"])[0])}, named=False)
        case "POST" if path == MANY:
            return _next({channel: int(last) for channel, last in json.loads(body).items()}, named=True)
        case "HEAD":
            return "200 OK", None
    return "405 Method Not Allowed", {"error": "PUT, GET or HEAD"}


def _keeping(environ):
    age = environ.get("HTTP_CACHE_CONTROL", "").partition("max-age=")[2]
    forever = environ.get("HTTP_X_FIREHOSE_PERSIST") == "true"
    return {
        "ttl": float("inf") if forever else float(age or TTL),
        "buffer": int(environ.get("HTTP_X_FIREHOSE_BUFFER_SIZE", BUFFER)),
    }


def _next(wanted, *, named):
    """Answer a long poll of one channel or of several: with what comes first on any."""
    if min(wanted.values(), default=-1) < 0:
        raise ValueError("last_message_sequence must be 0 or more")
    polls = [gevent.spawn(_named, channel, last) for channel, last in wanted.items()]
    done = gevent.wait(polls, timeout=PATIENCE, count=1)
    gevent.killall(polls)
    if not done:
        return "204 No Content", None
    counts["delivered"] += 1
    answer = done[0].value
    return "200 OK", answer if named else {k: v for k, v in answer.items() if k != "channel"}


def _named(channel, last):
    message, sequence = channels[channel].after(channels[channel].position(last))
    return {"channel": channel, "message": message, "last_sequence": sequence}


def _converse(ws, path):
    feeds = []
    try:
        with suppress(WebSocketError):  # the client closed the connection
            while (said := ws.receive()) is not None:
                asked = json.loads(said)
                if "ping" in asked:
                    ws.send(json.dumps({"pong": "PONG"}))
                for each in asked.get("multiplex_subscribe", []):
                    feeds.append(_feed(ws, each["channel"], each.get("last_message_sequence", 0), named=True))
                if "last_message_sequence" in asked:
                    feeds.append(_feed(ws, path, asked["last_message_sequence"], named=False))
    finally:
        gevent.killall(feeds)


def _feed(ws, channel, last, *, named):
    """Send what follows *last*, as of now, in a greenlet of its own."""
    return gevent.spawn(_send_all, ws, channel, channels[channel].position(last), named)


def _send_all(ws, channel, last, named):
    with suppress(WebSocketError):
        while True:
            message, last = channels[channel].after(last)
            frame = {"message": message, "last_sequence": last}
            counts["delivered"] += 1
            ws.send(json.dumps({"channel": channel, **frame} if named else frame))


def serving(port=0):
    """Serve as long as the block lasts."""
    return served(application, port, handler_class=WebSocketHandler)


if __name__ == "__main__":
    serve_alone(serving)
