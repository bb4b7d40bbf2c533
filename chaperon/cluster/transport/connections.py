"""Which worker spoke last by which connection of the master."""

from __future__ import annotations


class Connections:
    """The open connections of a ROUTER socket, by file descriptor: whose each is.

    The socket's monitor tells when one is opened or closed, in order; messages say by which they
    came (SRCFD), but are read apart from the monitor, so that either may be known first. A
    number is used again as soon as its connection is closed.
    """

    def __init__(self) -> None:
        self._peers: dict[int, bytes] = {}
        self._numbers: dict[bytes, int] = {}
        self._closed: set[int] = set()

    def __repr__(self) -> str:
        return f"<Connections of {len(self._numbers)} peers>"

    def record_opened(self, number: int) -> None:
        """Note a new connection."""
        self._closed.discard(number)

    def record_closed(self, number: int) -> bytes | None:
        """Note that a connection was closed; return whose it was, unless that peer has a newer one."""
        self._closed.add(number)
        peer = self._peers.pop(number, None)
        if peer is None or self._numbers.get(peer) != number:
            return None
        del self._numbers[peer]
        return peer

    def record_message(self, peer: bytes, number: int) -> bytes | None:
        """Note by which connection a peer spoke; return who is known to have none any more, if anyone."""
        if number in self._closed:  # it was said before the end, and is read after it
            return None if peer in self._numbers else peer
        before = self._peers.get(number)
        former = self._numbers.get(peer)
        self._peers[number], self._numbers[peer] = peer, number
        if former is not None and former != number:
            self._peers.pop(former, None)
        if before is None or before == peer or self._numbers.get(before) != number:
            return None
        del self._numbers[before]
        return before
