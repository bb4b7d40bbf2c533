"""A network whose peers follow a script: bytes in, bytes out, no sockets, time as the clock says."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import gevent
from gevent.event import Event

from chaperon.client.network.stream import Address
from chaperon.clock import Clock
from chaperon.errors import SocketTimeout

Script = Callable[["ScriptedPeer"], object]
"""What the peer of one connection does; it runs in a greenlet, and the connection is closed when it returns."""


class ScriptedNetwork:
    """A `Network` whose connections lead to scripts instead of servers.

    Each connection uses the next of *scripts*, the last one again and again. A script is a function of a
    `ScriptedPeer`, or an OSError that connecting raises; without scripts every connection is refused.
    Resolving a name takes *dns* seconds, connecting *connect* seconds, TLS handshakes *tls* seconds
    (nothing is encrypted). *hosts* maps names to addresses that are tried in turn; without it every
    name has one, and with it any other name raises
    `socket.gaierror`. *peers* are those that were connected to, in order; *failures* the exceptions that
    scripts raised, each of which resets its connection.

        network = ScriptedNetwork(VirtualClock(), lambda peer: peer.answer(b"HTTP/1.1 204 No Content\\r\\n\\r\\n"))
        report = simulate(environment, network)
    """

    def __init__(
        self,
        clock: Clock,
        *scripts: Script | OSError,
        dns: float = 0.0,
        connect: float = 0.0,
        tls: float = 0.0,
        hosts: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.clock = clock
        self.dns = dns
        self.connect = connect
        self.tls = tls
        self.peers: list[ScriptedPeer] = []
        self.failures: list[Exception] = []
        self._scripts = list(scripts)
        self._hosts = hosts

    def __repr__(self) -> str:
        return f"<ScriptedNetwork, {len(self.peers)} connections>"

    def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host; blocks for *dns* seconds. Raises `socket.gaierror`."""
        self.clock.sleep(self.dns)
        if self._hosts is None:
            return [(socket.AF_INET, (host, port))]
        if host not in self._hosts:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not in hosts=")
        return [(socket.AF_INET, (address, port)) for address in self._hosts[host]]

    def stream(self, family: int, *, secure: bool, now: Callable[[], float]) -> ScriptedStream:
        """Return a stream that is not connected yet."""
        return ScriptedStream(self)

    def next_script(self) -> Script | OSError:
        """Return the script of the next connection. Raises ConnectionRefusedError without any."""
        if not self._scripts:
            return ConnectionRefusedError(111, "Connection refused")
        return self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]


class ScriptedPeer:
    """The other end of one connection, as its script sees it.

    *address* is what was connected to, *local* the source address, *received* all bytes that came.
    """

    def __init__(self, stream: ScriptedStream, clock: Clock, address: Any, local: str | None) -> None:
        self.address = address
        self.local = local
        self.received = b""
        self.closed_by_client = False
        self._clock = clock
        self._stream = stream
        self._unread = b""
        self._news = Event()

    def __repr__(self) -> str:
        return f"<ScriptedPeer at {self.address}, {len(self.received)} bytes received>"

    def receive(self, until: bytes = b"\r\n\r\n") -> bytes:
        """Return what came up to and with *until*, the end of a request's head by default; blocks.

        Raises EOFError where the client closes the connection before that.
        """
        while until not in self._unread:
            self._wait()
        found, mark, self._unread = self._unread.partition(until)
        return found + mark

    def receive_bytes(self, size: int) -> bytes:
        """Return the next *size* bytes; blocks. Raises EOFError."""
        while len(self._unread) < size:
            self._wait()
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def send(self, *pieces: bytes) -> None:
        """Send *pieces*, each of which the client receives by itself. Returns at once."""
        for piece in pieces:
            self._stream.deliver(piece)

    def answer(self, *pieces: bytes) -> None:
        """Receive the head of a request, then send *pieces*; blocks. Raises EOFError."""
        self.receive()
        self.send(*pieces)

    def sleep(self, seconds: float) -> None:
        """Wait for *seconds* of the clock."""
        self._clock.sleep(seconds)

    def close(self) -> None:
        """End the stream in order: the client receives what was sent, then the end."""
        self._stream.deliver(b"")

    def reset(self) -> None:
        """Break the connection: what the client has not received is gone, it gets ConnectionResetError."""
        self._stream.fail(ConnectionResetError(104, "Connection reset by peer"))

    def stay(self) -> None:
        """Wait until the client closes the connection."""
        while not self.closed_by_client:
            self._news.clear()
            self._news.wait()

    def receive_from_client(self, data: bytes) -> None:
        """Append bytes that the client has sent."""
        self.received += data
        self._unread += data
        self._news.set()

    def client_closed(self) -> None:
        """Record that the client has closed the connection."""
        self.closed_by_client = True
        self._news.set()

    def _wait(self) -> None:
        if self.closed_by_client:
            raise EOFError("the client closed the connection")
        self._news.clear()
        self._news.wait()


