"""A store with a protocol of lines: «SET key value» is answered by «OK», «GET key» by «VALUE value» or «NONE»."""

from collections import Counter
from contextlib import contextmanager

from gevent.server import StreamServer

from . import serve_alone

counts = Counter()
_values = {}


def answer(line):
    """Return the reply to one line."""
    match line.split(" ", 2):
        case "SET", key, value:
            _values[key] = value
            return "OK"
        case "GET", key:
            return f"VALUE {_values[key]}" if key in _values else "NONE"
    return "ERROR no such command"


def _handle(connection, address):
    with connection, connection.makefile("rw", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            counts[line.split(" ")[0].strip()] += 1
            lines.write(answer(line.rstrip("\n")) + "\n")
            lines.flush()


@contextmanager
def serving(port=0):
    """Serve as long as the block lasts; yield the address as configuration."""
    server = StreamServer(("127.0.0.1", port), _handle)
    server.start()
    try:
        yield {"lines": {"host": "127.0.0.1", "port": server.server_port}}
    finally:
        server.stop(timeout=1)


if __name__ == "__main__":
    serve_alone(serving)
