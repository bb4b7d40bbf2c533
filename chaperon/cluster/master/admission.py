"""Admission of workers: answers hellos, refuses with a reason, sends the scenario in chunks."""

from __future__ import annotations

import platform
from collections.abc import Callable

from chaperon._version import VERSION
from chaperon.cluster.bundle import ScenarioBundle
from chaperon.cluster.master.workers import WorkerRecord
from chaperon.cluster.protocol.codec import PROTOCOL
from chaperon.cluster.protocol.messages import BundleChunk, Fetch, Hello, Reject, Welcome
from chaperon.cluster.transport.link import MasterLink
from chaperon.errors import OtherProtocol

CHUNK_SIZE = 256 << 10
"""Bytes of the scenario in one message."""

MAX_REPORTED = 1_000
"""How many refusals are reported one by one."""


class Admission:
    """Answers hellos with *welcome* or the reason for a refusal, and sends chunks of the *bundle*.

    *admit* decides: it returns a record, the reason for a refusal, or None: the worker asks again.
    *notify* is called once for each refused worker; *refused* are the reasons by name.
    """

    def __init__(
        self,
        link: MasterLink,
        bundle: ScenarioBundle,
        admit: Callable[[Hello, float], WorkerRecord | str | None],
        welcome: Callable[[], Welcome],
        notify: Callable[[str], None],
    ) -> None:
        self.refused: dict[str, str] = {}
        self._link = link
        self._bundle = bundle
        self._admit = admit
        self._welcome = welcome
        self._notify = notify
        self._reported: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Admission to {self._bundle.target}, {len(self.refused)} refused>"

    @property
    def refusals(self) -> str:
        """The refused workers with the reasons; "" if there are none."""
        found = [f"{name!r} was refused, for {why}" for name, why in self.refused.items()]
        return "; ".join(found[:3] if len(found) < 4 else [*found[:2], f"as were {len(found) - 2} more"])

    def handle_hello(self, sender: bytes, hello: Hello, now: float) -> None:
        """Admit or refuse a worker."""
        admitted = self._admit(hello, now)
        if isinstance(admitted, WorkerRecord):
            admitted.connection = admitted.connection or sender
            self._link.send(sender, self._welcome())
            python, own = (v.split(".")[:2] for v in (hello.python, platform.python_version()))
            if python != own:
                its = f"its Python is {hello.python}, the master's {platform.python_version()}"
                self._notify_once(sender, f"worker {hello.worker!r} on {hello.host!r} joins, though {its}")
        elif admitted is not None:
            self._refuse(sender, hello.worker, f" on {hello.host!r}", admitted)

    def handle_other_protocol(self, sender: bytes, exc: OtherProtocol) -> None:
        """Refuse a worker that uses another protocol version."""
        name = sender.rpartition(b"/")[0].decode(errors="replace")
        why = f"it speaks protocol {exc.theirs}, the master's Chaperon {VERSION} protocol {PROTOCOL}"
        self._refuse(sender, name, "", f"{why}: install the same Chaperon on both")

    def handle_fetch(self, sender: bytes, fetch: Fetch) -> None:
        """Send a chunk of the scenario."""
        content = self._bundle.content
        if fetch.digest == self._bundle.digest and 0 <= fetch.offset < len(content):
            self._link.send(
                sender, BundleChunk(fetch.digest, fetch.offset, content[fetch.offset : fetch.offset + CHUNK_SIZE])
            )

    def _refuse(self, sender: bytes, name: str, where: str, why: str) -> None:
        self._link.send(sender, Reject(why))
        if self._notify_once(sender, f"worker {name!r}{where} is refused: {why}"):
            self.refused[name] = why

    def _notify_once(self, sender: bytes, text: str) -> bool:
        if sender in self._reported or len(self._reported) > MAX_REPORTED:
            return False
        self._reported.add(sender)
        if len(self._reported) > MAX_REPORTED:
            self._notify(f"more than {MAX_REPORTED:,} workers were refused: further ones are not reported")
            return False
        self._notify(text)
        return True
