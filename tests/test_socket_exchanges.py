"""What is kept of a failed WebSocket: its handshake, its last messages, its end; bounded, masked, in every output."""

import json

import pytest
from peer import closing, frame

from chaperon import Environment, Scenario, WebSocketClosed, WebSocketRefused, WebSocketTimeout, run
from chaperon.client.timings import Timings
from chaperon.client.websocket.conversation import KEPT, LAST, Conversation
from chaperon.client.websocket.frames import BINARY, TEXT
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.exchange import HANDSHAKE, MESSAGE, Exchange, SocketMessage
from chaperon.measure.window import Window
from chaperon.report.exchanges.exchange_text import exchange_lines


def performed(url, *steps, **options):
    report = Environment(url, scenarios=[run(Scenario(*steps, name="shop"))], **options).execute()
    return {(row.series, row.error): row.exchanges for row in report.errors}


def shown(exchange):
    return [(each.sent, each.size, each.text, each.binary) for each in exchange.messages]


def answered(*frames):
    """A server that answers each message with *frames*."""

    def talk(peer):
        for _ in peer.messages():
            for each in frames:
                peer.raw(each)

    return talk


def test_a_wait_that_timed_out_has_the_handshake_and_the_messages_before_it(websocket_server):
    server = websocket_server()

    def listen(session):
        with session.ws("/feed", headers={"X-Mine": "here"}, timeout="5s") as socket:
            socket.send("one")
            socket.recv()
            with pytest.raises(WebSocketTimeout):
                socket.recv(timeout=0.01)

    (found,) = performed(server.url, listen)["ws recv /feed", "timeout"]
    moments = [each.at for each in found.messages]

    assert shown(found) == [(True, 3, "one", False), (False, 3, "one", False)]
    assert (found.method, found.status, found.reason) == ("GET", 101, "Switching Protocols")
    assert found.url.endswith("/feed")
    assert {"X-Mine: here", "Upgrade: websocket"} < set(found.sent_headers)
    assert "Connection: Upgrade" in found.headers
    assert {name for name, _ in found.timings} == {f"{HANDSHAKE}{stage}" for stage in Timings._fields}
    assert moments == sorted(moments)
    assert 0 <= moments[0] < found.at
    assert (found.step, found.user, found.visit) == ("step listen", 0, 0)
    assert (found.closed, found.took >= 0.01) == ("", True)


@pytest.mark.parametrize(
    ("end", "closed", "error"),
    [
        (closing(1011, "out of memory"), "closed with code 1011: out of memory", "ws closed 1011"),
        (frame(0x3, "odd"), "closed with code 1002: a frame with the unknown opcode 3", "ws protocol"),
        (frame(1, b"\xff"), "closed with code 1007: ", "ws bad utf-8"),
    ],
    ids=["by the peer", "protocol", "no text"],
)
@pytest.mark.parametrize("waits", [True, False])
def test_an_end_that_is_an_error_has_its_code_and_the_messages_before_it(websocket_server, end, closed, error, waits):
    server = websocket_server(answered(frame(1, "half"), end))

    def listen(session):
        socket = session.ws("/feed", timeout="5s")
        socket.send("go")
        socket.expect("half")
        if waits:
            with pytest.raises(WebSocketClosed):
                socket.recv()
        else:
            while not socket.closed:
                session.clock.sleep(0.01)

    (found,) = performed(server.url, listen)["ws recv /feed", error]

    assert found.closed.startswith(closed)
    assert shown(found)[:2] == [(True, 2, "go", False), (False, 4, "half", False)]
    assert found.first_line.startswith(found.closed)


@pytest.mark.parametrize("inside", [True, False], ids=["open", "closed"])
def test_a_failed_check_has_the_message_that_it_is_about(websocket_server, inside):
    server = websocket_server()

    def listen(session):
        with session.ws("/feed", timeout="5s") as socket:
            socket.send("a price of 3")
            message = socket.recv()
            if inside:
                session.check("price is 4", message == "a price of 4")
        if not inside:
            session.check("price is 4", message == "a price of 4")

    (found,) = performed(server.url, listen)["check price is 4", "check failed"]

    assert shown(found) == [(True, 12, "a price of 3", False), (False, 12, "a price of 3", False)]
    assert found.message == "check price is 4 did not hold"


def test_a_failed_check_of_a_step_that_has_read_no_message_has_none(websocket_server):
    server = websocket_server()

    def listen(session):
        socket = session.ws("/feed", timeout="5s")
        socket.send("one")
        socket.recv()

    def other(session):
        session.check("is true", False)

    assert performed(server.url, listen, other)["check is true", "check failed"] == ()


