"""Messages as bytes: msgpack with a version, read strictly."""

from __future__ import annotations

from chaperon.cluster.protocol.messages import KINDS, Message
from chaperon.errors import OtherProtocol, WireError
from chaperon.measure.strict_msgpack import Check, pack, reader, unpack

PROTOCOL = 7


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    return pack((PROTOCOL, type(message).__name__, message))


def decode(data: bytes) -> Message:
    """Return the message in *data*, every field checked. Raises WireError, OtherProtocol."""
    content = unpack(data)
    if not isinstance(content, tuple) or len(content) != 3 or type(content[0]) is not int:
        raise WireError(f"none of our messages: {data[:40]!r}")
    protocol, kind, values = content
    if protocol != PROTOCOL:
        raise OtherProtocol(protocol, PROTOCOL)
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise WireError(f"no message is called {kind!r}")
    message: Message = read(values)
    return message


_READERS: dict[str, Check] = {kind.__name__: reader(kind) for kind in KINDS}
