"""What a server can do wrong costs one recorded error each, and nothing more."""

import errno
import socket
import struct

import gevent
import pytest
from gevent.event import Event
from peer import BINARY, CLOSE, PING, TEXT, closing, frame
from unjudged import UNJUDGED
from waits import forever, until

from chaperon import (
    Environment,
    Scenario,
    WebSocketClosed,
    WebSocketError,
    WebSocketRefused,
    WebSocketTimeout,
    metric,
    run,
    users,
)
from chaperon.client.network import descriptors
from chaperon.client.websocket.transport import SocketTransport


def perform(url, *steps, **options):
    return Environment(
        url,
        scenarios=[run(Scenario(*steps, name="chat"))],
        on_error="continue",
        **{"timeout": 5, "trust": UNJUDGED, **options},
    ).execute()


def errors_of(report):
    return {(e.series, e.error): e.count for e in report.errors}


def opening(kept, **settings):
    """Return a step that opens a WebSocket, and keeps what that raises."""

    def steps(session):
        with pytest.raises(WebSocketError) as failed:
            session.ws("/feed", **settings)
        kept.append(failed.value)

    return steps


def test_a_refused_connection_is_one_error_of_that_session_alone(dead_port):
    kept = []

    report = perform(f"http://127.0.0.1:{dead_port}", opening(kept))

    assert errors_of(report) == {("ws connect /feed", "connect refused"): 1}
    assert isinstance(kept[0], WebSocketRefused)
    assert isinstance(kept[0].__cause__, ConnectionRefusedError)
    assert report.visits.done == 1


def test_a_name_that_is_nowhere_is_one_error():
    kept = []

    report = perform("http://nowhere.invalid", opening(kept))

    assert errors_of(report) == {("ws connect /feed", "dns"): 1}


def test_running_out_of_descriptors_says_what_to_raise(websocket_server, monkeypatch):
    kept = []

    def exhausted(*args):
        raise OSError(errno.EMFILE, "Too many open files")

    def steps(session):
        monkeypatch.setattr(descriptors, "opened", exhausted)
        try:
            opening(kept)(session)
        finally:
            monkeypatch.undo()

    report = perform(websocket_server().url, steps)

    assert errors_of(report) == {("ws connect /feed", "out of descriptors"): 1}
    assert "ulimit" in str(kept[0])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("403 Forbidden", "http 403"),
        ("503 Busy", "http 503"),
        ("302 Found", "unexpected http 302"),
        ("200 OK", "unexpected http 200"),
    ],
)
def test_a_wrong_status_is_one_error_that_tells_it(websocket_server, status, error):
    kept = []
    server = websocket_server(
        lambda peer: peer.raw(f"HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\nnot today".encode()), shakes=False
    )

    report = perform(server.url, opening(kept))

    assert errors_of(report) == {("ws connect /feed", error): 1}
    assert kept[0].status == int(status[:3])
    assert "not today" in str(kept[0])
    assert server.seen == 1
    assert server.drained()


SHAKES = {
    "garbage": lambda peer: peer.raw(b"220 mail.example ESMTP\r\n\r\n"),
    "no upgrade": lambda peer: peer.agree(drop=["Upgrade"]),
    "no connection": lambda peer: peer.agree(drop=["Connection"]),
    "no accept": lambda peer: peer.agree(drop=["Sec-WebSocket-Accept"]),
    "wrong accept": lambda peer: peer.agree(key="bm90IHlvdXIga2V5"),
    "a subprotocol nobody asked for": lambda peer: peer.agree("Sec-WebSocket-Protocol: other"),
    "an extension nobody asked for": lambda peer: peer.agree("Sec-WebSocket-Extensions: permessage-deflate"),
    "an endless head": lambda peer: [peer.raw(b"HTTP/1.1 101 OK\r\n" + b"x" * 100_000), peer.sock.recv(1)],
    "a million headers": lambda peer: [peer.agree(*("a: b" for _ in range(5_000))), peer.sock.recv(1)],
}


