"""The rules of the transport and of the WebSocket handshake, on a scripted network in virtual time."""

import re
import socket
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from hashlib import sha1
from pathlib import Path

import gevent
import pytest
import requests

from chaperon import Environment, Scenario, TeardownError, UsageError, run, users
from chaperon.client.http.measured import MeasuredSession
from chaperon.client.network.connect import NetworkContext
from chaperon.client.service import Service
from chaperon.client.websocket.connect import open_websocket
from chaperon.clock import HubClock
from chaperon.errors import BodyTooLarge, DeadlineExceeded, WebSocketClosed, WebSocketRefused, WebSocketTimeout
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.testing import ScriptedNetwork, VirtualClock, simulate

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class World:
    """A session on a scripted network, with all that can be asked of both afterwards."""

    def __init__(self, *scripts, url="http://shop", dns=0.0, connect=0.0, tls=0.0, hosts=None, **service):
        self.clock = VirtualClock()
        self.network = ScriptedNetwork(self.clock, *scripts, dns=dns, connect=connect, tls=tls, hosts=hosts)
        self.context = NetworkContext(self.network, self.clock.now)
        self.recorder = Recorder("local", began=self.clock.now())
        meter = Meter(self.recorder, self.clock, "shop")
        self.http = MeasuredSession(meter, Service(url, **service), wire=self.context)

    def run(self, work, *args, **keywords):
        """Return what work returns, or raise what it raises, in virtual time."""
        greenlet = gevent.spawn(work, *args, **keywords)
        self.clock.run(lambda: greenlet.dead)
        return greenlet.get()

    def counted(self, name):
        """Return what was counted under a name since it was asked last."""
        return sum(series.total for key, series in self.recorder.cut().series.items() if key.name == name)

    def get(self, path="/", **keywords):
        return self.run(self.http.get, path, **keywords)

    def ws(self, path="/feed", **keywords):
        return self.run(open_websocket, self.http, path, wire=self.context, ended=lambda ws: None, **keywords)


def serving(*answers):
    """Return a script that answers one request after another, then closes."""

    def script(peer):
        for answer in answers:
            peer.answer(answer)

    return script


def slow(*pauses):
    """Return a script that sends each (seconds, bytes) after its pause."""

    def script(peer):
        peer.receive()
        for seconds, piece in pauses:
            peer.sleep(seconds)
            peer.send(piece)
        peer.stay()

    return script


# what is sent, and how often


def test_a_kept_connection_serves_the_next_request():
    world = World(serving(HELLO, HELLO))

    replies = [world.get(), world.get()]

    assert [(r.text, r.reused) for r in replies] == [("hello", False), ("hello", True)]
    assert len(world.network.peers) == 1


def test_a_safe_request_is_sent_again_where_the_kept_connection_was_closed():
    world = World(serving(HELLO))
    world.get()

    assert world.get().text == "hello"
    assert world.context.facts()["requests_retried"] == 1
    assert len(world.network.peers) == 2


def test_a_safe_request_is_sent_again_once_only():
    def half(peer):
        peer.answer(HELLO)
        peer.receive()

    world = World(half, lambda peer: peer.receive())
    world.get()

    with pytest.raises(requests.ConnectionError):
        world.get()
    assert len(world.network.peers) == 2
    assert world.counted("retries GET /") == 1.0


@pytest.mark.parametrize("auth", [None, ("me", "secret")], ids=["short way", "long way"])
@pytest.mark.parametrize(
    "rest",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
)
def test_a_request_that_is_sent_again_is_counted_whatever_becomes_of_it(rest, auth):
    world = World(serving(HELLO), lambda peer: peer.answer(rest))
    world.get()

    with suppress(requests.RequestException):
        world.get(auth=auth, max_body=100)

    assert world.counted("retries GET /") == 1.0


