"""A protocol of your own, timed and counted like HTTP: one line is sent, one comes back.

chaperon local examples/tcp_lines.py
"""

from contextlib import contextmanager

from gevent import socket

from chaperon import Environment, Scenario, run, step, users


def setup():
    from servers.lines import serving

    return serving()


class Lines:
    """One connection; its requests are measured by the session it was opened for."""

    def __init__(self, session, host, port):
        self._session = session
        with session.measure("lines connect", kind="lines"):
            self._socket = socket.create_connection((host, port), timeout=5)
        self._file = self._socket.makefile("rw", encoding="utf-8", newline="\n")

    def ask(self, line):
        """Send a line and return the reply."""
        with self._session.measure(f"lines {line.split()[0]}", kind="lines") as measured:
            self._file.write(line + "\n")
            self._file.flush()
            reply = self._file.readline()
            if not reply:
                raise ConnectionError("the store hung up")  # one error of class ConnectionError
            measured.bytes = len(reply)
            if reply.startswith(("NONE", "ERROR")):
                measured.fail(reply.split()[0].lower())  # an error of class «none» that raises nothing
        return reply.rstrip("\n")

    def close(self):
        self._file.close()
        self._socket.close()


@contextmanager
def connected(session):
    lines = Lines(session, session.config["lines.host"], session.config["lines.port"])
    try:
        yield lines
    finally:
        lines.close()


@step
def write_and_read(session):
    key = f"key-{session.visit.user}"
    with connected(session) as lines:
        for turn in range(10):
            lines.ask(f"SET {key} {turn}")
            session.check("what was written", lines.ask(f"GET {key}") == f"VALUE {turn}")
        lines.ask("GET nothing")


environment = Environment(
    scenarios=[run(Scenario(write_and_read), users(20, ramp="2s"))],
    setup=setup,
    limits=["p95(lines GET) < 100ms", "errors(lines GET) < 10%"],
)
