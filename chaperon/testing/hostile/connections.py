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
        for each in self._waiting:  # until the accept queue of the kernel is full
            each.setblocking(False)
            each.connect_ex(self._socket.getsockname())
        return self

    def __exit__(self, *exc: object) -> None:
        for each in self._waiting:
            each.close()
        super().__exit__(*exc)


def deaf() -> Port:
    """Neither accept nor refuse connections, like a firewall that drops packets. Linux only."""
    return Deaf()


def reset_before_head() -> Server:
    """Reset the connection after the request has arrived."""
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
    """Answer the first request of each connection, then send nothing, like a crashed peer."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(ANSWER)
        peer.stay()

    return Server(treat)


def half_closed() -> Server:
    """Shut down the sending side instead of a response, but keep receiving."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.shut()
        peer.stay()

    return Server(treat)


def closed_early() -> Server:
    """Close the connection after ten of a hundred bytes of the body."""

    def treat(peer: Peer) -> None:
        peer.hear()
        peer.say(OK, b"Content-Length: 100\r\n\r\n", b"0123456789")

    return Server(treat)


def unread() -> Server:
    """Read nothing, not even the request, until the context ends."""
    return Server(lambda peer: Event().wait())


def slow_reader(every: float = 0.02) -> Server:
    """Read up to 64 kB of the request every *every* seconds, and never answer."""

    def treat(peer: Peer) -> None:
        while True:
            peer.receive()
            sleep(every)

    return Server(treat, ahead=65_536)


def early_answer() -> Server:
    """Answer 413 before the body of the request has arrived, and close."""

    def treat(peer: Peer) -> None:
        peer.receive()
        peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return Server(treat)
