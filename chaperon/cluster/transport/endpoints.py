"""Addresses of both ends of a connection: they agree where no proxy and no address translation is between them.

Also whether a process listens at the path of a local socket.
"""

from __future__ import annotations

import os
import socket

_MAPPED = "::ffff:"  # an IPv4 address seen by an IPv6 socket


LISTENER_ANSWERS_WITHIN = 1.0
"""Seconds after which a local socket that neither accepts nor refuses a connection is taken to be in use."""


def has_listener(path: str) -> bool:
    """Return whether a process listens at the local socket *path*. Blocks for `LISTENER_ANSWERS_WITHIN` at most."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(LISTENER_ANSWERS_WITHIN)
        try:
            end.connect(path)
        except (BlockingIOError, TimeoutError):
            return True
        except OSError:  # there is none, or it is left over from a process that has ended
            return False
    return True


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