@pytest.mark.parametrize("talk", SHAKES.values(), ids=SHAKES)
def test_a_handshake_that_is_none_is_one_error(websocket_server, talk):
    server = websocket_server(talk, shakes=False)

    report = perform(server.url, opening([]))

    assert errors_of(report) == {("ws connect /feed", "ws handshake"): 1}
    assert server.drained()


def test_a_connection_cut_in_the_handshake_is_one_error(websocket_server):
    server = websocket_server(lambda peer: peer.raw(b"HTTP/1.1 101 Switching"), shakes=False)

    assert errors_of(perform(server.url, opening([]))) == {("ws connect /feed", "reset"): 1}


def test_an_opening_has_one_deadline_and_one_attempt(websocket_server):
    kept = []
    server = websocket_server(lambda peer: peer.sock.recv(1), shakes=False)

    report = perform(server.url, opening(kept, timeout=0.05))

    assert errors_of(report) == {("ws connect /feed", "timeout"): 1}
    assert isinstance(kept[0], WebSocketTimeout)
    assert report["ws connect /feed"].bad.high < 0.3
    assert server.seen == 1
    assert server.drained()


def test_tls_where_there_is_none_is_one_error(target):
    report = perform(target.url.replace("http", "https"), opening([]))

    assert [e.error for e in report.errors] == ["tls"]


VIOLATIONS = {
    "reserved bits": frame(TEXT, "x", rsv=4),
    "an unknown opcode": frame(0x3, "x"),
    "a masked frame": frame(TEXT, "x", mask=b"abcd"),
    "a fragmented ping": frame(PING, "x", fin=False),
    "a ping too long": frame(PING, "x" * 126),
    "a continuation of nothing": frame(0, "x"),
    "a message within a message": frame(TEXT, "x", fin=False) + frame(TEXT, "y"),
    "a close of one byte": frame(CLOSE, b"x"),
    "a close code that is none": closing(1005),
}


def ended(bytes_sent, code, error, waits, websocket_server, **settings):
    """Let a server send something wrong; check what is raised, recorded, answered."""
    answered = []

    def talk(peer):
        peer.read()
        peer.raw(bytes_sent)
        answered.append(peer.read())
        answered.append(peer.read())

    def steps(session):
        ws = session.ws("/feed", **settings)
        ws.send("go")
        if not waits:
            until(lambda: ws.closed)
        for attempt in (ws.recv, ws.recv, lambda: ws.send("x"), ws.ping):
            with pytest.raises(WebSocketClosed) as gone:
                attempt()
            assert gone.value.code == code

    server = websocket_server(talk)
    report = perform(server.url, steps)

    assert errors_of(report) == {("ws recv /feed", error): 1}
    assert report["ws recv /feed"].errors == report.requests.errors == 1
    assert report[f"ws closed {code} /feed"].total == 1
    assert report.visits.done == 1
    assert server.drained()
    (opcode, payload), after = answered
    assert (opcode, struct.unpack("!H", payload[:2])[0], after) == (CLOSE, code, None)


