"""A hundred users who each send ten messages and wait for the echo of each.

chaperon local examples/ws_echo.py
"""

from chaperon import Environment, Scenario, measured, run, users


def setup():
    from servers.echo import serving

    return serving()


@measured
def echo(session, ws, message):
    sent = ws.send(message)
    ws.expect(message, since=sent)  # messages before it, such as a greeting, are skipped


def converse(session):
    with session.ws(session.config["path"], timeout="5s") as ws:
        for counter in range(session.config["iterations"]):
            echo(session, ws, f"Echo {counter}")


environment = Environment(
    scenarios=[run(Scenario(converse), users(100))],
    config={"iterations": 10, "path": "/"},
    setup=setup,
    limits=["errors == 0"],
)
