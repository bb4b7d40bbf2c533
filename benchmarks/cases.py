"""What is sent: one request in the words of each peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A request that every peer knows how to send.

    *chaperon* is the line of a step (`session`), *locust* that of a task (`self.client`),
    *wrk* a Lua script, none for a plain GET of *path*. *tls* sends it to the TLS port.
    """

    name: str
    chaperon: str
    locust: str
    path: str = "/"
    wrk: str = ""
    tls: bool = False


CASES = {
    case.name: case
    for case in (
        Case("get", 'session.get("/")', 'self.client.get("/")'),
    )
}
