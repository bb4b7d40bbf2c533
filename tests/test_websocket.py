"""WebSockets of a session, against a server that tells what it saw."""

import gc
from contextlib import suppress

import gevent
import pytest
import trustme
from gevent.event import Event
from peer import BINARY, CLOSE, PING, PONG, TEXT, Peer, closing, frame
from unjudged import UNJUDGED
from waits import forever, until

from chaperon import (
    Environment,
    Scenario,
    Service,
    Verdict,
    WebSocketClosed,
    WebSocketError,
    WebSocketTimeout,
    iterations,
    run,
    step,
    users,
)
from chaperon.client.timings import Timings
from chaperon.client.websocket.message_queue import MessageQueue
from chaperon.client.websocket.protocol import WebSocketProtocol
from chaperon.client.websocket.transport import SocketTransport
from chaperon.client.websocket.websocket import WebSocket
from chaperon.errors import UsageError


def perform(server, *steps, load=None, init=None, cleanup=None, **options):
    """Run the steps against a server, by default once."""
    scenario = Scenario(*steps, init=init, cleanup=cleanup, name="chat")
    url = getattr(server, "url", server)
    return Environment(
        url, scenarios=[run(scenario, load or users(1))], **{"timeout": 5, "trust": UNJUDGED, **options}
    ).execute()


def errors_of(report):
    return {(e.series, e.error): e.count for e in report.errors}


def test_echoes_are_counted_both_ways_with_their_bytes(websocket_server):
    server = websocket_server()

    def echo(session):
        with session.ws("/echo") as ws:
            for n in range(10):
                ws.send(f"Echo {n}")
                assert ws.recv() == f"Echo {n}"

    report = perform(server, echo, load=users(20))

    assert report.verdict is Verdict.PASS
    assert report["ws connect /echo"].count == server.seen == 20
    assert report["ws recv /echo"].count == 200
    assert report["ws sent /echo"].total == report["ws received /echo"].total == 200
    assert report["ws sent /echo"].bytes == report["ws received /echo"].bytes == 200 * 6
    assert report["ws recv /echo"].bytes == 200 * 6
    assert report["ws closed 1000 /echo"].total == 20
    assert report.requests.count == 220
    assert report.errors == ()
    assert server.drained()


def test_text_bytes_and_json_arrive_as_what_they_are(websocket_server):
    seen = []

    def talk(peer):
        for opcode, payload in peer.messages():
            seen.append((opcode, payload))
            peer.raw(frame(opcode, payload))

    def steps(session):
        with session.ws() as ws:
            ws.send("grüße 🐍")
            ws.send(b"\x00\xff")
            ws.send_json({"a": [1, None]})
            session.assign(got=[ws.recv(), ws.recv(), ws.recv_json()])
        assert session.assigned.got == ["grüße 🐍", b"\x00\xff", {"a": [1, None]}]

    report = perform(websocket_server(talk), steps)

    assert report.errors == ()
    assert seen == [(TEXT, "grüße 🐍".encode()), (BINARY, b"\x00\xff"), (TEXT, b'{"a":[1,null]}')]


def test_anything_else_is_refused_with_the_remedy(websocket_server):
    def steps(session):
        with pytest.raises(UsageError, match="send_json"):
            session.ws().send({"a": 1})

    assert perform(websocket_server(), steps).verdict is Verdict.PASS


@pytest.mark.parametrize("limit", [{"buffer": -1}, {"max_size": "1MB"}, {"max_size": float("nan")}, {"buffer": None}])
def test_a_limit_that_is_no_number_is_refused_before_anything_is_sent(websocket_server, limit):
    server = websocket_server()

    def steps(session):
        with pytest.raises(UsageError, match="give a whole number, 0 or more"):
            session.ws(**limit)

    assert perform(server, steps).verdict is Verdict.PASS
    assert server.heads == []


@pytest.mark.parametrize("limit", [{"buffer": float("inf")}, {"max_size": 1e6}, {"buffer": True, "max_size": 1 << 70}])
def test_limits_may_be_any_numbers(websocket_server, limit):
    def steps(session):
        with session.ws(**limit) as ws:
            ws.send("x")
            assert ws.recv() == "x"

    assert perform(websocket_server(), steps).verdict is Verdict.PASS


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 300_000])
def test_messages_of_every_length_go_through(websocket_server, size):
    def steps(session):
        with session.ws() as ws:
            ws.send(b"x" * size)
            assert ws.recv() == b"x" * size

    assert perform(websocket_server(), steps).errors == ()


