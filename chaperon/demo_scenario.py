"""The scenario that `chaperon demo` runs: log in, look around, log out."""

from __future__ import annotations

from chaperon.execution.environment import Environment
from chaperon.load.kinds.think import between
from chaperon.load.shapes import rate, users
from chaperon.scenario.entry import run
from chaperon.scenario.scenario import Scenario
from chaperon.scenario.steps import measured, step
from chaperon.session.session import Session


def init(session: Session) -> None:
    session.assign(my_config="my_val")


@step
def login(session: Session) -> None:
    session.post("/login", data={"user": "admin", "password": "password"})
    session.check("has a cookie", "session" in session.http.cookies)


@step(think="100ms")
def look_around(session: Session) -> None:
    session.get("/")
    session.get("/slow")
    session.get("/sometimes")


@step
def logout(session: Session) -> None:
    session.post("/logout")


def cleanup(session: Session) -> None:
    session.log.info("bye")


@measured
def post_logout(session: Session) -> None:
    session.get("/foo")
    session.get("/bar")
    response = session.put("/baz", json={"data": "value"})
    session.assign(baz_body=response.text)


@step
def logout_with_stuff(session: Session) -> None:
    session.post("/logout")
    post_logout(session)


@step
def concurrent_logout_with_stuff(session: Session) -> None:
    session.spawn(logout)
    session.spawn(session.put, "/baz", json={"data": "value"}, task="baz")
    _, stored = session.join("logout", "baz")
    session.record("stored", len(stored.content), unit="B")


basic_account_login = Scenario(login, look_around, logout, init=init, cleanup=cleanup, name="basic_account_login")
with_stuff = Scenario(login, logout_with_stuff, concurrent_logout_with_stuff, init=init, cleanup=cleanup)

production = Environment(
    "http://localhost:8080",
    name="demo",
    headers={"Authorization": "Bearer a-token-of-the-demo"},
    scenarios=[
        run(basic_account_login, users(20, ramp="2s", hold="8s", think=between("0s", "200ms")), some_config="some_val"),
        run(with_stuff, rate(10, hold="10s"), name="custom_name", some_config="other"),
    ],
    limits=["p95(GET /) < 300ms", "errors < 5%"],
)