def test_a_post_that_was_sent_is_never_sent_again():
    def deaf(peer):
        peer.answer(HELLO)
        peer.receive()  # and then it closes

    world = World(deaf)
    world.get()

    with pytest.raises(requests.ConnectionError):
        world.run(world.http.post, "/", data=b"pay")
    assert len(world.network.peers) == 1


def test_a_post_takes_a_new_connection_where_the_kept_one_is_closed():
    world = World(serving(HELLO))
    world.get()

    assert world.run(world.http.post, "/", data=b"pay").text == "hello"
    assert world.context.facts()["requests_retried"] == 0


def test_bytes_that_no_request_asked_for_end_the_connection():
    world = World(serving(HELLO + HELLO.replace(b"hello", b"evil!")), serving(HELLO))

    assert [world.get().text, world.get().text] == ["hello", "hello"]
    assert len(world.network.peers) == 2


@pytest.mark.parametrize("split", [1, 2, 7, 20, 37])
def test_interim_responses_are_passed_over_however_they_are_split(split):
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO
    pieces = [answer[at : at + split] for at in range(0, len(answer), split)]

    world = World(lambda peer: peer.answer(*pieces))

    assert world.get().text == "hello"


# time


def test_every_time_of_a_response_comes_from_the_clock_of_the_run():
    world = World(
        slow((0.5, HELLO[:20]), (1.0, HELLO[20:])), url="https://shop", dns=0.1, connect=0.2, tls=0.3, verify=False
    )

    reply = world.get()

    timings = reply.timings
    assert (timings.dns, timings.tcp, timings.tls) == pytest.approx((0.1, 0.2, 0.3))
    assert (timings.sending, timings.waiting, timings.receiving) == pytest.approx((0.0, 0.5, 1.0))
    assert reply.elapsed.total_seconds() == pytest.approx(1.1)
    [series] = world.recorder.cut().series.values()
    assert series.good.total == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("script", "options", "raised", "after"),
    [
        (slow((9, HELLO)), {"timeout": 2}, requests.ReadTimeout, 2),
        (slow((1, HELLO[:3]), (1, HELLO[3:9]), (9, b"")), {"timeout": 2}, requests.ReadTimeout, 4),
        (slow((1, HELLO[:40]), (9, b"")), {"timeout": 2}, requests.ConnectionError, 3),
        (slow(*[(1, bytes([b])) for b in HELLO]), {"timeout": 2, "deadline": 5}, DeadlineExceeded, 5),
        (slow(*[(1, bytes([b])) for b in HELLO]), {"deadline": 40}, DeadlineExceeded, 40),
    ],
    ids=["silent", "head stops", "body stops", "head drips", "body drips"],
)
def test_a_slow_server_is_left_when_patience_or_the_deadline_ends(script, options, raised, after):
    world = World(script)
    start = world.clock.now()

    with pytest.raises(raised):
        world.get(**options)

    assert world.clock.now() - start == pytest.approx(after)


@pytest.mark.parametrize("stage", ["connect", "tls"])
def test_connecting_has_a_time_limit_of_its_own(stage):
    world = World(serving(HELLO), url="https://shop", verify=False, **{stage: 9.0})
    start = world.clock.now()

    with pytest.raises(requests.ConnectTimeout):
        world.get(timeout=(3, 60))

    assert world.clock.now() - start == pytest.approx(3)


# what goes wrong


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connect refused"),
        (lambda peer: peer.receive(), "reset"),
        (lambda peer: [peer.receive(), peer.reset()], "reset"),
        (lambda peer: peer.answer(HELLO[:-2]), "truncated"),
        (lambda peer: peer.answer(b"SMTP ready\r\n\r\n"), "protocol"),
    ],
    ids=["refused", "closed", "reset", "cut short", "another protocol"],
)
def test_a_failure_is_recorded_under_its_class(script, error):
    world = World(script)

    with pytest.raises(requests.RequestException):
        world.get()

    assert [key[2] for key in world.recorder.cut().errors] == [error]


