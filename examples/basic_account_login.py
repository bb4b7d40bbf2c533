"""Log in, look around, log out.

chaperon local examples/basic_account_login.py
chaperon local examples/basic_account_login.py --url http://localhost:8080      # a server of your own
"""

from chaperon import Environment, Scenario, between, measured, run, step, users
from chaperon.demo import target


def site():
    """Start a small site as the target; with --url the load goes elsewhere."""
    with target() as url:
        yield {"url": url}


def init(session):
    session.assign(my_config="my_val")


@step
def login(session):
    session.post("/login", data={"user": "admin", "password": "password"})


@step
def look_around(session):
    session.get("/")


@step
def logout(session):
    session.post("/logout")


def cleanup(session):
    session.log.info("bye")


@measured
def post_logout(session):
    session.get("/foo")
    session.get("/bar")
    response = session.put("/baz", json={"data": "value"})
    session.assign(baz_body=response.text)


@step
def logout_with_stuff(session):
    session.post("/logout")
    post_logout(session)  # timed as «call post_logout»


@step
def concurrent_logout_with_stuff(session):
    session.spawn(logout)  # a task named «logout»
    session.spawn(session.put, "/baz", json={"data": "value"}, task="baz")
    session.join("logout", "baz")  # their values, in order


basic_account_login = Scenario(login, look_around, logout, init=init, cleanup=cleanup)
logout_scenario = Scenario(login, logout_with_stuff, concurrent_logout_with_stuff)

production = Environment(
    setup=site,
    headers={"Authorization": "Bearer a-token-of-yours"},
    scenarios=[
        run(basic_account_login, users(100, ramp="5s", hold="10s", think=between("1s", "3s")), some_config="some_val"),
        run(basic_account_login, users(10), name="custom_name", some_config="other"),
        run(logout_scenario, users(5)),
    ],
    limits=["p95(GET /) < 300ms", "errors < 1%"],
)
