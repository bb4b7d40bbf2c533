"""Which connection of the master belongs to which worker."""

from __future__ import annotations


class Connections:
    """The open connections of a ROUTER socket by file descriptor, with the peer of each.

    The socket's monitor reports in order which are opened and closed. Messages have the descriptor
    by which they came (SRCFD). A descriptor is used again as soon as its connection is closed, so the monitor is
    read before a message that does not come by the connection `is_known` of its peer.
    """

    def __init__(self) -> None:
        self._peers: dict[int, bytes] = {}
        self._numbers: dict[bytes, int] = {}
        self._closed: set[int] = set()

    def __repr__(self) -> str:
        return f"<Connections of {len(self._numbers)} peers>"

    def __len__(self) -> int:
        return len(self._numbers)

    def is_known(self, peer: bytes, number: int) -> bool:
        """Return whether the messages of *peer* come by this connection."""
        return self._numbers.get(peer) == number

    def record_opened(self, number: int) -> None:
        """Record a new connection."""
        self._closed.discard(number)

    def record_closed(self, number: int) -> bytes | None:
        """Record that a connection was closed; return its peer, unless the peer has a newer one."""
        self._closed.add(number)
        peer = self._peers.pop(number, None)
        if peer is None or self._numbers.get(peer) != number:
            return None
        del self._numbers[peer]
        return peer

    def record_message(self, peer: bytes, number: int) -> bytes | None:
        """Record the connection of a message; return a peer that has no connection any more, or None."""
        if number in self._closed:  # sent before the connection was closed, read afterwards
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
