"""Messages as bytes: msgpack with a version, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaperon.cluster.protocol.messages import KINDS, Message
from chaperon.errors import LoadError, OtherProtocol, WireError
from chaperon.measure.encoding.strict_msgpack import LARGEST, Check, pack, plain, reader, unpack
from chaperon.measure.quantity import count_text

PROTOCOL = 19


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    return pack((PROTOCOL, type(message).__name__, message))


def require_sendable(message: Message, parts: Mapping[str, Any]) -> None:
    """Check that *message* can be sent; *parts* are those of its values that an author determines, by what they are.

    Raises LoadError, which names the part that cannot be sent, or the largest of them.
    """
    sizes = {}
    for what, value in parts.items():
        try:
            packed = pack(value)
            sizes[what] = len(packed)
            if len(packed) <= LARGEST:
                plain(unpack(packed))
        except WireError as exc:
            raise LoadError(
                f"{what} cannot be sent to workers: {exc}; use text, finite numbers, lists and dicts"
            ) from None
    size = len(encode(message))
    if size > LARGEST:
        what = max(sizes, key=lambda each: sizes[each])
        raise LoadError(
            f"{what} has {count_text(sizes[what], 'byte')}, more than fit in a message of {LARGEST:,} to a worker: "
            "write the data to a file beside the scenario, which is shipped with it, or return less"
        )


def decode(data: bytes) -> Message:
    """Return the message in *data*, every field checked. Raises WireError, OtherProtocol."""
    content = unpack(data)
    if not isinstance(content, tuple) or len(content) != 3 or type(content[0]) is not int:
        raise WireError(f"not a message of Chaperon: {data[:40]!r}")
    protocol, kind, values = content
    if protocol != PROTOCOL:
        raise OtherProtocol(protocol, PROTOCOL)
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise WireError(f"no message is called {kind!r}")
    message: Message = read(values)
    return message


_READERS: dict[str, Check] = {kind.__name__: reader(kind) for kind in KINDS}
