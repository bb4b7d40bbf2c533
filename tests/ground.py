"""What every test stands on: a clock that obeys, a server that counts."""

import signal
import socket
import ssl
import subprocess
import sys

import pytest
import trustme
from gevent.pywsgi import WSGIServer
from peer import Peer, WebSocketServer
from shells import Shells
from unjudged import unjudged
from waits import forever

from chaperon.cli import main
from chaperon.testing import VirtualClock


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
        elif path.startswith("/to/"):  # /to/307?http://elsewhere
            status, headers = f"{path[4:]} As Asked", [*headers, ("Location", self.queries[-1])]
        else:
            status = "200 OK"
        if path == "/slow":
            forever()
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
    """A loopback port without a listener."""
    server = WSGIServer(("127.0.0.1", 0), lambda e, s: [], log=None)
    server.start()
    port = server.server_port
    server.stop()
    return port


@pytest.fixture
def process(tmp_path):
    """Run commands of Chaperon's in processes of their own, in an empty folder; return what they print, how they exit.

    If *judged*, a run is INVALID where the machine was too slow for it.
    """

    def run(*args, judged=False, **options):
        words = map(str, args) if judged else unjudged(args)
        options = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
        return subprocess.run([sys.executable, "-m", "chaperon", *words], text=True, **options)

    return run


@pytest.fixture
def shells(tmp_path):
    """Shells side by side in an empty folder but for shop.py."""
    opened = Shells(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def websocket_server():
    """Start WebSocket servers that send what a test asks for."""
    servers = []

    def start(talk=Peer.echo, **options):
        servers.append(WebSocketServer(talk, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run commands of Chaperon's in an empty folder, in this process; return what they print, how they exit."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["chaperon", *unjudged(args)])
        interrupt = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            main()
        signal.signal(signal.SIGINT, interrupt)  # at its end a command hears of none any more
        return subprocess.CompletedProcess(args, ended.value.code, *capsys.readouterr())

    return run
