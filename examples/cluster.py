"""A load for a master with workers; the master starts a small shop as its target.

In one shell:      chaperon master examples/cluster.py --workers 2
In another:        chaperon worker --master tcp://127.0.0.1 --processes 2

To a server of your own, add --url http://… to the first.
"""

from chaperon import Environment, Scenario, rate, run, step, users
from chaperon.demo import target


def shop():
    """Start the shop, once, on the master only; every worker gets the url it yields."""
    with target() as url:
        yield {"url": url}


@step
def login(session):
    session.post("/login", data={"user": f"user-{session.visit.user}", "password": "password"})


@step
def look_around(session):
    session.get("/")


@step
def save(session):
    response = session.put("/baz", json={"visit": session.visit.number})
    session.check("it was stored", response.json()["stored"] == {"visit": session.visit.number})


production = Environment(
    setup=shop,
    scenarios=[
        run(Scenario(login, look_around, save), rate(40, ramp="5s", hold="20s"), name="customers"),
        run(Scenario(look_around), users(8, hold="25s", think="500ms"), name="passers_by"),
    ],
    limits=["errors < 1%", "p95(step save in customers) < 500ms"],
)