@pytest.mark.parametrize("waits", [True, False], ids=["somebody waits", "nobody waits"])
@pytest.mark.parametrize("sent", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_protocol_violation_is_one_error(websocket_server, sent, waits):
    ended(sent, 1002, "ws protocol", waits, websocket_server)


@pytest.mark.parametrize(
    "sent",
    [
        frame(TEXT, b"gr\xfcn"),
        frame(TEXT, b"gr\xc3", fin=False) + frame(0, b"x"),
        frame(CLOSE, b"\x03\xe8\xff\xfe"),
    ],
    ids=["whole", "in pieces", "in a close"],
)
def test_text_that_is_not_utf8_is_one_error(websocket_server, sent):
    ended(sent, 1007, "ws bad utf-8", True, websocket_server)


@pytest.mark.parametrize(
    "sent",
    [
        frame(BINARY, b"x" * 1001),
        frame(BINARY, b"x", claim=1 << 40),
        frame(TEXT, "x" * 600, fin=False) + frame(0, "x" * 600),
    ],
    ids=["too long", "a terabyte announced", "in pieces"],
)
def test_an_oversized_message_is_one_error(websocket_server, sent):
    ended(sent, 1009, "ws too big", True, websocket_server, max_size=1000)


@pytest.mark.parametrize("waits", [True, False], ids=["somebody waits", "nobody waits"])
def test_a_connection_lost_is_one_error(websocket_server, waits):
    opened = Event()

    def talk(peer):
        opened.wait()

    def steps(session):
        ws = session.ws("/feed")
        gevent.spawn(opened.set)  # when this greenlet waits
        if not waits:
            until(lambda: ws.closed)
        with pytest.raises(WebSocketClosed, match="without a close frame"):
            ws.recv()

    report = perform(websocket_server(talk).url, steps)

    assert errors_of(report) == {("ws recv /feed", "ws closed 1006"): 1}


def test_a_reset_is_one_error(websocket_server):
    def talk(peer):
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def steps(session):
        with pytest.raises(WebSocketClosed):
            session.ws("/feed").recv()

    server = websocket_server(talk)
    report = perform(server.url, steps)

    assert [e.series for e in report.errors] == ["ws recv /feed"]
    assert sum(e.count for e in report.errors) == 1


@pytest.mark.as_written
def test_a_violation_is_told_as_such_though_the_answer_to_it_cannot_be_sent(websocket_server, monkeypatch):
    def broken_pipe(stream, data):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def steps(session):
        ws = session.ws("/feed")
        monkeypatch.setattr(SocketTransport, "write", broken_pipe)
        with pytest.raises(WebSocketClosed):
            ws.recv()

    report = perform(websocket_server(lambda peer: peer.raw(frame(TEXT, "x", rsv=1))).url, steps)

    assert errors_of(report) == {("ws recv /feed", "ws protocol"): 1}


def test_a_fault_that_nobody_meets_is_recorded_all_the_same(websocket_server):
    def steps(session):
        ws = session.ws("/feed")
        until(lambda: ws.closed)

    report = perform(websocket_server(lambda peer: peer.raw(frame(0x3))).url, steps)

    assert errors_of(report) == {("ws recv /feed", "ws protocol"): 1}


def test_a_peer_that_takes_nothing_is_given_up(websocket_server):
    def steps(session):
        ws = session.ws("/feed", timeout=0.1)
        with pytest.raises(WebSocketClosed, match=r"took nothing for 0\.1 s"):
            ws.send(b"x" * 12_000_000)
        assert ws.closed

    report = perform(websocket_server(lambda peer: forever()).url, steps)

    assert errors_of(report) == {("ws send /feed", "timeout"): 1}
    assert report.requests.errors == 1


def test_a_flood_of_pings_to_a_peer_that_takes_nothing_stays_bounded(websocket_server):
    received = Event()

    def talk(peer):
        for _ in range(300):
            peer.raw(frame(PING, "x" * 125) * 100)
        peer.send("done")
        received.wait()

    def steps(session):
        assert session.ws("/feed").recv() == "done"
        received.set()

    perform(websocket_server(talk).url, steps)


def test_a_metric_that_cannot_be_computed_is_said_and_keeps_nobody_waiting(websocket_server):
    def steps(session):
        assert session.ws("/feed").recv(timeout=3) == "x"

    broken = metric("broken", lambda sample: 1 / 0, of="ws received .*")
    report = perform(websocket_server(lambda peer: peer.send("x")).url, steps, metrics=[broken])

    assert "ZeroDivisionError" not in {error for _, error in errors_of(report)}
    note = "samples metric('broken') could not compute: ZeroDivisionError: division by zero (test_websocket_faults.py:"
    assert any(each.startswith(note) for each in report.notes)
    assert report.duration < 2


def test_one_session_that_fails_leaves_the_others_alone(websocket_server):
    def talk(peer):
        if peer.headers["x-user"] == "0":
            peer.raw(frame(0x3))
        peer.echo()

    def steps(session):
        with session.ws(headers={"X-User": str(session.visit.user)}) as ws:
            for n in range(5):
                ws.send(f"{n}")
                ws.recv()
                gevent.sleep(0)

    server = websocket_server(talk)
    report = Environment(server.url, scenarios=[run(Scenario(steps), users(5))], timeout=5).execute()

    assert (report.visits.done, report.visits.failed) == (4, 1)
