"""A user's HTTP session is set up by that of the first user, and sends what one set up by `requests` sends."""

import pytest
import requests
from requests.auth import HTTPBasicAuth
from scenes import once
from test_one_http_session import SETTINGS

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.network.connect import NetworkContext
from chaperon.client.service import Service

URL = "http://shop.example"
SERVICES = {
    "plain": Service(URL),
    "headers": Service(URL, headers={"X-Key": "1", "Accept": "text/plain"}),
    "auth": Service(URL, auth=("ada", "analytical")),
    "basic": Service(URL, auth=HTTPBasicAuth("ada", "analytical")),
    "prefix": Service(f"{URL}/api/v1", timeout=3.0, deadline=5.0, max_body=1_000),
    "unverified": Service("https://shop.example", verify=False, trust_origins=("http://other.example",)),
    "urllib3": Service(URL, transport="urllib3"),
}
SHARED = {"hooks", "_labels"}
"""What sessions of a service may share: labels depend on method and URL alone."""
REQUESTS = [
    ("GET", "/", None, None),
    ("GET", "/items", None, {"X-Call": "1"}),
    ("POST", "/items", {"a": 1}, None),
    ("GET", "http://elsewhere.example/", None, None),
]


def sent(http):
    """Return what each of the usual requests would send, None where `requests` sends it."""
    encoded = [http._encoded(method, url, None, None, json, headers) for method, url, json, headers in REQUESTS]
    return [each and (each.wire, each.target, each.prepared.headers) for each in encoded]


@pytest.mark.parametrize("name", SERVICES)
def test_a_later_session_has_the_state_of_the_first_and_shares_nothing_that_can_change(name):
    network, service = NetworkContext(), SERVICES[name]
    first, later = (MeasuredSession(service=service, wire=network) for _ in range(2))

    assert set(vars(later)) == set(vars(first))
    for attribute, value in vars(first).items():
        other = vars(later)[attribute]
        assert type(other) is type(value), attribute
        if isinstance(value, (dict, list, set, requests.structures.CaseInsensitiveDict)) and attribute not in SHARED:
            assert other is not value, attribute
    assert later.headers == first.headers
    assert list(later.headers) == list(first.headers)
    assert later.hooks["response"] is not first.hooks["response"]
    assert list(later.adapters) == list(first.adapters)
    assert later.adapters["http://"] is not first.adapters["http://"]
    assert set(vars(later.adapters["http://"])) == set(vars(first.adapters["http://"]))


@pytest.mark.parametrize("name", SERVICES)
def test_sessions_that_share_templates_send_what_one_of_its_own_sends(name):
    network, service = NetworkContext(), SERVICES[name]
    sessions = [MeasuredSession(service=service, wire=network) for _ in range(3)]

    expected = sent(MeasuredSession(service=service, wire=NetworkContext()))

    assert [sent(http) for http in sessions] == [expected] * 3


@pytest.mark.parametrize("change", SETTINGS)
@pytest.mark.parametrize("before", [True, False])
def test_a_change_of_one_session_is_its_own(change, before):
    network, service = NetworkContext(), SERVICES["plain"]
    changed = MeasuredSession(service=service, wire=network)
    if not before:
        sent(changed)
    alone = MeasuredSession(service=service, wire=NetworkContext())
    untouched = sent(alone)
    change(alone)

    change(changed)

    assert sent(changed) == sent(alone)
    assert sent(MeasuredSession(service=service, wire=network)) == untouched
    assert sent(changed) == sent(alone)


def test_a_change_of_an_adapter_is_its_own():
    network, service = NetworkContext(), SERVICES["plain"]
    first = MeasuredSession(service=service, wire=network)
    usual = first.adapters["http://"].max_retries

    first.adapters["http://"].max_retries = "changed"

    assert MeasuredSession(service=service, wire=network).adapters["http://"].max_retries is usual


def test_equal_services_with_other_credentials_do_not_share_templates():
    network = NetworkContext()
    services = [Service(URL, auth=("ada", word), headers={"X-Key": word}) for word in ("one", "two")]

    heads = [sent(MeasuredSession(service=service, wire=network))[0][0] for service in services]

    assert b"X-Key: one" in heads[0]
    assert b"X-Key: two" in heads[1]
    assert heads[0] != heads[1]


def test_a_replaced_initialization_of_requests_is_called_for_every_session(monkeypatch):
    network, service, made = NetworkContext(), SERVICES["plain"], []
    MeasuredSession(service=service, wire=network)
    usual = requests.sessions.Session.__init__

    def counted(self):
        made.append(self)
        usual(self)

    monkeypatch.setattr(requests.sessions.Session, "__init__", counted)
    sessions = [MeasuredSession(service=service, wire=network) for _ in range(2)]

    assert made == sessions


def test_the_templates_that_are_shared_are_bounded():
    network, service = NetworkContext(), SERVICES["plain"]

    for n in range(600):
        http = MeasuredSession(service=service, wire=network)
        http.headers["X-User"] = str(n)
        assert http._encoded("GET", "/", None, None, None, None) is not None

    assert len(network.shared) <= 501


NEEDS = {
    "a header": lambda session: session.headers.update({"Cookie": "who=admin"}),
    "a cookie of a response": lambda session: session.get("/login"),
    "a cookie of the scenario": lambda session: session.http.cookies.set("who", "admin"),
    "a redirect": lambda session: [session.get("/login"), session.get("/redirect")],
    "another service": lambda session: session.service("other").get("/login"),
    "a task": lambda session: session.join(session.spawn(lambda task: task.get("/login"))),
    "a scenario within": lambda session: session.run(lambda inner: inner.get("/login")),
    "an option": lambda session: session.get("/login", timeout=5.0),
    "the adapter of a response": lambda session: (
        session.get("/").connection.pool(session.http.service.url, True, None) and session.get("/login")
    ),
}
"""By what it is: how a session comes to need a client of its own, and to send a cookie from then on."""


@pytest.mark.parametrize("need", NEEDS)
def test_a_session_goes_on_over_its_connection_once_it_needs_a_client_of_its_own(target, need):
    opened = []

    def work(session):
        network, clients = session.context.network, session._clients
        session.get("/")
        session.get("/items")
        assert not clients._shared.https, "what all sessions send alike needs no client"
        NEEDS[need](session)
        session.get("/after")
        opened.append(network.opened)

    report = once(target, work, services={"other": target.url})

    assert not report.errors
    assert target.cookies[0] is target.cookies[1] is None
    assert target.cookies[-1] == "who=admin"
    assert opened == [2 if need == "another service" else 1]


def test_the_connection_of_a_session_without_a_client_is_closed_at_its_end(target):
    pools = []

    def work(session):
        session.get("/")
        pools.append(session._clients._shared.usual.pool)
        assert len(pools[0].idle) == 1

    once(target, work)

    assert pools[0].idle == []


UNUSUAL = {"urllib3": {"transport": "urllib3"}, "auth that signs": {"auth": lambda request: request}, "replaced": {}}


@pytest.mark.parametrize("settings", UNUSUAL)
def test_a_session_has_a_client_of_its_own_where_requests_may_differ(target, monkeypatch, settings):
    opened, usual = [], requests.sessions.Session.__init__
    if settings == "replaced":
        monkeypatch.setattr(requests.sessions.Session, "__init__", lambda self: usual(self))

    def work(session):
        session.get("/")
        opened.append(list(session._clients._shared.https))

    once(target, work, **UNUSUAL[settings])

    assert opened == [["default"]]
    assert target.asked == ["GET /"]