def test_the_handshake_takes_headers_cookies_auth_and_a_subprotocol_with_it(websocket_server):
    def talk(peer):
        peer.agree("Sec-WebSocket-Protocol: chat.v2", "Set-Cookie: ticket=7; Path=/")
        peer.echo()

    def steps(session):
        session.http.cookies.set("who", "admin")
        with session.ws(
            "/feed", params={"from": 0}, headers={"X-Mine": "1"}, subprotocols=["chat.v1", "chat.v2"]
        ) as ws:
            assert ws.subprotocol == "chat.v2"
            assert ws.headers["set-cookie"].startswith("ticket")
        assert session.http.cookies["ticket"] == "7"

    server = websocket_server(talk, shakes=False)
    report = perform(server, steps, headers={"X-All": "2"}, auth=("me", "secret"))

    (peer,) = server.heads
    assert report.errors == ()
    assert peer.line == "GET /feed?from=0 HTTP/1.1"
    assert peer.headers["host"] == server.url.removeprefix("http://")
    assert peer.headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert peer.headers["cookie"] == "who=admin"
    assert peer.headers["sec-websocket-protocol"] == "chat.v1, chat.v2"
    assert (peer.headers["x-mine"], peer.headers["x-all"]) == ("1", "2")
    assert (peer.headers["connection"], peer.headers["sec-websocket-version"]) == ("Upgrade", "13")
    assert peer.headers["user-agent"].startswith("chaperon/")


def test_cookies_of_one_user_never_reach_another(websocket_server):
    def talk(peer):
        peer.agree("Set-Cookie: sid=1; Domain=127.0.0.1; Path=/")
        peer.echo()

    server = websocket_server(talk, shakes=False)
    perform(server, lambda session: session.ws().close(), load=users(3))

    assert [peer.headers.get("cookie") for peer in server.heads] == [None] * 3


def test_a_whole_url_and_a_named_service_are_other_places_to_go(websocket_server):
    here, there = websocket_server(), websocket_server()

    def steps(session):
        session.ws(there.url.replace("http", "ws") + "/a").close()
        session.ws("/b", service="chat", name="chat").close()
        session.ws(here.url.replace("http", "ws") + "/c").close()

    report = perform(here, steps, services={"chat": Service(there.url)})

    assert (here.seen, there.seen) == (1, 2)
    assert report["ws connect chat"].count == report["ws connect /c"].count == 1
    assert f"ws connect {there.url}/a" in report


def test_tls_settings_go_with_it_and_its_time_is_told(websocket_server, tmp_path):
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    issued = authority.issue_cert("127.0.0.1")
    server = websocket_server(ssl_context=_server_context(issued))

    def steps(session):
        with session.ws() as ws:
            session.assign(stages=ws.timings)
            ws.send("x" * 1_000_000)
            assert len(ws.recv()) == 1_000_000
        stages = session.assigned.stages
        assert stages.tls > 0
        assert stages.tcp > 0
        assert stages.waiting > 0
        assert stages.queued == 0

    assert perform(server, steps, verify=str(bundle)).errors == ()
    assert perform(server, steps, verify=False).errors == ()
    refused = perform(server, steps)
    assert errors_of(refused) == {("ws connect /", "tls"): 1}


def test_the_stages_of_connecting_are_series_where_the_service_wants_them(websocket_server):
    server = websocket_server()

    report = perform(
        server,
        lambda session: session.ws("/s", service="chat").close(),
        services={"chat": Service(server.url, timings=True)},
    )

    assert all(report[f"{stage} ws connect /s"].count == 1 for stage in Timings._fields)
    assert report["tcp ws connect /s"].max > 0
    assert report.requests.count == 1


def _server_context(issued):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


def test_several_sockets_of_one_session_are_apart(websocket_server):
    def steps(session):
        with session.ws("/a") as a, session.ws("/b") as b:
            a.send("to a")
            b.send("to b")
            assert (b.recv(), a.recv()) == ("to b", "to a")

    assert perform(websocket_server(), steps).errors == ()


