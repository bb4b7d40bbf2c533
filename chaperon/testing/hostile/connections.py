"""Servers that break the connection."""

from __future__ import annotations

from gevent import sleep, socket
from gevent.event import Event

from chaperon.testing.hostile.server import ANSWER, OK, Peer, Port, Server

HEAD = len(ANSWER) - len(b"hello")


def refused() -> Port:
    """Refuse every connection: no process listens on the port."""
    return Port()


class Deaf(Port):
    """A listening port whose connections are never accepted."""

    def __enter__(self) -> Deaf:
        self._socket.listen(0)
        self._waiting = [socket.socket() for _ in range(4)]
        for each in self._waiting:  # until the queue of the kernel is full
            each.setblocking(False)
            each.connect_ex(self._socket.getsockname())
        return self

    def __exit__(self, *exc: object) -> None:
        for each in self._waiting:
            each.close()
        super().__exit__(*exc)


def deaf() -> Port:
    """Neither accept a connection nor refuse it, as behind a firewall: on Linux."""
    return Deaf()


def reset_before_head() -> Server:
    """Reset the connection once the request has come."""
    return _reset(after=0)


def reset_in_head() -> Server:
    """Reset the connection in the middle of the head."""
    return _reset(after=HEAD // 2)


def reset_after_head() -> Server:
    """Reset the connection between head and body."""
    return _reset(after=HEAD)


def _reset(after: int) -> Server:
    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(ANSWER[:after])
        peer.reset()

    return Server(treat)


def stalled(after: int | None = None) -> Server:
    """Stop sending after *after* bytes of the answer, and keep the connection open.

    Without a number each connection gets one byte more than the one before it, none at
    first, so that `len(ANSWER)` of them stall at every byte.
    """

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(ANSWER[: peer.number % len(ANSWER) if after is None else after])
        peer.stay()

    return Server(treat)


def half_open() -> Server:
    """Answer the first request of each connection, then be silent, as a peer that crashed."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(ANSWER)
        peer.stay()

    return Server(treat)


def half_closed() -> Server:
    """Close for sending instead of an answer, but go on listening."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.shut()
        peer.stay()

    return Server(treat)


def closed_early() -> Server:
    """Close the connection when the body is ten of a hundred bytes long."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(OK, b"Content-Length: 100\r\n\r\n", b"0123456789")

    return Server(treat)


def unread() -> Server:
    """Read nothing, not even the request, as long as the context lasts."""
    return Server(lambda peer: Event().wait())


def slow_reader(every: float = 0.02) -> Server:
    """Read 64 kB of the request each *every* seconds, and never answer."""

    def treat(peer: Peer) -> None:
        while True:
            peer.receive()
            sleep(every)

    return Server(treat, ahead=65_536)


def early_answer() -> Server:
    """Refuse a request with 413 before its body has come, and close."""

    def treat(peer: Peer) -> None:
        peer.receive()
        peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return Server(treat)
