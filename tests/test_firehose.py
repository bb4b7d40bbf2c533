"""The firehose server of the examples keeps sequences, buffers, multiplexes."""

import json
import sys
from pathlib import Path

import gevent
import pytest
import requests
from geventwebsocket.handler import WebSocketHandler
from waits import until
from websocket import create_connection


@pytest.fixture
def firehose(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "examples"))
    from servers import served
    from servers.firehose import application

    module = sys.modules["servers.firehose"]
    module.channels.clear()
    with served(application, handler_class=WebSocketHandler) as given:
        yield given["url"]


def poll(url, last):
    return requests.get(url, params={"last_message_sequence": last}, timeout=5)


def test_a_poll_gets_what_follows_the_sequence_it_has_seen(firehose):
    for n in range(3):
        assert requests.put(f"{firehose}/a", data=f"m{n}", timeout=5).status_code == 202

    assert poll(f"{firehose}/a", 1).json() == {"message": "m1", "last_sequence": 2}
    assert poll(f"{firehose}/a", 0).json() == {"message": "m2", "last_sequence": 3}
    assert poll(f"{firehose}/a", -1).status_code == 400


def test_a_poll_waits_for_what_comes_next_and_at_last_says_that_nothing_did(firehose, monkeypatch):
    waiting = gevent.spawn(poll, f"{firehose}/b", 0)
    until(lambda: "/b" in sys.modules["servers.firehose"].channels)
    requests.put(f"{firehose}/b", data="new", timeout=5)

    assert waiting.get().json() == {"message": "new", "last_sequence": 1}
    monkeypatch.setattr(sys.modules["servers.firehose"], "PATIENCE", 0.02)
    assert poll(f"{firehose}/b", 1).status_code == 204


def test_who_has_missed_more_than_is_kept_gets_the_latest(firehose):
    for n in range(5):
        requests.put(f"{firehose}/c", data=f"m{n}", headers={"X-Firehose-Buffer-Size": "2"}, timeout=5)

    assert poll(f"{firehose}/c", 1).json() == {"message": "m4", "last_sequence": 5}
    assert poll(f"{firehose}/c", 3).json() == {"message": "m3", "last_sequence": 4}


def test_messages_expire_unless_they_are_to_persist(firehose, monkeypatch):
    monkeypatch.setattr(sys.modules["servers.firehose"], "PATIENCE", 0.02)
    requests.put(f"{firehose}/d", data="short", headers={"Cache-Control": "max-age=0"}, timeout=5)
    requests.put(f"{firehose}/e", data="long", headers={"X-Firehose-Persist": "true"}, timeout=5)

    assert poll(f"{firehose}/d", 0).status_code == 204
    assert poll(f"{firehose}/e", 0).json()["message"] == "long"


def test_a_websocket_gets_all_that_follows_and_a_multiplexed_one_of_many_channels(firehose):
    one = create_connection(firehose.replace("http", "ws") + "/f", timeout=5)
    many = create_connection(firehose.replace("http", "ws") + "/channels@firehose", timeout=5)
    one.send(json.dumps({"last_message_sequence": 0}))
    many.send(json.dumps({"multiplex_subscribe": [{"channel": "/f", "last_message_sequence": 0}, {"channel": "/g"}]}))
    for ws in (one, many):
        ws.send(json.dumps({"ping": "PING"}))
        assert json.loads(ws.recv()) == {"pong": "PONG"}
    batch = [{"channel": "/f", "payload": f"m{n}"} for n in range(3)] + [{"channel": "/g", "payload": {"n": 1}}]

    assert requests.put(f"{firehose}/channels@firehose", json=batch, timeout=5).status_code == 202

    frames = [{"message": f"m{n}", "last_sequence": n + 1} for n in range(3)]
    assert [json.loads(one.recv()) for _ in range(3)] == frames
    got = [json.loads(many.recv()) for _ in range(4)]
    assert [f for f in got if f["channel"] == "/f"] == [{"channel": "/f", **f} for f in frames]
    assert {"channel": "/g", "message": '{"n": 1}', "last_sequence": 1} in got
    one.close()
    many.close()


def test_one_poll_can_wait_at_many_channels_and_other_methods_are_refused(firehose):
    requests.put(f"{firehose}/i", data="here", timeout=5)

    answer = requests.post(f"{firehose}/channels@firehose", json={"/h": 0, "/i": 0}, timeout=5)

    assert answer.json() == {"channel": "/i", "message": "here", "last_sequence": 1}
    assert requests.head(firehose, timeout=5).status_code == 200
    assert requests.delete(f"{firehose}/i", timeout=5).status_code == 405