def test_a_task_can_use_the_socket_of_its_parent(websocket_server):
    def listen(session):
        return session.assigned.ws.recv()

    def steps(session):
        session.assign(ws=session.ws())
        session.spawn(listen)
        session.assigned.ws.send("hello")
        assert session.join("listen") == "hello"

    assert perform(websocket_server(), steps).errors == ()


def test_a_ping_is_answered_while_the_scenario_is_busy_elsewhere(websocket_server):
    answers = []

    def talk(peer):
        peer.raw(frame(PING, "are you there"))
        answers.append(peer.read())
        peer.send("go")
        peer.echo()

    def steps(session):
        session.ws()
        until(lambda: answers)  # elsewhere: the socket is not read

    perform(websocket_server(talk), steps)

    assert answers == [(PONG, b"are you there")]


def test_heartbeats_go_out_while_the_scenario_waits_for_a_message(websocket_server):
    def talk(peer):
        beats = 0
        for opcode, payload in peer.messages():
            beats += payload == b"beat"
            if opcode == PING:
                peer.raw(frame(PONG, payload))
                peer.send(f"after {beats}")

    def steps(session):
        with session.ws("/h") as ws:
            with session.every(0.01, lambda session: ws.send("beat")), pytest.raises(WebSocketTimeout):
                ws.recv(timeout=0.05)
            with session.every(0.01, ws.ping):
                assert ws.recv() > "after 2"

    report = perform(websocket_server(talk), steps)

    assert report["ws ping /h"].count >= 1
    assert report["ws sent /h"].total >= 3


def test_a_ping_measures_its_round_trip(websocket_server):
    def talk(peer):
        for opcode, payload in peer.messages():
            if opcode == PING:
                peer.raw(frame(PONG, "not asked for") + frame(PONG, payload))

    def steps(session):
        with session.ws("/p") as ws:
            assert 0 < ws.ping() < 1
            assert ws.ping(timeout="2s") > 0

    report = perform(websocket_server(talk), steps)

    assert report["ws ping /p"].count == 2
    assert report.errors == ()


def test_what_came_before_is_there_at_once_and_costs_no_waiting(websocket_server):
    def talk(peer):
        for n in range(3):
            peer.send(f"{n}")
        peer.echo()

    def steps(session):
        with session.ws("/w") as ws:
            until(lambda: "3 messages held" in repr(ws))
            session.assign(got=[ws.recv(timeout=0) for _ in range(3)])
        assert session.assigned.got == ["0", "1", "2"]

    report = perform(websocket_server(talk), steps)

    assert report.errors == ()
    assert report["ws recv /w"].max < 0.02


def test_a_timeout_is_recorded_once_and_the_message_that_comes_later_is_delivered_once(websocket_server):
    got = []

    def talk(peer):
        peer.read()
        for n in range(3):
            peer.send(f"m{n}")
        peer.echo()

    def steps(session):
        with session.ws("/t") as ws:
            with pytest.raises(WebSocketTimeout, match=r"in 0\.02 s"):
                ws.recv(timeout=0.02)
            ws.send("now")
            got.extend([ws.recv(), ws.recv(), ws.recv()])

    report = perform(websocket_server(talk), steps)

    assert got == ["m0", "m1", "m2"]
    assert errors_of(report) == {("ws recv /t", "timeout"): 1}
    assert report["ws recv /t"].count == 4


def test_without_a_timeout_of_its_own_a_wait_takes_that_of_the_socket_or_the_service(websocket_server):
    server = websocket_server()

    def steps(session):
        with session.ws(timeout=("5s", "20ms")) as ws, pytest.raises(WebSocketTimeout, match=r"in 0\.02 s"):
            ws.recv()
        with session.ws() as ws, pytest.raises(WebSocketTimeout, match=r"in 0\.03 s"):
            ws.recv()

    assert perform(server, steps, timeout=(5, 0.03)).requests.errors == 2


def test_expect_lets_go_of_what_comes_before(websocket_server):
    def talk(peer):
        peer.send("welcome")
        peer.send("motd")
        peer.echo()

    def steps(session):
        with session.ws("/e") as ws:
            for n in range(5):
                ws.send(f"Echo {n}")
                assert ws.expect(f"Echo {n}") == f"Echo {n}"
            ws.send_json({"id": 1, "ok": True})
            assert ws.expect({"id": 1, "ok": True}) == {"ok": True, "id": 1}
            ws.send("not json")
            ws.send_json({"id": 2})
            assert ws.expect(lambda m: m["id"] == 2, json=True) == {"id": 2}
            ws.send("abc")
            assert ws.expect(lambda text: text.startswith("a")) == "abc"

    report = perform(websocket_server(talk), steps)

    assert report.errors == ()
    assert report["ws recv /e"].count == 8
    assert report["ws received /e"].total == 2 + 5 + 1 + 2 + 1


