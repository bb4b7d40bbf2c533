"""Agreement on permessage-deflate in the opening handshake (RFC 7692, section 7.1)."""

from __future__ import annotations

from typing import Any, NamedTuple

from chaperon.client.websocket.deflate import WINDOWS, MessageDeflater, MessageInflater
from chaperon.errors import UsageError

DEFLATE = "permessage-deflate"
OFFER = f"{DEFLATE}; client_max_window_bits"
"""The server may choose all parameters, also the size of our window."""


class DeflateTerms(NamedTuple):
    """What a server agreed to, its side and ours.

    A *window* is the base-2 logarithm of the bytes to which a message may refer; *anew* is true if no message
    refers to those before it.
    """

    server_window: int = 15
    server_anew: bool = False
    client_window: int = 15
    client_anew: bool = False

    def inflater(self) -> MessageInflater:
        """Return what decompresses the messages of the server."""
        return MessageInflater(self.server_window, self.server_anew)

    def deflater(self) -> MessageDeflater | None:
        """Return what compresses our messages; None for a window that zlib lacks, with which they are sent as is."""
        return None if self.client_window < WINDOWS.start else MessageDeflater(self.client_window, self.client_anew)


def offer_of(compression: str | None) -> str | None:
    """Return the offer for `session.ws(compression=)`, None for no compression. Raises UsageError."""
    if compression is None:
        return None
    if compression == "deflate":
        return OFFER
    raise UsageError(f'compression={compression!r}: give "deflate", or None for no compression')


def agreed_terms(answer: str) -> DeflateTerms:
    """Return what the Sec-WebSocket-Extensions of a response agrees to. Raises ValueError for what was not offered."""
    name, *parameters = (part.strip() for part in answer.split(";"))
    if name.lower() != DEFLATE:
        raise ValueError(f"{name!r} was not offered")
    terms: dict[str, Any] = {}
    seen: set[str] = set()
    for parameter in parameters:
        key, equals, value = (part.strip() for part in parameter.partition("="))
        side, _, what = key.partition("_")
        if key in seen or side not in ("server", "client"):
            raise ValueError(f"{DEFLATE} with {parameter!r}")
        seen.add(key)
        if what == "no_context_takeover" and not equals:
            terms[f"{side}_anew"] = True
        elif what == "max_window_bits" and value.strip('"') in _BITS:
            terms[f"{side}_window"] = int(value.strip('"'))
        else:
            raise ValueError(f"{DEFLATE} with {parameter!r}")
    return DeflateTerms(**terms)


_BITS = frozenset(str(bits) for bits in range(8, 16))