def test_a_name_that_has_no_address_is_a_dns_error():
    world = World(serving(HELLO), hosts={"other": ["10.0.0.1"]})

    with pytest.raises(requests.ConnectionError):
        world.get()

    assert [key[2] for key in world.recorder.cut().errors] == ["dns"]


def test_addresses_are_tried_in_turn_until_one_answers():
    refused = ConnectionRefusedError(111, "Connection refused")
    world = World(refused, serving(HELLO), hosts={"shop": ["10.0.0.1", "10.0.0.2"]})

    assert world.get().text == "hello"
    assert [peer.address for peer in world.network.peers] == [("10.0.0.2", 80)]


def test_source_addresses_are_used_in_turn():
    world = World(serving(HELLO), local_addresses=("127.0.0.2", "127.0.0.3"))

    for _ in range(3):
        world.get()
        world.http.close()

    assert [peer.local for peer in world.network.peers] == ["127.0.0.3", "127.0.0.2", "127.0.0.3"]


def test_a_body_beyond_the_bound_is_refused_and_its_connection_closed():
    world = World(lambda peer: [peer.answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000), peer.stay()], max_body=1_000)

    with pytest.raises(BodyTooLarge):
        world.get()
    assert world.network.peers[0].closed_by_client


# WebSockets


def accept(peer, *fields, status="101 Switching Protocols", then=b"", after=0.0):
    head = peer.receive().decode()
    peer.sleep(after)
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    proof = b64encode(sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    lines = [f"HTTP/1.1 {status}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {proof}"]
    peer.send("\r\n".join([*lines, *fields, "", ""]).encode() + then)


def test_frames_that_come_with_the_handshake_are_messages():
    world = World(lambda peer: [accept(peer, then=b"\x81\x02hi"), peer.send(b"\x81\x03two"), peer.stay()])

    ws = world.ws()

    assert [world.run(ws.recv), world.run(ws.recv)] == ["hi", "two"]
    world.run(ws.abort)


def test_a_ping_is_answered_while_no_greenlet_reads():
    def script(peer):
        accept(peer, then=b"\x89\x01p")
        head = peer.receive_bytes(2)
        peer.pong = head
        peer.stay()

    world = World(script)
    ws = world.ws()

    world.run(world.clock.sleep, 1.0)

    assert world.network.peers[0].pong == b"\x8a\x81"
    world.run(ws.abort)


def test_the_end_of_the_stream_reaches_the_greenlet_that_waits():
    world = World(lambda peer: [accept(peer), peer.sleep(3.0)])
    ws = world.ws()
    start = world.clock.now()

    with pytest.raises(WebSocketClosed) as closed:
        world.run(ws.recv)

    assert closed.value.code == 1006
    assert world.clock.now() - start == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("script", "raised", "says"),
    [
        (lambda peer: peer.answer(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), WebSocketRefused, "403"),
        (lambda peer: peer.receive(), WebSocketRefused, "closed during the handshake"),
        (lambda peer: peer.answer(b"SSH-2.0\r\n\r\n"), WebSocketRefused, "not HTTP"),
        (lambda peer: accept(peer, "Sec-WebSocket-Extensions: x"), WebSocketRefused, "extension"),
        (lambda peer: accept(peer, "Sec-WebSocket-Protocol: x"), WebSocketRefused, "subprotocol"),
        (lambda peer: peer.stay(), WebSocketTimeout, "5 s"),
        (ConnectionRefusedError(111, "Connection refused"), WebSocketRefused, "refused"),
    ],
    ids=["status", "closed", "not http", "extension", "subprotocol", "silent", "refused"],
)
def test_a_handshake_that_fails_says_how(script, raised, says):
    world = World(script)

    with pytest.raises(raised, match=says):
        world.ws(timeout=5)


