"""Faulty servers for tests of clients, one fault each.

    with hostile.closed_early() as server:
        report = Environment(server.url, scenarios=[shop]).execute()
    assert server.connections == 1

Each is a context manager that returns a `Port` with its *url*, the number of *connections* so far, and
for TLS the path of the *authority* certificate to trust. All listen on loopback only.
"""

from chaperon.errors import Gone
from chaperon.testing.hostile.bodies import (
    bare_head,
    chunk_extensions,
    dripping_body,
    endless_body,
    forbidden_body,
    gzip_bomb,
    head_with_body,
    trailers,
    truncated_gzip,
    wrong_chunk_size,
)
from chaperon.testing.hostile.connections import (
    closed_early,
    deaf,
    early_answer,
    half_closed,
    half_open,
    refused,
    reset_after_head,
    reset_before_head,
    reset_in_head,
    slow_reader,
    stalled,
    unread,
)
from chaperon.testing.hostile.heads import (
    bad_cookies,
    bad_redirect,
    continued,
    dripping_head,
    endless_head,
    folded_header,
    garbage,
    huge_header,
    informed,
    million_headers,
    odd_length,
    odd_status,
    redirect_loop,
    saying,
    two_answers,
    two_framings,
)
from chaperon.testing.hostile.secure import (
    cut_handshake,
    dripping_handshake,
    expired,
    other_host,
    self_signed,
    stalled_handshake,
    trusted,
)
from chaperon.testing.hostile.server import ANSWER, OK, Peer, Port, Server

__all__ = [  # noqa: RUF022 - in groups
    # the connection breaks
    "refused",
    "deaf",
    "reset_before_head",
    "reset_in_head",
    "reset_after_head",
    "stalled",
    "unread",
    "slow_reader",
    "early_answer",
    "half_open",
    "half_closed",
    "closed_early",
    # the head is wrong, odd, endless
    "garbage",
    "huge_header",
    "million_headers",
    "dripping_head",
    "endless_head",
    "odd_length",
    "odd_status",
    "folded_header",
    "two_answers",
    "two_framings",
    "continued",
    "informed",
    "redirect_loop",
    "bad_redirect",
    "bad_cookies",
    # the body is
    "wrong_chunk_size",
    "chunk_extensions",
    "trailers",
    "forbidden_body",
    "head_with_body",
    "bare_head",
    "dripping_body",
    "endless_body",
    "gzip_bomb",
    "truncated_gzip",
    # TLS
    "trusted",
    "expired",
    "other_host",
    "self_signed",
    "cut_handshake",
    "stalled_handshake",
    "dripping_handshake",
    # to write another
    "ANSWER",
    "OK",
    "Gone",
    "Peer",
    "Port",
    "Server",
    "saying",
]
