"""The connections that a visit or task opens outside the session, which no sample includes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import gevent.socket

from chaperon.author_frames import Place, author_frames
from chaperon.client.current_session import current_session
from chaperon.measure.recorder import UNMEASURED

REMEDY = (
    "their requests are in no figure: send them with session.http, give the library's requests session to "
    "chaperon.measured_session(…), or time them in a block of session.measure"
)
PLACES = 20
"""Lines of authors that are named in a process; further ones are counted together."""
_places: set[str] = set()
_watched: list[tuple[Any, Any]] = []


class Measuring:
    """A block in which what the current session does is measured.

    It is no `contextmanager`, which sets attributes of the exceptions that pass through it.
    """

    __slots__ = ("_meter",)

    def __enter__(self) -> None:
        session = current_session()
        self._meter = None if session is None else session.meter
        if self._meter is not None:
            self._meter.measuring += 1

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._meter is not None:
            self._meter.measuring -= 1


@contextmanager
def unmeasured_connections_noted() -> Iterator[None]:
    """Count TCP connections that visits open through gevent's sockets without a sample around them, as notes.

    Chaperon's own connections, and those of greenlets that make no visit, are not counted. gevent's
    socket class is changed while the block lasts; blocks may overlap.
    """
    kind: Any = gevent.socket.socket
    if not _watched:
        _watched.append((kind.connect, kind.connect_ex))
        kind.connect = _noting(kind.connect)
        kind.connect_ex = _noting(kind.connect_ex)
    else:
        _watched.append(_watched[0])
    try:
        yield
    finally:
        connect, connect_ex = _watched.pop()
        if not _watched:
            kind.connect, kind.connect_ex = connect, connect_ex


def _noting(connect: Callable[..., Any]) -> Callable[..., Any]:
    def noted(sock: Any, address: Any) -> Any:
        session = current_session()
        if session is not None and not session.meter.measuring and sock.family in (socket.AF_INET, socket.AF_INET6):
            _note(session)
            with Measuring():  # connect_ex calls connect
                return connect(sock, address)
        return connect(sock, address)

    return noted


def _note(session: Any) -> None:
    frames = author_frames(sys._getframe(2))
    place = (
        str(Place(frames[0].f_code.co_filename, frames[0].f_lineno or 0, frames[0].f_code.co_name)) if frames else ""
    )
    if place and place not in _places and len(_places) >= PLACES:
        place = ""
    _places.add(place)
    where = f" ({place})" if place else ""
    session.meter.recorder.count_note(f"{UNMEASURED}{where}: {REMEDY}")