def test_a_handshake_has_one_deadline_however_slowly_it_comes():
    world = World(slow(*[(1, bytes([b])) for b in b"HTTP/1.1 101 Switching Protocols\r\n"]))
    began = world.clock.now()

    with pytest.raises(WebSocketTimeout):
        world.ws(timeout=5)

    assert world.clock.now() - began == 5
    assert len(world.network.peers) == 1


def test_the_handshake_is_timed_like_a_request():
    world = World(
        lambda peer: [accept(peer, after=0.5), peer.stay()],
        url="https://shop",
        verify=False,
        dns=0.1,
        connect=0.2,
        tls=0.3,
    )

    ws = world.ws()

    assert tuple(ws.timings) == pytest.approx((0.0, 0.1, 0.2, 0.3, 0.0, 0.5, 0.0))
    world.run(ws.abort)


def test_a_name_is_looked_up_by_the_network_alone():
    world = World(serving(HELLO), hosts={"shop": ["192.0.2.1"]})

    world.get()

    assert world.network.peers[0].address == ("192.0.2.1", 80)
    with pytest.raises(socket.gaierror):
        world.run(world.network.resolve, "nowhere", 80)


# what an author uses

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scripted-network.md"


@pytest.mark.processes
def test_the_code_of_its_page_runs():
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


def shop(session):
    session.get("/")


def shopping(url="http://shop", steps=shop, **settings):
    return Environment(url, scenarios=[run(Scenario(steps), users(1))], **settings)


def test_a_script_that_raises_is_raised_after_the_run():
    def script(peer):
        peer.receive()
        raise ZeroDivisionError("in the script")

    network = ScriptedNetwork(VirtualClock(), script)

    with pytest.raises(ZeroDivisionError, match="in the script"):
        simulate(shopping(), network)
    assert network.peers[0].received.startswith(b"GET / HTTP/1.1")


@pytest.mark.parametrize(
    ("environment", "network", "says"),
    [
        (shopping(), ScriptedNetwork(HubClock(), serving(HELLO)), "needs ScriptedNetwork\\(VirtualClock"),
        (shopping(transport="urllib3"), ScriptedNetwork(VirtualClock(), serving(HELLO)), "needs transport='wire'"),
    ],
    ids=["hub clock", "urllib3"],
)
def test_what_cannot_be_simulated_is_refused(environment, network, says):
    with pytest.raises(UsageError, match=says):
        simulate(environment, network)

    assert not network.peers


def test_a_teardown_that_fails_brings_the_report():
    def fails():
        raise ValueError("no")

    with pytest.raises(TeardownError) as raised:
        simulate(shopping(teardown=fails), ScriptedNetwork(VirtualClock(), serving(HELLO)))

    assert raised.value.report["GET /"].count == 1


def test_a_websocket_of_a_scenario_is_simulated_as_well():
    def talk(session):
        with session.ws("/feed") as ws:
            session.check("it says hi", ws.recv() == "hi")

    network = ScriptedNetwork(VirtualClock(), lambda peer: [accept(peer, then=b"\x81\x02hi"), peer.stay()], connect=0.2)

    report = simulate(shopping(steps=talk), network)

    assert not report.errors
    assert report["ws connect /feed"].max == pytest.approx(0.2)


@pytest.mark.parametrize("send", ["send", "send_now"])
@pytest.mark.parametrize("when", ["before connecting", "after closing"])
def test_nothing_is_delivered_without_a_connection(send, when):
    network = ScriptedNetwork(VirtualClock(), lambda peer: peer.stay())
    stream = network.stream(socket.AF_INET, secure=False, now=network.clock.now)
    if when == "after closing":
        connecting = gevent.spawn(stream.connect, ("shop", 80))
        network.clock.run(lambda: connecting.dead)
        stream.close()

    with pytest.raises(BrokenPipeError):
        getattr(stream, send)(b"late")

    assert not any(peer.received for peer in network.peers)
