"""What every test stands on: patched sockets, a clock that obeys, a server that counts."""

# first: requests brings ssl, which must be patched before
from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402 - see above
import ssl  # noqa: E402 - see above

import gevent  # noqa: E402
import pytest  # noqa: E402
import trustme  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from peer import Peer, WebSocketServer  # noqa: E402

from chaperon.testing import VirtualClock  # noqa: E402


def pytest_collection_modifyitems(items):
    """Let what needs real time try again: the machine may have been somebody else's just then."""
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


@pytest.fixture
def clock():
    return VirtualClock()


class PromptServer(WSGIServer):
    """Sends what it has at once: headers and body apart cost the client 40 ms of delayed ACK."""

    def handle(self, client, address):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(client, address)


class Target:
    """A loopback server that remembers what it was asked."""

    def __init__(self, **tls):
        self.asked = []
        self.cookies = []
        self.headers = []
        self.types = []
        self.queries = []
        self.bodies = []
        self._server = PromptServer(("127.0.0.1", 0), self._answer, log=None, **tls)
        self._server.start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def count(self, line):
        return self.asked.count(line)

    def close(self):
        self._server.stop(timeout=0.1)

    def _answer(self, environ, start_response):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        self.asked.append(f"{method} {path}")
        self.cookies.append(environ.get("HTTP_COOKIE"))
        self.headers.append({k: v for k, v in environ.items() if k.startswith("HTTP_")})
        self.queries.append(environ.get("QUERY_STRING", ""))
        self.types.append(environ.get("CONTENT_TYPE"))
        self.bodies.append(environ["wsgi.input"].read())
        body = self.bodies[-1] or b"hello"
        headers = [("Content-Type", "text/plain")]
        if path.startswith("/status/"):
            status = f"{path.rpartition('/')[2]} As Asked"
        elif path == "/redirect":
            status, headers = "302 Found", [*headers, ("Location", "/landed")]
        else:
            status = "200 OK"
        if path == "/slow":
            gevent.sleep(3600)
        if path.startswith("/cookie/"):
            headers.append(("Set-Cookie", f"{path.rpartition('/')[2]}=1; Path=/"))
        if path == "/login":
            headers.append(("Set-Cookie", "who=admin; Path=/"))
        start_response(status, headers)
        return [b"" if method == "HEAD" else body]


@pytest.fixture
def target():
    server = Target()
    yield server
    server.close()


@pytest.fixture
def tls_target(tmp_path):
    """A target over TLS, with a certificate that only *ca* vouches for."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    server = Target(ssl_context=context)
    server.ca = str(tmp_path / "ca.pem")
    yield server
    server.close()


@pytest.fixture
def dead_port():
    """A loopback port nobody listens on."""
    server = WSGIServer(("127.0.0.1", 0), lambda e, s: [], log=None)
    server.start()
    port = server.server_port
    server.stop()
    return port


@pytest.fixture
def websocket_server():
    """Start WebSocket servers that talk as they are told."""
    servers = []

    def start(talk=Peer.echo, **options):
        servers.append(WebSocketServer(talk, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
