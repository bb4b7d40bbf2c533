"""DNS resolver with a cache shared by all sessions."""

from __future__ import annotations

import _socket
import socket as constants
from collections.abc import Callable
from math import inf

from gevent import sleep, socket
from gevent.event import AsyncResult

from chaperon.client.network.stream import Address
from chaperon.clock import default_clock
from chaperon.interrupts import is_a

LIVES = 60.0
"""Seconds for which an answer is cached; `getaddrinfo` does not return the time to live of the record."""


class Resolver:
    """Looks up each host once per *lives* seconds; concurrent callers wait for the same lookup."""

    def __init__(self, lives: float = LIVES, now: Callable[[], float] | None = None) -> None:
        self.lives = lives
        self._now = now or default_clock().now
        self.asked = 0
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asking: dict[tuple[str, int], AsyncResult[list[Address]]] = {}

    def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, preferred first. Blocks if not cached. Raises OSError (`socket.gaierror`)."""
        key = host, port
        found: list[Address]
        known = self.cached(host, port)
        if known is not None:
            return known
        numeric = _numeric(host, port)
        if numeric:  # at once: users that begin together would all wait for the first one's look-up
            self._known[key] = (inf, numeric)
            return numeric
        asking = self._asking.get(key)
        if asking is not None:
            found = asking.get() or []
            sleep(0)  # all that waited are resumed in one go: the hub looks at sockets and timers in between
            return found
        asking = self._asking[key] = AsyncResult()
        try:
            found = self._look_up(host, port)
        except BaseException as exc:
            asking.set_exception(exc if is_a(exc, OSError) else OSError(f"looking {host} up was interrupted"))
            raise
        else:
            self._known[key] = (self._now() + self.lives, found)
            asking.set(found)
            return found
        finally:
            del self._asking[key]

    def cached(self, host: str, port: int) -> list[Address] | None:
        """Return the addresses of a host if they are cached; does not block."""
        known = self._known.get((host, port))
        return known[1] if known is not None and known[0] > self._now() else None

    def forget(self) -> None:
        """Clear the cache."""
        self._known.clear()

    def _look_up(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        try:
            found = socket.getaddrinfo(host, port, 0, constants.SOCK_STREAM)
        except UnicodeError as exc:
            raise constants.gaierror(constants.EAI_NONAME, f"{host!r} is no host name: {exc}") from exc
        return [(family, address) for family, _, _, _, address in found]


def _numeric(host: str, port: int) -> list[Address]:
    """Return the address that *host* is, without a look-up; an empty list if it is a name."""
    try:
        found = _socket.getaddrinfo(host, port, 0, constants.SOCK_STREAM, 0, constants.AI_NUMERICHOST)
    except (OSError, ValueError):
        return []
    return [(family, address) for family, _, _, _, address in found]


SHARED = Resolver()
"""The resolver of this process."""
