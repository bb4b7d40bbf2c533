"""What is set on the HTTP session in a nested scenario, a task or a step holds for the user from then on."""

from itertools import product

import pytest
import requests
from scenes import once
from thorough import some

from chaperon import Scenario
from chaperon.client.http.measured import MeasuredSession


def set_auth(http):
    http.auth = ("ada", "analytical")


def set_header(http):
    http.headers["X-Set"] = "yes"


def replace_headers(http):
    http.headers = {"X-Set": "yes"}


def set_params(http):
    http.params = {"set": "yes"}


def update_params(http):
    http.params["set"] = "yes"


def set_cookie(http):
    http.cookies.set("set", "yes")


def set_hook(http):
    http.hooks["response"].append(lambda reply, **_: setattr(reply, "hooked", True))


def replace_hooks(http):
    http.hooks = {"response": [lambda reply, **_: setattr(reply, "hooked", True)]}


class Marking(requests.adapters.HTTPAdapter):
    def add_headers(self, request, **kwargs):
        request.headers["X-Set"] = "yes"


def mount(http):
    http.mount("http://", Marking())


SETTINGS = {
    mount: lambda reply: reply.request.headers.get("X-Set") == "yes",
    set_auth: lambda reply: "Authorization" in reply.request.headers,
    set_header: lambda reply: reply.request.headers.get("X-Set") == "yes",
    replace_headers: lambda reply: reply.request.headers.get("X-Set") == "yes",
    set_params: lambda reply: reply.request.url.endswith("?set=yes"),
    update_params: lambda reply: reply.request.url.endswith("?set=yes"),
    set_cookie: lambda reply: reply.request.headers.get("Cookie") == "set=yes",
    set_hook: lambda reply: hasattr(reply, "hooked"),
    replace_hooks: lambda reply: hasattr(reply, "hooked"),
}
"""By setting: whether a response shows that its request was sent with it."""


def in_a_nested_scenario(session, change):
    session.run(Scenario(lambda inner: change(inner.http), name="nested"))


def in_a_nested_scenario_within_another(session, change):
    inner = Scenario(lambda inner: change(inner.http), name="inner")
    session.run(Scenario(lambda outer: outer.run(inner), name="outer"))


def in_a_task(session, change):
    def task(inner):
        change(inner.http)

    session.spawn(task)
    session.join("task")


def by_the_service(session, change):
    change(session.service("default"))


def under_tags(session, change):
    session.get("/", tags={"kind": "first"})
    change(session.http)


PLACES = [in_a_nested_scenario, in_a_nested_scenario_within_another, in_a_task, by_the_service, under_tags]


@pytest.mark.parametrize(("change", "place", "before"), some(product(SETTINGS, PLACES, [False, True]), 7))
def test_a_setting_holds_from_then_on(target, change, place, before):
    seen = []

    def visit(session):
        if before:
            session.get("/")
        place(session, change)
        seen.extend(SETTINGS[change](reply) for reply in (session.get("/"), session.post("/", tags={"a": "b"})))
        session.run(Scenario(lambda inner: seen.append(SETTINGS[change](inner.get("/"))), name="later"))

    once(target, visit)

    assert seen == [True, True, True]


@pytest.mark.parametrize("name", ["verify", "cert", "proxies", "stream", "trust_env", "max_redirects", "adapters"])
def test_sessions_that_record_elsewhere_have_the_same_attributes(clock, name):
    from chaperon.measure.meter import Meter
    from chaperon.measure.recorder import Recorder

    first = MeasuredSession()
    second = first.through(Meter(Recorder("test", began=clock.now()), clock, "other"))
    value = object()

    setattr(second, name, value)

    assert getattr(first, name) is value
    assert first.meter is not second.meter