def test_a_request_without_its_reply_and_a_send_after_the_end_have_an_exchange(websocket_server):
    server = websocket_server(answered(frame(1, '{"id": 8}')))

    def ask(session):
        with session.ws("/feed", timeout="5s") as socket, pytest.raises(WebSocketTimeout):
            socket.request({"id": 7}, "id", timeout=0.05)

    (found,) = performed(server.url, ask)["ws request /feed", "timeout"]

    assert shown(found) == [(True, 8, '{"id":7}', False), (False, 9, '{"id": 8}', False)]


def test_a_refused_handshake_has_the_request_as_it_was_sent_and_its_timings(websocket_server):
    server = websocket_server(
        lambda peer: peer.raw(b"HTTP/1.1 403 No\r\nX-Why: age\r\nContent-Length: 3\r\n\r\nno!"), shakes=False
    )

    def listen(session):
        with pytest.raises(WebSocketRefused):
            session.ws("/feed", subprotocols=["v1"], headers={"Authorization": "Bearer abcdefgh12345"})

    (found,) = performed(server.url, listen)["ws connect /feed", "http 403"]
    names = [line.partition(":")[0] for line in found.sent_headers]

    assert (found.status, found.reason, found.body, found.size) == (403, "No", "no!", 3)
    assert "X-Why: age" in found.headers
    assert {"Sec-WebSocket-Protocol: v1", "Authorization: Bearer ***"} < set(found.sent_headers)
    assert len(names) == len(set(names))
    assert {"Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"} < set(names)
    assert "Accept-Encoding" not in names
    assert dict(found.timings)["waiting"] > 0
    assert (found.messages, found.closed) == ((), "")


def test_a_101_that_is_refused_has_the_answer(websocket_server):
    server = websocket_server(lambda peer: peer.agree("X-Server: seven", key="another key"), shakes=False)

    def listen(session):
        with pytest.raises(WebSocketRefused):
            session.ws("/feed")

    (found,) = performed(server.url, listen)["ws connect /feed", "ws handshake"]

    assert (found.status, found.reason) == (101, "Switching Protocols")
    assert "X-Server: seven" in found.headers


def test_secrets_are_masked_in_messages_and_in_the_end(websocket_server):
    server = websocket_server(answered(frame(1, "you: s3cr3t-word"), closing(1011, "s3cr3t-word")))

    def listen(session):
        socket = session.ws("/feed?token=abc", timeout="5s")
        socket.send(b"\0password s3cr3t-word")
        socket.send_json({"password": "other-word"})
        with pytest.raises(WebSocketClosed):
            socket.expect("never")

    (found,) = performed(server.url, listen, headers={"X-Key": "s3cr3t-word"})["ws recv /feed", "ws closed 1011"]

    assert "word" not in repr(found).replace("password", "")
    assert [each.text for each in found.messages][:2] == ["\\x00password ***", '{"password":"***"}']
    assert "X-Key: ***" in found.sent_headers
    assert found.closed == "closed with code 1011: ***"
    assert found.url.endswith("token=***")


@pytest.mark.parametrize("count", [0, 1, LAST - 1, LAST, LAST + 1, 3 * LAST + 2])
@pytest.mark.parametrize("most", [0, 1, LAST, 100])
def test_a_conversation_keeps_the_last_messages_in_their_order(count, most):
    talk = Conversation("http://a/", b"", b"", Timings())

    for number in range(count):
        talk.add(f"{number:03}", float(number), 3, 0)

    expected = list(range(count))[-LAST:][-most:] if most else []
    assert [int(each.body) for each in talk.last_messages(most)] == expected
    assert talk.count == count


@pytest.mark.parametrize("long", ["y" * 5_000_000, b"y" * 5_000_000])
def test_of_a_long_message_only_the_beginning_is_kept_and_a_short_one_is_not_copied(long):
    talk = Conversation("http://a/", b"", b"", Timings())
    short = b"z" * KEPT

    talk.add(short, 1.0, KEPT, TEXT)
    talk.add(long, 2.0, 5_000_000, BINARY)
    kept_short, kept_long = talk.last_messages()

    assert kept_short.body is short
    assert kept_long.body == long[:KEPT]
    assert [(each.at, each.size, each.sent) for each in (kept_short, kept_long)] == [
        (1.0, KEPT, TEXT),
        (2.0, 5_000_000, BINARY),
    ]


def test_a_message_is_cut_where_no_word_is_divided(websocket_server):
    server = websocket_server()
    word = f"{'a' * (MESSAGE - 8)} topsecret-word"

    def listen(session):
        with session.ws("/feed", timeout="5s") as socket:
            socket.send(word)
            socket.recv()
            session.check("wrong", False)

    (found,) = performed(server.url, listen)["check wrong", "check failed"]

    assert {each.text for each in found.messages} == {word.removesuffix("topsecret-word")}
    assert {each.size for each in found.messages} == {len(word)}


