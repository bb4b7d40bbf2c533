"""Small targets for the examples, on a free loopback port of the process that runs them."""

from contextlib import contextmanager

from gevent import socket
from gevent.pywsgi import WSGIServer


class Server(WSGIServer):
    """gevent's server, without the 40 ms that small replies wait for delayed acknowledgements."""

    def handle(self, client, address):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(client, address)


@contextmanager
def served(application, **options):
    """Serve a WSGI application as long as the block lasts; yield what an environment's `setup` returns."""
    server = Server(("127.0.0.1", 0), application, log=None, **options)
    server.start()
    try:
        yield {"url": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.stop(timeout=1)