class ScriptedStream:
    """A `NetworkStream` to a `ScriptedPeer`."""

    def __init__(self, network: ScriptedNetwork) -> None:
        self.patience = self.deadline = inf
        self._network = network
        self._clock = network.clock
        self._peer: ScriptedPeer | None = None
        self._pieces: list[bytes] = []
        self._ended = False
        self._closed = False
        self._error: OSError | None = None
        self._news = Event()
        self._readable: Callable[[], object] | None = None
        self._lost: Callable[[OSError], object] | None = None

    def __repr__(self) -> str:
        return f"<ScriptedStream to {self._peer!r}>"

    def connect(self, address: Any, local: str | None = None) -> None:
        """See `NetworkStream.connect`."""
        self._limited(self._network.connect)
        script = self._network.next_script()
        if isinstance(script, OSError):
            raise script
        self._peer = ScriptedPeer(self, self._clock, address, local)
        self._network.peers.append(self._peer)
        gevent.spawn(self._perform, script, self._peer)

    def secure(self, context: ssl.SSLContext, host: str, port: int) -> None:
        """See `NetworkStream.secure`; takes the network's *tls* seconds, encrypts nothing."""
        self._limited(self._network.tls)

    def send(self, data: bytes) -> None:
        """See `NetworkStream.send`; the peer receives everything at once."""
        if self._ended:
            raise BrokenPipeError(32, "Broken pipe")
        self._deliver_to_peer(data)
        gevent.sleep(0)  # the peer's script goes on, as it would beside a real send

    def receive(self) -> bytes:
        """See `NetworkStream.receive`."""
        due = min(self._clock.now() + self.patience, self.deadline)
        timer = None if due == inf else self._clock.after(due - self._clock.now(), self._news.set)
        try:
            while (data := self.receive_now()) is None:
                if self._clock.now() >= due:
                    raise SocketTimeout(self.deadline <= due)
                self._news.clear()
                self._news.wait()
            return data
        finally:
            if timer is not None:
                timer.cancel()

    def quiet(self) -> bool:
        """See `NetworkStream.quiet`."""
        return not (self._pieces or self._ended or self._error)

    def watch(self, readable: Callable[[], object], lost: Callable[[OSError], object]) -> None:
        """See `NetworkStream.watch`."""
        self._readable, self._lost = readable, lost
        self._announce()

    def receive_now(self) -> bytes | None:
        """See `NetworkStream.receive_now`."""
        if self._error is not None:
            raise self._error
        if self._pieces:
            return self._pieces.pop(0)
        return b"" if self._ended else None

    @property
    def has_more(self) -> bool:
        """See `NetworkStream.has_more`."""
        return not self.quiet()

    def send_now(self, data: bytes) -> int:
        """See `NetworkStream.send_now`; nothing is ever left."""
        self._deliver_to_peer(data)
        return 0

    def on_sent(self, sent: Callable[[], object]) -> None:
        """See `NetworkStream.on_sent`; never called, since nothing is ever left."""

    @property
    def unsent(self) -> int:
        """See `NetworkStream.unsent`."""
        return 0

    def close(self) -> None:
        """See `NetworkStream.close`."""
        self._readable = self._lost = None
        self._ended = self._closed = True
        if self._peer is not None:
            self._peer.client_closed()

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
        return -1

    def deliver(self, data: bytes) -> None:
        """Let *data* come from the peer, b"" for the end."""
        if data:
            self._pieces.append(data)
        else:
            self._ended = True
        self._announce()

    def fail(self, error: OSError) -> None:
        """Break the connection with *error*."""
        self._error = error
        self._announce()

    def _deliver_to_peer(self, data: bytes) -> None:
        """Hand *data* to the peer. Raises BrokenPipeError before `connect` and after `close`."""
        if self._error is not None:
            raise self._error
        if self._peer is None or self._closed:
            raise BrokenPipeError(32, "Broken pipe")
        self._peer.receive_from_client(data)

    def _announce(self) -> None:
        self._news.set()
        if self._readable is not None and not self.quiet():
            gevent.get_hub().loop.run_callback(self._on_readable)

    def _on_readable(self) -> None:
        if self._readable is not None:
            self._readable()

    def _limited(self, seconds: float) -> None:
        """Wait for *seconds*, no longer than patience and deadline allow. Raises SocketTimeout."""
        now = self._clock.now()
        due = min(now + self.patience, self.deadline)
        self._clock.sleep(min(seconds, due - now))
        if now + seconds > due:
            raise SocketTimeout(self.deadline <= due)

    def _perform(self, script: Script, peer: ScriptedPeer) -> None:
        try:
            script(peer)
        except EOFError:  # of a script that reads after the client has closed the connection
            return
        except Exception as exc:
            self._network.failures.append(exc)
            peer.reset()
        else:
            peer.close()
