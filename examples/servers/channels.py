"""Channels to publish to and to wait at: PUT /name publishes, GET /name?after=n is answered by what comes next."""

import json
from collections import Counter, defaultdict
from urllib.parse import parse_qs

from gevent import Timeout
from gevent.event import Event

from . import serve_alone, served

PATIENCE = 20.0

counts = Counter()
_published = defaultdict(list)
_news = defaultdict(Event)


def application(environ, start_response):
    channel, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    counts[method] += 1
    headers = [("Content-Type", "application/json")]
    if method == "PUT":
        _published[channel].append(environ["wsgi.input"].read().decode())
        _news.pop(channel, Event()).set()
        start_response("202 Accepted", headers)
        return [json.dumps({"sequence": len(_published[channel])}).encode()]
    after = parse_qs(environ["QUERY_STRING"]).get("after")
    if after is None:
        start_response("200 OK", headers)
        return [json.dumps({"sequence": len(_published[channel])}).encode()]
    with Timeout(PATIENCE, False):
        while len(_published[channel]) <= int(after[0]):
            _news[channel].wait()
    missed = _published[channel][int(after[0]) :]
    if not missed:
        start_response("204 No Content", [])
        return []
    start_response("200 OK", headers)
    return [json.dumps({"message": missed[0], "sequence": int(after[0]) + 1}).encode()]


def serving(port=0):
    """Serve as long as the block lasts."""
    return served(application, port)


if __name__ == "__main__":
    serve_alone(serving)
