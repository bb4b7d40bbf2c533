"""The base of small servers of tests: a port of its own on loopback, for as long as a `with` block lasts."""

from gevent.server import StreamServer


class Serving:
    """Calls `serve(sock)` for each connection; *url* is where it listens, under the name *host*."""

    def __init__(self, host="127.0.0.1", path=""):
        self._server = StreamServer(("127.0.0.1", 0), lambda sock, _: self.serve(sock))
        self._server.start()
        self.url = f"http://{host}:{self._server.server_port}{path}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._server.stop(timeout=0)
