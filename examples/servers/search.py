"""A search page that also takes messages, and counts both."""

import json
from collections import Counter

from . import serve_alone, served

counts = Counter()


def application(environ, start_response):
    method, body = environ["REQUEST_METHOD"], environ["wsgi.input"].read()
    counts[method] += 1
    if method == "POST":
        try:
            reply = json.dumps({"length": len(json.loads(body)["message"])})
        except (ValueError, KeyError, TypeError):
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"send JSON with a message"]
    else:
        reply = json.dumps({"asked": environ.get("QUERY_STRING", "")})
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(reply)))])
    return [reply.encode()]


def serving(port=0):
    """Serve as long as the block lasts."""
    return served(application, port)


if __name__ == "__main__":
    serve_alone(serving)
