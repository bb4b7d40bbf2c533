"""The verbs of a session can be called as those of `requests` are."""

import inspect

import pytest
import requests
from scenes import once

from chaperon.client.http.measured import MeasuredSession
from chaperon.session.http import HttpMethods

VERBS = ["get", "options", "head", "post", "put", "patch", "delete"]
AUTH = ("ada", "analytical")
OPEN = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def named(function):
    """Return the names of the parameters that can be given by position, and by name."""
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind not in OPEN]


@pytest.mark.parametrize("ours", [HttpMethods.request, MeasuredSession.request])
def test_request_has_the_parameters_of_requests_in_the_same_order(ours):
    assert named(ours) == named(requests.Session.request)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("theirs", [requests.Session, requests.api])
def test_a_verb_has_the_parameters_of_requests_in_the_same_order(verb, theirs):
    ours = named(getattr(HttpMethods, verb))[1:]
    wanted = [name for name in named(getattr(theirs, verb)) if name != "self"]

    assert ours[: len(wanted)] == wanted
    assert any(p.kind is p.VAR_KEYWORD for p in inspect.signature(getattr(HttpMethods, verb)).parameters.values())


@pytest.mark.parametrize("verb", VERBS)
def test_a_url_is_given_by_position_and_by_name(target, verb):
    once(
        target,
        lambda session: getattr(session, verb)("/place"),
        lambda session: getattr(session, verb)(url="/name"),
        lambda session: session.request(verb.upper(), "/both"),
        lambda session: session.request(method=verb.upper(), url="/names", name="named"),
        lambda session: getattr(session.http, verb)(url="/beneath"),
    )

    assert target.asked == [f"{verb.upper()} /{path}" for path in ("place", "name", "both", "names", "beneath")]


def test_all_of_request_can_be_given_by_position(target):
    once(
        target,
        lambda session: session.request(
            "POST", "/all", {"q": "1"}, b"body", {"X-A": "a"}, {"c": "1"}, None, ("u", "p")
        ),
        lambda session: session.post("/form", {"a": "1"}),
        lambda session: session.post("/json", None, {"a": 1}),
        lambda session: session.get("/query", {"a": "1"}),
        lambda session: session.put("/put", b"data"),
        lambda session: session.patch("/patch", b"data"),
    )

    assert target.queries == ["q=1", "", "", "a=1", "", ""]
    assert target.bodies == [b"body", b"a=1", b'{"a": 1}', b"", b"data", b"data"]
    assert target.headers[0]["HTTP_X_A"] == "a"
    assert target.headers[0]["HTTP_AUTHORIZATION"].startswith("Basic ")
    assert target.cookies[0] == "c=1"
