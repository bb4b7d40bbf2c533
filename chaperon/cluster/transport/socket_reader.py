"""Receiving from a ZeroMQ socket in a greenlet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import zmq
from gevent.event import Event

POLL_INTERVAL = 0.25
"""Seconds after which a socket without a signal is asked again: a signal can be lost."""

_NOBLOCK, _FD, _EVENTS, _POLLIN = (int(each) for each in (zmq.NOBLOCK, zmq.FD, zmq.EVENTS, zmq.POLLIN))


class SocketReader:
    """Receives messages from one plain *socket*, for one greenlet.

    libzmq signals by a file descriptor that the state of the socket has changed, and any call for the socket may
    consume the signal (zmq_getsockopt(3), ZMQ_FD). An attempt to receive that finds no message has handled all of them,
    so a later one ends the wait that follows. Only sending can consume one meanwhile: see `after_send`. The sockets of
    `zmq.green` ask for the state after each message they receive or send, and listen to signals while they do not
    wait, which takes half of the time of a short message.
    """

    def __init__(self, socket: Any) -> None:
        loop = gevent.get_hub().loop
        self._socket = socket
        self._news = Event()
        self._waiting = False
        self._signal = loop.io(socket.getsockopt(_FD), 1)
        self._timer = loop.timer(POLL_INTERVAL, POLL_INTERVAL)

    def __repr__(self) -> str:
        return f"<SocketReader of {self._socket}>"

    def receive(self, *, frames: bool = False, gather: Callable[[], float] | None = None) -> list[Any]:
        """Return the parts of the next message: bytes; with *frames* those after the first are a `zmq.Frame`.

        Blocks the calling greenlet. After waiting for a message it waits *gather()* seconds more, so that others
        arrive. Raises the error of pyzmq once the socket is closed.
        """
        socket = self._socket
        while True:
            try:
                frame = socket.recv(_NOBLOCK, False)
            except zmq.Again:
                self._wait()
                late = 0.0 if gather is None else gather()
                if late:
                    gevent.sleep(late)
            else:
                return self._parts(frame, frames)

    def arrived(self) -> Iterator[list[bytes]]:
        """Yield the parts of each message that has arrived. Does not block."""
        while True:
            try:
                frame = self._socket.recv(_NOBLOCK, False)
            except zmq.Again:
                return
            yield self._parts(frame, frames=False)

    def after_send(self) -> None:
        """Continue the waiting greenlet if a message is there; to be called after each message sent by the socket."""
        if self._waiting and self._socket.getsockopt(_EVENTS) & _POLLIN:
            self._news.set()

    def close(self) -> None:
        """Release what the event loop holds; to be called before the socket is closed."""
        self._signal.close()
        self._timer.close()
        self._news.set()

    def _parts(self, frame: Any, frames: bool) -> list[Any]:
        """Return the parts of the message that begins with *frame*."""
        parts = [frame.bytes]
        while frame.more:  # a frame knows it; to ask the socket takes longer than to receive
            frame = self._socket.recv(_NOBLOCK, False)
            parts.append(frame if frames else frame.bytes)
        return parts

    def _wait(self) -> None:
        """Block until a message may be there."""
        self._news.clear()
        self._waiting = True
        self._signal.start(self._news.set)
        self._timer.again(self._news.set)
        try:
            self._news.wait()
        finally:
            self._waiting = False
            self._signal.stop()
            self._timer.stop()
