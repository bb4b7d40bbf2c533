"""A publisher and its subscriber in one visit; signals keep either from sending before the other is ready.

chaperon local examples/publish_and_await.py
"""

from chaperon import Environment, Scenario, run, step, users


def setup():
    from servers.channels import serving

    return serving()


def subscribe(session, channel, n):
    """Signal the parent once subscribed, then return a list of *n* messages."""
    sequence = session.get(channel, name="GET /:channel").json()["sequence"]
    session.parent.signal("subscribed")
    messages = []
    while len(messages) < n:
        response = session.get(channel, params={"after": sequence}, name="GET /:channel next", timeout=30)
        if response.status_code == 200:
            sequence = response.json()["sequence"]
            messages.append(response.json()["message"])
            session.arrived((channel, messages[-1]))
    return messages


@step
def publish_and_await(session):
    channel, n = f"/channel-{session.visit.user}", session.config["messages"]
    subscriber = session.spawn(subscribe, channel, n)
    session.wait_signal("subscribed", timeout="5s")
    sent = [f"message {number}" for number in range(n)]
    for message in sent:
        session.mark((channel, message))
        session.put(channel, data=message, name="PUT /:channel")
    session.check("nothing is missing", session.join(subscriber, timeout="10s") == sent)


environment = Environment(
    scenarios=[run(Scenario(publish_and_await), users(5))],
    config={"messages": 20},
    setup=setup,
    limits=["errors < 1%", "errors(check nothing is missing) == 0"],
)