def test_expect_has_one_deadline_for_the_whole_wait(websocket_server):
    def talk(peer):
        while True:
            peer.send("noise")
            gevent.sleep(0)

    def steps(session):
        with pytest.raises(WebSocketTimeout):
            session.ws().expect("never", timeout=0.1)

    report = perform(websocket_server(talk), steps)

    assert report["ws recv /"].errors == 1
    assert 0.1 <= report["ws recv /"].service.censored.high < 0.3


@pytest.mark.parametrize(
    ("wait", "what"),
    [
        (lambda ws: ws.recv(timeout=0.02), "message"),
        (lambda ws: next(iter(ws)), "message"),
        (lambda ws: ws.expect("never", timeout=0.02), "matching message"),
        (lambda ws: ws.request({"id": 1}, "id", timeout=0.02), "reply"),
        (lambda ws: ws.ping(timeout=0.02), "PONG"),
    ],
)
def test_a_wait_that_ends_says_what_did_not_come(websocket_server, wait, what):
    def steps(session):
        with pytest.raises(WebSocketTimeout, match=rf"^no {what} on /t within 0\.02 s$"):
            wait(session.ws("/t", timeout=(5, 0.02)))

    over = Event()
    perform(websocket_server(lambda peer: over.wait()), steps)
    over.set()


def test_a_failing_predicate_is_the_fault_of_who_asked(websocket_server):
    def steps(session):
        with session.ws() as ws:
            ws.send("x")
            with pytest.raises(ZeroDivisionError):
                ws.expect(lambda message: 1 / 0)
            ws.send("y")
            assert ws.expect("y") == "y"

    assert errors_of(perform(websocket_server(), steps)) == {("ws recv /", "ZeroDivisionError"): 1}


def test_a_predicate_may_end_its_session(websocket_server):
    def steps(session):
        ws = session.ws()
        ws.send("x")
        ws.expect(lambda message: session.abort("seen enough"))

    report = perform(websocket_server(), steps)

    assert (report.visits.interrupted, report.duration < 2) == (1, True)


def keeps_silent(peer):
    peer.read()
    forever()


def answered(ws):
    ws.send("x")
    ws.recv()
    ws.recv()


CUT = {
    "expect": (lambda ws: ws.expect("x"), keeps_silent, True),
    "expect since": (lambda ws: ws.expect("y", since=ws.send("x"), name="y"), keeps_silent, True),
    "recv after send": (lambda ws: (ws.send("x"), ws.recv()), keeps_silent, True),
    "request": (lambda ws: ws.request({"id": 1}, "id"), keeps_silent, True),
    "ping": (lambda ws: ws.ping(), keeps_silent, True),
    "listening": (lambda ws: ws.recv(), keeps_silent, False),
    "listening after an answer": (answered, Peer.echo, False),
    "listening after a reply": (lambda ws: (ws.request({"id": 1}, "id"), ws.recv()), Peer.echo, False),
    "iterating": (lambda ws: (ws.send("x"), list(ws)), keeps_silent, False),
}


@pytest.mark.parametrize("waits", CUT)
def test_an_answer_that_has_not_come_at_the_end_was_waited_for_at_least_so_long(websocket_server, waits):
    wait, talk, asked = CUT[waits]
    limits = ["p95(visit) < 100ms", "p95(step hangs) < 100ms", "p95 < 100ms"]

    def hangs(session):
        wait(session.ws())

    report = perform(websocket_server(talk), step(hangs), load=users(2, hold=0.4), grace=0, limits=limits)

    assert [limit.held for limit in report.limits[:2]] == [False, False] if asked else report["visit"].censored == 0
    assert (report.limits[2].held, report["visit"].censored, report["step hangs"].censored) == (
        not asked,
        2 * asked,
        2 * asked,
    )
    if waits == "expect since":
        assert report["round trip y"].censored == 2


