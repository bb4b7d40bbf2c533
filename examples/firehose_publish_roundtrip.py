"""The round trip of a message from its publication to its subscriber, matched by an id.

chaperon local examples/firehose_publish_roundtrip.py
chaperon local examples/firehose_publish_roundtrip.py --set publications=5000 --set batch=1
"""

import json

from chaperon import Environment, Scenario, measured, run


def setup():
    from servers.firehose import serving

    return serving()


def envelope(session, channel, key):
    session.mark(key)
    return {"channel": channel, "payload": {"hello world": key}, "ttl": 1000, "buffer_size": 100}


@measured
def publish_roundtrip(session, ws, channel, keys):
    """Publish a batch with one request, then wait for each of its messages."""
    envelopes = [envelope(session, channel, key) for key in keys]
    if len(envelopes) == 1:
        session.put(channel, json=envelopes[0]["payload"], name="PUT /:channel")
    else:
        session.put("/channels@firehose", json=envelopes)
    waiting = set(keys)
    while waiting:
        key = json.loads(ws.recv_json()["message"])["hello world"]
        session.arrived(key, name="publish to receive", at=ws.received_at)
        waiting.discard(key)


def publish(session):
    channel, batch = f"/testchannel-{session.random.randint(1, 1_000_000)}", session.config["batch"]
    with session.ws(channel, timeout="5s", name="/:channel") as ws:
        ws.send_json({"last_message_sequence": 0})
        ws.send_json({"ping": "PING"})
        ws.expect({"pong": "PONG"})  # answered in order: from here on nothing published is missed
        for first in range(0, session.config["publications"], batch):
            last = min(first + batch, session.config["publications"])
            publish_roundtrip(session, ws, channel, range(first, last))


environment = Environment(
    scenarios=[run(Scenario(publish))],
    config={"publications": 500, "batch": 10},
    setup=setup,
    limits=["errors == 0"],
)
