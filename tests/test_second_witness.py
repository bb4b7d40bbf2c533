"""What transports count as sent equals what is recorded, for every way of sending."""

import pytest
import requests
from scenes import once

from chaperon import iterations
from chaperon.client.network.connect import NetworkContext
from chaperon.client.websocket.metrics import WebSocketMetrics
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder


def digest(session):
    session.get("/", auth=requests.auth.HTTPDigestAuth("a", "b"))


def sdk(session):
    http = session.http
    http.send(http.prepare_request(requests.Request("GET", f"{http.service.url}/sdk")))


def streamed(session):
    for response in (session.get("/", stream=True), session.get("/left", stream=True)):
        response.raw.read1(2)


def refused(session):
    session.get("http://127.0.0.1:1/", timeout=1)


def mounted(session):
    session.http.mount("http://", requests.adapters.HTTPAdapter())
    session.get("/")


WAYS = {
    "fast": (lambda session: [session.get("/"), session.post("/", json={})], 2),
    "long": (lambda session: [session.get("/", cookies={"a": "b"}), session.post("/", files={"a": b"b"})], 2),
    "redirected": (lambda session: session.get("/redirect"), 1),
    "redirected, long": (lambda session: session.get("/redirect", cookies={"a": "b"}), 1),
    "redirect not followed": (lambda session: session.get("/redirect", allow_redirects=False), 1),
    "streamed": (streamed, 2),
    "refused": (refused, 1),
    "timed out": (lambda session: session.get("/slow", timeout=0.05), 1),
    "timed out, long": (lambda session: session.get("/slow", timeout=0.05, cookies={"a": "b"}), 1),
    "digest": (digest, 1),
    "of an SDK": (sdk, 1),
    "beneath": (lambda session: session.http.get(session.http.service.url + "/"), 1),
    "by a mounted adapter": (mounted, 0),
    "of no URL": (lambda session: session.get("http://["), 0),
}


@pytest.fixture
def sent(monkeypatch):
    """The network contexts of a run, which count."""
    made = []
    plain = NetworkContext.__init__

    def keep(self, *args, **options):
        plain(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(NetworkContext, "__init__", keep)
    return made


@pytest.mark.as_written
@pytest.mark.parametrize("transport", ["wire", "urllib3"])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_counted_once_by_its_transport(target, sent, way, transport):
    work, count = WAYS[way]

    report = once(target, work, load=iterations(3), transport=transport)

    assert sum(network.sent for network in sent) == 3 * count
    recorded = sum(row.count + row.errors for row in report.rows if row.kind == "http")
    assert recorded >= 3 * count
    assert not [reason for reason in report.reasons if "sent" in reason]


@pytest.mark.as_written
@pytest.mark.parametrize("transport", ["wire", "urllib3"])
@pytest.mark.parametrize("way", ["fast", "long", "streamed", "redirected"])
def test_a_request_that_is_sent_and_not_recorded_is_said(target, monkeypatch, way, transport):
    plain, dropped = Meter._record, []

    def forgetful(self, cached, name, kind, *sample):
        if kind == "http" and not dropped:
            dropped.append(name)
        else:
            plain(self, cached, name, kind, *sample)

    monkeypatch.setattr(Meter, "_record", forgetful)

    report = once(target, WAYS[way][0], transport=transport)

    assert dropped
    assert any("sent 1 request" in reason or "sent 2 requests" in reason for reason in report.reasons), report.reasons


@pytest.mark.as_written
def test_messages_of_websockets_are_counted_by_the_protocol_and_by_the_recorder(websocket_server, sent, monkeypatch):
    made = []
    plain = Recorder.__init__
    monkeypatch.setattr(Recorder, "__init__", lambda self, *a, **k: (plain(self, *a, **k), made.append(self))[0])

    def talk(session):
        with session.ws("/") as ws:
            ws.send("text")
            ws.send(b"bytes")
            ws.send_json({"a": 1})
            ws.ping()

    once(websocket_server(), talk)

    assert [network.messages_sent for network in sent] == [recorder.messages for recorder in made] == [3]


@pytest.mark.as_written
def test_a_message_that_is_sent_and_not_recorded_is_said(websocket_server, monkeypatch):
    monkeypatch.setattr(WebSocketMetrics, "sent", lambda self, at, size: None)

    report = once(websocket_server(), lambda session: session.ws("/").send("text"))

    assert any("1 WebSocket message, 0 recorded" in reason for reason in report.reasons), report.reasons
