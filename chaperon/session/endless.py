"""Why a visit that is interrupted has no natural end."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import FrameType

from chaperon.author_frames import author_frames
from chaperon.interrupts import LOOP, SOCKET
from chaperon.session.clients import SessionClients


def endless_reason(endless_work: EndlessWork, frame: FrameType | None) -> str:
    """Return why the current work of a session has no natural end, or "" if it has one.

    "loop": it is in `session.loop`, or, if the *frame* in which its greenlet waits is given, a
    `while` loop of the author's is on the stack. "socket": it holds a WebSocket open.
    """
    if endless_work.loops or in_while_loop(frame):
        return LOOP
    return SOCKET if endless_work.holds_socket else ""


def in_while_loop(frame: FrameType | None) -> bool:
    """Return whether a stack is within a `while` loop of a file that is neither Chaperon's nor a library's."""
    for each in author_frames(frame):
        path, line, first = each.f_code.co_filename, each.f_lineno, each.f_code.co_firstlineno
        if any(first <= start <= line <= end for start, end in _loops(path)):
            return True
    return False


@lru_cache(maxsize=256)
def _loops(path: str) -> tuple[tuple[int, int], ...]:
    """Return the first and the last line of each `while` loop of a source file; none where it cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return ()
    return tuple((n.lineno, n.end_lineno or n.lineno) for n in ast.walk(tree) if isinstance(n, ast.While))


class EndlessWork:
    """Work of a session that has no natural end: the number of *loops* it is in, open WebSockets."""

    __slots__ = ("_clients", "loops")

    def __init__(self, clients: SessionClients) -> None:
        self.loops = 0
        self._clients = clients

    @property
    def holds_socket(self) -> bool:
        """Whether a WebSocket of the session, or of one of its tasks, is open."""
        return self._clients.holds_socket