def test_messages_are_iterated_until_the_usual_end(websocket_server):
    def talk(peer):
        for n in range(3):
            peer.send(f"{n}")
        peer.raw(closing(1000, "that was all"))
        peer.read()

    def steps(session):
        ws = session.ws("/i")
        assert list(ws) == ["0", "1", "2"]
        assert (ws.closed, ws.close_code) == (True, 1000)

    report = perform(websocket_server(talk), steps)

    assert report.errors == ()
    assert report["ws recv /i"].count == 3
    assert report["ws closed 1000 /i"].errors == 0


def test_an_unusual_end_leaves_the_loop_as_an_error(websocket_server):
    def talk(peer):
        peer.send("one")
        peer.raw(closing(1011, "out of order"))

    def steps(session):
        got = []
        with pytest.raises(WebSocketClosed, match="out of order") as gone:
            got.extend(session.ws("/i"))
        assert gone.value.code == 1011

    report = perform(websocket_server(talk), steps)

    assert errors_of(report) == {("ws recv /i", "ws closed 1011"): 1}


def test_a_remote_close_is_raised_at_once_in_all_who_wait(websocket_server):
    def talk(peer):
        peer.read()
        peer.raw(closing(4001, "go away"))
        assert peer.read()[0] == CLOSE

    def wait(session, ws):
        with pytest.raises(WebSocketClosed) as gone:
            ws.recv(timeout=30)
        return gone.value.code, gone.value.reason

    def steps(session):
        ws = session.ws()
        for name in ("a", "b"):
            session.spawn(wait, ws, task=name)
        gevent.sleep(0)
        ws.send("bye")
        start = session.clock.now()
        assert session.join("a", "b", timeout=5) == [(4001, "go away")] * 2
        assert session.clock.now() - start < 1

    report = perform(websocket_server(talk), steps)

    assert report.visits.done == 1
    assert errors_of(report) == {("ws recv /", "ws closed 4001"): 1}
    assert report["ws recv /"].errors == 2
    assert report["ws closed 4001 /"].total == 1


def test_what_came_before_a_close_can_still_be_taken(websocket_server):
    def talk(peer):
        peer.send("last words")
        peer.raw(closing(1001))

    def steps(session):
        ws = session.ws()
        until(lambda: ws.closed)
        assert ws.recv() == "last words"
        for attempt in (ws.recv, lambda: ws.send("x"), ws.ping):
            with pytest.raises(WebSocketClosed, match="1001"):
                attempt()

    assert perform(websocket_server(talk), steps).visits.done == 1


def test_closing_says_so_and_waits_for_the_peer_to_say_so(websocket_server):
    said = []

    def talk(peer):
        said.append(peer.read())
        peer.send("meanwhile")
        peer.raw(frame(CLOSE, said[0][1]))

    def steps(session):
        ws = session.ws("/c")
        ws.close(4000, "done")
        assert ws.close_code == 4000
        assert ws.recv() == "meanwhile"
        ws.close()
        with pytest.raises(UsageError, match="999"):
            ws.close(999)

    report = perform(websocket_server(talk), steps)

    assert said == [(CLOSE, b"\x0f\xa0done")]
    assert report["ws closed 4000 /c"].total == 1
    assert report.errors == ()


def test_a_peer_that_does_not_answer_a_close_is_left(websocket_server):
    left = Event()
    server = websocket_server(lambda peer: peer.sock.recv(1000) and left.wait())

    def steps(session):
        start = session.clock.now()
        session.ws().close(timeout=0.05)
        assert session.clock.now() - start < 5.0

    assert perform(server, steps).visits.done == 1
    left.set()
    assert server.drained()


@pytest.mark.parametrize(
    "ending",
    [
        lambda session: None,
        lambda session: session.abort("enough"),
        lambda session: 1 / 0,
        lambda session: session.context.stop_run("stop") or forever(),
        lambda session: session.timeout(0.01).__enter__() and forever(),
    ],
    ids=["done", "aborted", "failed", "killed", "out of time"],
)
def test_nothing_is_left_open_after_the_session_whatever_ended_it(websocket_server, ending):
    closes = []

    def talk(peer):
        closes.append(list(iter(peer.read, None))[-1])

    def listen(session):
        session.ws("/two").recv(timeout=None)

    def steps(session):
        session.ws("/one")
        session.spawn(listen)
        until(lambda: server.seen == 4)
        ending(session)

    server = websocket_server(talk)
    with Environment(server.url, scenarios=[run(Scenario(steps), users(2))], grace=0.1).start() as running:
        until(lambda: server.seen == 4)
        running.wait(0.2)
        running.kill()

    assert server.seen == 4
    assert server.drained()
    assert closes == [(CLOSE, b"\x03\xe9closed by its session")] * 4


