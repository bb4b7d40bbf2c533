"""A way between a worker and its master that can be cut, healed."""

from contextlib import suppress

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer


class Wire:
    """Three ports in a row that lead to a master's, and can be cut."""

    def __init__(self, address, at="127.0.0.1"):
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._to = host, int(port)
        self._open = Event()
        self._open.set()
        self._whole = Event()
        self._whole.set()
        self._pairs = set()
        self._far = set()
        self.address = None
        while self.address is None:
            self._servers = [StreamServer((at, 0), self._carry)]
            self._servers[0].start()
            first = self._servers[0].server_port
            try:
                for place in (1, 2):
                    server = StreamServer((at, first + place), self._carry)
                    server.start()
                    self._servers.append(server)
            except OSError:
                self.close()
            else:
                self.address = f"tcp://{at}:{first}"
        self._first = first

    def cut(self):
        """Let nothing pass any more, without a word to either side."""
        self._open.clear()

    def heal(self):
        """Break what was stalled, as a router that comes back does, and carry what is new."""
        self._open.set()
        self._whole.set()
        for each in list(self._pairs):
            each.close()

    def close_far(self):
        """Close the connections to the master, and keep those of the worker open with nothing read or sent."""
        self._whole.clear()
        for each in list(self._far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._whole.set()
        for server in self._servers:
            server.stop(timeout=0)
        for each in list(self._pairs):
            each.close()

    def _carry(self, near, _):
        self._whole.wait()
        place = near.getsockname()[1] - self._first
        try:
            far = socket.create_connection((self._to[0], self._to[1] + place))
        except OSError:
            near.close()
            return
        self._pairs |= {near, far}
        self._far.add(far)
        gevent.joinall([gevent.spawn(self._pump, near, far), gevent.spawn(self._pump, far, near)])
        self._pairs -= {near, far}
        self._far.discard(far)

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
        except OSError:
            pass
        finally:
            self._whole.wait()
            for each in (source, sink):
                each.close()
