"""TLS over a TCP stream: which session a connection resumes, and what it keeps in memory."""

import ctypes
import socket
import ssl
from contextlib import contextmanager

import pytest
import trustme
from gevent.server import StreamServer
from waits import until

from chaperon.client.network.tls import TlsStream
from chaperon.client.network.tls_sessions import RENEWAL, SESSIONS, TlsSessions

SOCKETS = 40
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class TlsServer:
    """Answers the first bytes of each connection with *body*; *resuming* is whether it resumes sessions."""

    def __init__(self, version, resuming, body):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = version
        if not resuming:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        self.body = body
        self.answered = 0
        self.server = StreamServer(("127.0.0.1", 0), self.talk, ssl_context=context)

    def talk(self, sock, _):
        sock.recv(100)
        sock.sendall(self.body)
        self.answered += 1
        sock.recv(100)


@contextmanager
def serving(version=ssl.TLSVersion.TLSv1_3, resuming=True, body=b"hello"):
    served = TlsServer(version, resuming, body)
    served.server.start()
    try:
        yield served
    finally:
        served.server.stop(timeout=0)


@pytest.fixture
def context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def greeted(served, context, now=lambda: 0.0):
    """Return a stream that has sent its first bytes and has not read the answer."""
    stream = TlsStream(socket.AF_INET, now)
    stream.connect(("127.0.0.1", served.server.server_port))
    stream.secure(context, "127.0.0.1", served.server.server_port)
    stream.send(b"hi")
    return stream


def resumed(served, context, now=lambda: 0.0):
    """Return whether a connection that reads its answer resumed a session."""
    stream = greeted(served, context, now)
    try:
        assert stream.receive() == b"hello"
        return stream.resumed
    finally:
        stream.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_connection_after_the_first_resumes_a_session_and_a_newer_one_when_that_is_old(version, context):
    with serving(version) as served:
        moments = [0.0, 0.1, RENEWAL / 2, RENEWAL, RENEWAL * 1.5, RENEWAL * 10]

        assert [resumed(served, context, lambda at=at: at) for at in moments] == [False, *[True] * 5]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_resumes_no_session_has_full_handshakes_only(version, context):
    with serving(version, resuming=False) as served:
        assert [resumed(served, context) for _ in range(3)] == [False] * 3


@pytest.mark.parametrize(
    ("after", "expected"),
    [(0.0, False), (RENEWAL * 0.9, False), (RENEWAL, True), (RENEWAL * 9, True), (-RENEWAL * 9, True)],
)
def test_a_session_is_wanted_where_there_is_none_or_an_old_one(after, expected):
    sessions = TlsSessions()
    place = "h", 443

    assert sessions.wanted(place, 5.0)
    sessions.keep(place, None, 5.0)
    assert sessions.wanted(place, 5.0)
    sessions.keep(place, "session", 5.0)
    assert sessions.session_for(place) == "session"
    assert sessions.wanted(place, 5.0 + after) is expected
    assert sessions.wanted(("h", 444), 5.0)
    assert sessions.session_for(("h", 444)) is None


def test_the_number_of_sessions_of_a_context_is_bounded_and_those_kept_are_renewed():
    sessions = TlsSessions()
    for port in range(SESSIONS):
        sessions.keep(("h", port), "session", 0.0)

    assert not sessions.wanted(("h", SESSIONS), 0.0)
    assert sessions.wanted(("h", 0), RENEWAL)


def allocated():
    """Return the bytes that malloc has handed out (mallinfo2(3), glibc 2.33)."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("needs glibc 2.33")

    class Figures(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]

    libc.mallinfo2.restype = Figures
    return libc.mallinfo2().h


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_keeps_no_buffer_and_no_copy_of_its_session_after_its_first_read(version, context):
    with serving(version) as served:
        resumed(served, context)
        streams = [greeted(served, context) for _ in range(SOCKETS)]
        until(lambda: served.answered > SOCKETS)
        before = allocated()

        assert all(stream.receive() == b"hello" for stream in streams)

        assert (allocated() - before) / SOCKETS < 4_000
        for stream in streams:
            stream.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [1, 16_384, 16_385, 32_768, 100_000, 500_000])
def test_what_is_received_at_once_is_decrypted_whole(version, size, context):
    body = bytes(range(251)) * (size // 251 + 1)
    with serving(version, body=body[:size]) as served:
        stream = greeted(served, context)
        until(lambda: served.answered)

        read = b""
        while len(read) < size:
            read += stream.receive()

        assert read == body[:size]
        assert stream.receive_now() is None
        assert not stream.has_more
        stream.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_that_received_much_at_once_keeps_a_small_buffer(version, context):
    body = b"x" * 200_000
    with serving(version, body=body) as served:
        streams = [greeted(served, context) for _ in range(10)]
        until(lambda: served.answered == 10)
        before = allocated()

        for stream in streams:
            left = len(body)
            while left:
                left -= len(stream.receive())

        assert (allocated() - before) / 10 < 64_000
        for stream in streams:
            stream.close()