def exchange(**changes):
    fields = {
        "scenario": "shop", "series": "ws recv /", "error": "timeout", "message": "no message", "at": 1.5, "took": 0.5,
        "step": "step talk", "user": 3, "visit": 4, "method": "GET", "url": "http://a/feed", "status": 101,
        "sent_headers": ("Host: a",), "headers": ("Upgrade: websocket",), "reason": "Switching Protocols",
        "timings": ((f"{HANDSHAKE}tcp", 0.25), (f"{HANDSHAKE}tls", 0.0)),
        "messages": (
            SocketMessage(True, 1.0, 8, "hi\nthere"), SocketMessage(False, 1.25, 2_000, "x" * 5),
            SocketMessage(True, 1.3, 3, "\\x00\\x01a", binary=True), SocketMessage(False, 1.4, 0, ""),
        ),
        "closed": "closed with code 1011: no",
    }  # fmt: skip
    return Exchange(**{**fields, **changes})


def test_the_text_has_the_handshake_then_the_messages_then_the_end():
    assert exchange_lines(exchange()) == [
        "* ended 1.500 s after the start, user 3, visit 4, step talk",
        "* took 500ms",
        "* handshake: tcp 250ms",
        "> GET http://a/feed",
        "> Host: a",
        "< 101 Switching Protocols",
        "< Upgrade: websocket",
        "> message of 8 bytes at 1.000 s",
        "> hi",
        "> there",
        "< message of 2,000 bytes at 1.250 s",
        "< xxxxx",
        "< … 2,000 bytes in all",
        "> binary message of 3 bytes at 1.300 s",
        "> \\x00\\x01a",
        "< message of 0 bytes at 1.400 s",
        "* closed with code 1011: no",
    ]
    continued = exchange_lines(exchange(sent_headers=(), headers=(), timings=(), closed=""))
    assert not [line for line in continued if "GET" in line or "101" in line]
    assert "> hi" in continued


def test_an_exchange_of_a_socket_passes_the_codec_and_counts_its_length():
    one = exchange()
    window = Window("w", 1, 0, exchanges=(one,))

    assert unpack_window(pack_window(window, began=0.0), "w", began=0.0).exchanges == (one,)
    assert one.length == exchange(messages=()).length + sum(len(each.text) for each in one.messages)


TALK = """
from chaperon import step

@step
def talk(session):
    with session.ws("/feed", timeout="5s") as socket:
        for n in range(6):
            socket.send(f"said {n}")
            session.check("is five", socket.recv() == "said 5")
"""


def test_the_outputs_show_the_last_message_and_check_the_same_text_as_the_file(tmp_path, command, websocket_server):
    (tmp_path / "talk.py").write_text(TALK)
    server = websocket_server()
    given = ("--url", server.url, "--json", "o.json", "--failures", "kept", "--run-file", "o.run")

    local = command("local", "talk.py", *given)
    checked = command("check", "talk.py", "--url", server.url)
    again = command("report", "o.run", "--failures", "again")
    (first, *_), summary = sorted((tmp_path / "kept").glob("check_is_five*")), "→ 101 last message: said 0"

    errors = json.loads((tmp_path / "o.json").read_text())["errors"]
    bodies = [each["body"] for each in errors[0]["exchanges"]]
    facts = first.read_text().split("\n\n", 1)[1]
    lines = [line for line in facts.splitlines() if line.startswith(("> said", "< said", "> GET", "< 101"))]
    assert (local.returncode, checked.returncode, again.returncode) == (0, 4, 0), local.stderr
    assert bodies == [f"last message: said {n}" for n in range(3)]
    assert summary in local.stdout
    assert lines[:2] == [f"> GET {server.url.replace('ws:', 'http:')}/feed", "< 101 Switching Protocols"]
    assert lines[2:] == ["> said 0", "< said 0"]
    assert [line for line in lines if f"    {line}" not in checked.stdout] == []
    assert {file.name: file.read_text() for file in (tmp_path / "kept").iterdir()} == {
        file.name: file.read_text() for file in (tmp_path / "again").iterdir()
    }


def test_check_verbose_shows_the_handshake_once_and_each_message_once(tmp_path, command, websocket_server):
    (tmp_path / "talk.py").write_text(
        TALK.replace('session.check("is five", socket.recv() == "said 5")', "socket.recv()")
    )
    server = websocket_server()

    checked = command("check", "--verbose", "talk.py", "--url", server.url)

    lines = [line.strip() for line in checked.stdout.splitlines()]
    assert checked.returncode == 0, checked.stdout
    assert sum(line.startswith("> GET ") for line in lines) == 1
    assert [line for line in lines if "said" in line] == [f"{mark} said {n}" for n in range(6) for mark in "><"]
