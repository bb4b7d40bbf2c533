"""Protocols of the link between master and workers, one for each end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from chaperon.cluster.protocol.messages import Message, Offer, WindowFrame
from chaperon.errors import OtherProtocol

MALFORMED = "messages that were malformed"
FOREIGN = "messages of another protocol"
FAULTS = "messages that could not be handled"
STRANGERS = "connections refused by the key, or ended in their handshake"
REFUSALS = "attempts to join refused by the key"

OnWorkerMessage = Callable[[bytes, Message], None]
OnMasterMessage = Callable[[Message], None]
OnRefused = Callable[[str, bool], None]
"""Called with the reason why a worker cannot join, and whether a further attempt is of no use."""

OnClosed = Callable[[bytes, bool], None]
"""Called with the identity of the worker whose connection was closed, which may open a new one.

The second argument is whether the connection was direct, so that the worker's end is closed too.
A proxy between both may keep the worker's end open.
"""

OnBrokenHandshake = Callable[[], None]
"""Called when a connection ended before its handshake did: of a stranger, or of a worker that waited too long."""

OnConnection = Callable[[bool], None]
"""Called with True when a worker's connection to its master is open, with False when it was closed."""


class MasterLink(Protocol):
    """The master's end; *dropped* counts dropped messages by reason."""

    @property
    def dropped(self) -> Counter[str]: ...

    def listen(
        self,
        on_message: OnWorkerMessage,
        on_other_protocol: Callable[[bytes, OtherProtocol], None],
        on_closed: OnClosed = ...,
        on_broken_handshake: OnBrokenHandshake = ...,
    ) -> None: ...

    def send(self, peer: bytes, message: Message) -> None: ...

    def offer(self, offer: Offer) -> bool: ...

    def close(self) -> None: ...


class WorkerLink(Protocol):
    """A worker's end; it receives offers after `accept_offers`. *dropped* counts dropped messages by reason."""

    @property
    def dropped(self) -> Counter[str]: ...

    def listen(
        self,
        on_message: OnMasterMessage,
        on_other_protocol: Callable[[OtherProtocol], None],
        on_refused: OnRefused = ...,
        on_connection: OnConnection = ...,
    ) -> None: ...

    def send(self, message: Message) -> None: ...

    def send_window(self, frame: WindowFrame) -> bool: ...

    def accept_offers(self) -> None: ...

    def decline_offers(self) -> None: ...

    def reconnect(self) -> None: ...

    def close(self) -> None: ...
