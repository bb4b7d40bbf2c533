"""A hundred users who say «ping» ten times and wait for «pong»; the socket is opened once, closed in the end.

chaperon local examples/ping_pong.py
"""

from chaperon import Environment, Scenario, run, step, users


def setup():
    from servers.echo import serving

    return serving()


def init(session):
    session.assign(ws=session.ws("/ping"))


@step(repeat=10)
def ping_pong(session):
    session.assigned.ws.request("ping", reply_to=lambda reply: reply == "pong")


def cleanup(session):
    session.assigned.ws.close()


environment = Environment(
    scenarios=[run(Scenario(ping_pong, init=init, cleanup=cleanup), users(100))],
    setup=setup,
    limits=["errors == 0"],
)
