"""Addresses of both ends of a connection: they agree where no proxy and no address translation is between them."""

from __future__ import annotations

import os
import socket

_MAPPED = "::ffff:"  # an IPv4 address seen by an IPv6 socket


def local_endpoint(number: int) -> str:
    """Return "address:port" of this end of the connection with a file descriptor *number*; "" for a local socket."""
    return _endpoint(number, remote=False)


def remote_endpoint(number: int) -> str:
    """Return "address:port" of the other end; "" for a local socket, "unknown" where the connection is closed."""
    return _endpoint(number, remote=True)


def _endpoint(number: int, *, remote: bool) -> str:
    try:
        with socket.socket(fileno=os.dup(number)) as end:
            if end.family == socket.AF_UNIX:
                return ""
            address, port = (end.getpeername() if remote else end.getsockname())[:2]
    except OSError:
        return "unknown" if remote else ""
    return f"{address.partition('%')[0].removeprefix(_MAPPED)}:{port}"
