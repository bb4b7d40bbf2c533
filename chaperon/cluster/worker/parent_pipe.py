"""The connection between a supervisor and its engine, the engine's standard input: a socket pair.

The supervisor writes one line with the key and keeps its end open, so that the engine notices the supervisor's
end. The engine writes the names with secrets that its journal does not hold (see `JournalTexts`), a line each.
"""

from __future__ import annotations

import _socket
import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress

MAX_LINE = 1_000
MOST_WAITING = 1_000_000
"""Maximum number of bytes of names that wait for a supervisor that does not read; further names are left out."""
_READ = 65_536
Connection = socket.socket


def connected_pair() -> tuple[Connection, Connection]:
    """Return the supervisor's end and the engine's. Raises OSError."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    os.set_blocking(its.fileno(), True)  # the engine reads it in a thread; gevent makes sockets non-blocking
    return ours, its


def write_key_line(connection: Connection, line: str) -> None:
    """Write the line of a key, or an empty one, to an engine just started.

    It does not block: the socket holds more than that. An engine that is gone by then gets nothing.
    """
    with suppress(OSError):
        connection.send(f"{line}\n".encode("ascii"))


def read_key_line(fd: int = 0) -> str:
    """Return the line that the supervisor wrote; empty without a key, or where the supervisor is gone.

    Blocks until the line is there.
    """
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_LINE:
        more = os.read(fd, 1)  # not one byte beyond the line
        if not more:
            return ""
        line += more
    return line.decode("ascii").strip()


class NameSender:
    """Writes numbered names to the supervisor by *fd*, which stays open. Does not block, raises no OSError."""

    def __init__(self, fd: int) -> None:
        # the plain type: gevent's would make the file description non-blocking, which a thread reads from
        self._connection = _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd)
        self._waiting = b""

    def __repr__(self) -> str:
        return f"<NameSender, {len(self._waiting)} bytes waiting>"

    def __call__(self, number: int, name: str) -> None:
        """Write a name; what the supervisor has no room for is written with the next one."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting += json.dumps([number, name]).encode() + b"\n"
        with suppress(OSError):  # the supervisor does not read at the moment, or is gone
            while self._waiting:
                sent = self._connection.send(self._waiting, socket.MSG_DONTWAIT)
                self._waiting = self._waiting[sent:]


class NameReader:
    """Reads numbered names that an engine writes and hands each to *add*."""

    def __init__(self, connection: Connection, add: Callable[[int, str], object]) -> None:
        self._connection = connection
        self._add = add
        self._rest = b""

    def __repr__(self) -> str:
        return f"<NameReader of {self._connection}>"

    def read(self) -> None:
        """Read until the engine closes its end. Blocks."""
        with suppress(OSError):
            while data := self._connection.recv(_READ):
                self._parse(data)

    def read_rest(self) -> None:
        """Read what an engine that has ended had written; does not block."""
        with suppress(OSError):
            self._connection.setblocking(False)
            while data := self._connection.recv(_READ):
                self._parse(data)

    def _parse(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                number, name = json.loads(line)
                self._add(number, name)