def test_a_socket_lives_as_long_as_its_session_over_all_its_visits(websocket_server):
    def init(session):
        session.assign(ws=session.ws())

    def steps(session):
        session.assigned.ws.send("x")
        assert session.assigned.ws.recv() == "x"

    server = websocket_server()
    report = perform(server, steps, init=init, load=iterations(20, users=2))

    assert server.seen == 2
    assert report["ws recv /"].count == 20
    assert server.drained()


@pytest.mark.parametrize(
    "talk",
    [Peer.echo, lambda peer: peer.raw(closing(1011)), lambda peer: peer.raw(frame(TEXT, "x", rsv=1))],
    ids=["closed by us", "closed by the peer", "broken"],
)
def test_what_is_over_does_not_wait_for_the_garbage_collector(websocket_server, talk):
    def steps(session):
        for _ in range(5):
            ws = session.ws()
            ws.send("x")
            with suppress(WebSocketError):
                ws.recv()
            ws.close()

    server = websocket_server(talk)
    perform(server, steps)
    gc.collect()
    gc.disable()
    try:
        perform(server, steps)
        left = [
            each
            for each in gc.get_objects()
            if type(each) in (WebSocket, WebSocketProtocol, SocketTransport, MessageQueue)
        ]
    finally:
        gc.enable()

    assert left == []


def test_a_failed_block_closes_its_socket(websocket_server):
    server = websocket_server()

    def steps(session):
        with pytest.raises(ZeroDivisionError), session.ws() as ws:
            raise ZeroDivisionError
        assert ws.close_code == 1001
        assert server.drained()

    assert perform(server, steps).visits.done == 1


def test_the_buffer_is_bounded_and_what_is_dropped_is_counted(websocket_server):
    def talk(peer):
        for n in range(50):
            peer.send(f"{n}")
        peer.send(peer.read()[1].decode())
        peer.raw(closing(1000))

    def steps(session):
        with session.ws("/b", buffer=10) as ws:
            ws.send("go")
            until(lambda: ws.closed)
            session.assign(got=[ws.recv() for _ in range(10)])
        assert session.assigned.got == [*(str(n) for n in range(41, 50)), "go"]

    report = perform(websocket_server(talk), steps)

    assert report["ws dropped /b"].total == 41
    assert report["ws received /b"].total == 51


def test_the_buffer_is_bounded_in_bytes_too(websocket_server):
    def talk(peer):
        for n in range(10):
            peer.send(f"{n}" * 300)
        peer.raw(closing(1000))

    def steps(session):
        with session.ws("/b", max_size=1000) as ws:
            until(lambda: ws.closed)
            assert ws.recv() == "7" * 300

    assert perform(websocket_server(talk), steps)["ws dropped /b"].total == 7


def test_a_request_finds_its_reply_by_a_field_both_have(websocket_server):
    def talk(peer):
        asked = [peer.read()[1] for _ in range(3)]
        peer.send("noise")
        for payload in reversed(asked):
            peer.send(payload.decode())
        peer.echo()

    def ask(session, ws, n):
        return ws.request({"payload": {"ref": n}}, reply_to="payload.ref")

    def steps(session):
        with session.ws("/r") as ws:
            for n in range(3):
                session.spawn(ask, ws, n, task="ask")
            assert session.join("ask") == [{"payload": {"ref": n}} for n in range(3)]
            assert ws.recv() == "noise"
            assert ws.request("text", reply_to=lambda reply: reply == "text") == "text"
            with pytest.raises(UsageError, match="'id'"):
                ws.request({"ref": 1}, reply_to="id")

    report = perform(websocket_server(talk), steps)

    assert report.errors == ()
    assert report["ws request /r"].count == 4
    assert report["ws request /r"].bytes == 3 * len('{"payload":{"ref":0}}') + 4
    assert report["ws recv /r"].count == 1


