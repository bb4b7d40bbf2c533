"""A store with a protocol of lines: «SET key value» is answered by «OK», «GET key» by «VALUE value» or «NONE»."""

from collections import Counter
from contextlib import contextmanager

from gevent.server import StreamServer

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
def serving():
    """Serve during the block; yield the address as configuration."""
    server = StreamServer(("127.0.0.1", 0), _handle)
    server.start()
    try:
        yield {"lines": {"host": "127.0.0.1", "port": server.server_port}}
    finally:
        server.stop(timeout=1)
