"""Small targets for the examples, on a loopback port of the process that runs them.

Each can be started by itself: `python -m examples.servers.shop`, with the port after it or a free one.
"""

import sys
from contextlib import contextmanager
from signal import SIGINT

from gevent import signal_handler, socket
from gevent.event import Event
from gevent.pywsgi import WSGIServer


class Server(WSGIServer):
    """gevent's server, without the 40 ms that small replies wait for delayed acknowledgements."""

    def handle(self, client, address):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(client, address)


@contextmanager
def served(application, port=0, **options):
    """Serve a WSGI application as long as the block lasts; yield what an environment's `setup` returns."""
    server = Server(("127.0.0.1", port), application, log=None, **options)
    server.start()
    try:
        yield {"url": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.stop(timeout=1)


def serve_alone(serving):
    """Serve until Ctrl-C, at the port that the command line names or at a free one, and print the address."""
    port = sys.argv[1] if len(sys.argv) > 1 else "0"
    if not port.isdigit() or int(port) > 65535:
        sys.exit(f"{port!r} is no port: give a number up to 65535, or none for a free port")
    try:
        with serving(int(port)) as config:
            address = config.get("url") or "{host}:{port}".format(**next(iter(config.values())))
            ended = Event()
            signal_handler(SIGINT, ended.set)
            print(f"listening on {address}", flush=True)
            ended.wait()
    except OSError as exc:
        sys.exit(f"port {port} cannot be used: {exc.strerror}")
