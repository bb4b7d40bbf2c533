"""Ten sessions on one channel at once: two publish, four poll, four listen on a WebSocket.

chaperon local examples/firehose.py
chaperon local examples/firehose.py --set scale=0.1      # the same in a tenth of the time
"""

from chaperon import Environment, Scenario, run

CHANNEL = "/testchannel"


def setup():
    from servers.firehose import serving

    return serving()


def arrive(session):
    session.sleep(session.config["after"] * session.config["scale"])


def turns(session):
    """Yield turns for as long as configured, each after a random pause."""
    scale = session.config["scale"]
    for turn in session.loop(session.config["duration"] * scale):
        session.random_delay(session.config["interval"] * scale)
        yield turn


def publish(session):
    for _ in range(session.config["loops"]):
        for _ in turns(session):
            session.spawn(
                session.put,
                CHANNEL,
                json={"hello": "world", "time": session.clock.now()},
                headers={"X-Firehose-Persist": "true"},
                task="publish",
            )
    session.join_all()


def subscribe_loop(session):
    for _ in turns(session):
        session.spawn(session.get, CHANNEL, timeout=30, task="subscribe")
    session.join_all()


def subscribe(session):
    for _ in range(session.config["loops"]):
        session.spawn(subscribe_loop)
    session.join_all()


def listen(session):
    with session.ws(CHANNEL, timeout="60s") as ws:
        ws.send_json({"last_message_sequence": 0})
        for _ in range(session.config["messages"]):
            ws.recv_json()


publisher = Scenario(publish, init=arrive)
subscriber = Scenario(subscribe, init=arrive)
listener = Scenario(listen)

environment = Environment(
    scenarios=[
        run(publisher, name="p1", after=1, duration=1, interval=0.05, loops=5),
        run(publisher, name="p2", after=4, duration=10, interval=0.25, loops=1),
        run(subscriber, name="s1", after=5, duration=1, interval=0.05, loops=5),
        run(subscriber, name="s2", after=0, duration=15, interval=0.5, loops=5),
        run(subscriber, name="s3", after=7.5, duration=3, interval=0.075, loops=20),
        run(subscriber, name="s4", after=2, duration=3, interval=0.15, loops=1),
        run(listener, name="ws1", messages=10),
        run(listener, name="ws2", messages=50),
        run(listener, name="ws3", messages=100),
        run(listener, name="ws4", messages=200),
    ],
    config={"scale": 1.0},
    setup=setup,
    limits=["errors == 0"],
)