def test_a_round_trip_ends_when_the_message_arrived_not_when_it_was_looked_at(websocket_server):
    waited = []

    def steps(session):
        with session.ws("/x") as ws:
            sent = ws.send("x")
            until(lambda: "1 messages held" in repr(ws))
            waited.append(session.clock.now() - sent)
            ws.expect("x", since=sent)
            assert ws.received_at - sent < waited[0]
            ws.expect("y", since=ws.send("y"), name="named")

    report = perform(websocket_server(), steps)

    assert report["round trip /x"].max < waited[0]
    assert report["round trip named"].count == 1
    assert report.requests.count == 1 + 2


def test_publish_to_receive_is_measured_across_two_sockets_of_two_sessions(websocket_server):
    subscribers = []

    def talk(peer):
        if "/sub" in peer.line:
            subscribers.append(peer)
        for _, payload in peer.messages():
            for each in subscribers:
                each.send(payload.decode())

    def subscribe(session):
        with session.ws("/sub") as ws:
            for _ in range(5):
                key = ws.recv()
                assert session.arrived(key, name="delivery", at=ws.received_at) is not None
            assert session.arrived("never marked") is None

    def publish(session):
        until(lambda: subscribers)
        with session.ws("/pub") as ws:
            for n in range(5):
                session.mark(f"k{n}")
                ws.send(f"k{n}")

    server = websocket_server(talk)
    report = Environment(
        server.url,
        scenarios=[run(Scenario(subscribe), users(3), name="sub"), run(Scenario(publish), name="pub")],
    ).execute()

    assert report.errors == ()
    assert report["round trip delivery", "sub"].count == 15
    assert 0 < report["round trip delivery"].min <= report["round trip delivery"].max < 0.5
    assert report.notes == {"arrivals of a key that was not marked in this process": 3}


def test_a_fragmented_message_is_one_with_control_frames_in_between(websocket_server):
    def talk(peer):
        peer.raw(frame(TEXT, b"gr\xc3", fin=False))
        peer.raw(frame(PING, "p"))
        peer.raw(frame(0, b"\xbc", fin=False) + frame(0, "n"))
        assert peer.read() == (PONG, b"p")
        peer.echo()

    def steps(session):
        with session.ws() as ws:
            assert ws.recv() == "grün"

    assert perform(websocket_server(talk), steps).errors == ()


def test_a_message_that_comes_byte_by_byte_is_put_together(websocket_server):
    def talk(peer):
        for byte in frame(TEXT, "x" * 200) + frame(BINARY, b"y"):
            peer.raw(bytes([byte]))
            gevent.sleep(0)
        peer.echo()

    def steps(session):
        with session.ws() as ws:
            assert (ws.recv(), ws.recv()) == ("x" * 200, b"y")

    assert perform(websocket_server(talk), steps).errors == ()


def test_what_comes_right_behind_the_handshake_is_not_lost(websocket_server):
    def talk(peer):
        whole = []
        peer.raw, real = whole.append, peer.raw
        peer.agree()
        real(whole[0] + frame(TEXT, "hello") + closing(1000))

    def steps(session):
        assert list(session.ws()) == ["hello"]

    assert perform(websocket_server(talk, shakes=False), steps).errors == ()


def test_a_peer_that_takes_messages_slowly_blocks_the_sender_but_not_the_others(websocket_server):
    size = 8 * 1024 * 1024

    others = Event()

    def talk(peer):
        if "/slow" in peer.line:
            others.wait()
            peer.read()
        peer.echo()

    def other(session):
        with session.ws("/fast") as ws:
            ws.send("x")
            ws.recv()
        others.set()
        return session.clock.now()

    def steps(session):
        ws = session.ws("/slow")
        session.spawn(other)
        ws.send(b"x" * size)
        assert session.join("other") < session.clock.now()

    report = perform(websocket_server(talk), steps)

    assert report["ws sent /slow"].bytes == size
    assert report.errors == ()


def test_its_repr_says_how_it_stands(websocket_server):
    def steps(session):
        ws = session.ws("/r")
        assert repr(ws) == "<WebSocket /r open, 0 messages held>"
        ws.close()
        assert repr(ws) == "<WebSocket /r closed with 1000, 0 messages held>"

    assert perform(websocket_server(Peer.echo), steps).verdict is Verdict.PASS
