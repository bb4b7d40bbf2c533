"""Connections of our own under the API of `requests`: kept, kept apart, tried again, timed, looked at late."""

import errno
import os
import pickle
import resource
import socket
import ssl
from contextlib import contextmanager

import gevent
import pytest
import requests
import trustme
from gevent.pywsgi import WSGIServer
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples
from urllib3 import HTTPHeaderDict, HTTPResponse

from chaperon import Environment, Scenario, run, users
from chaperon.client.http.cookies import Jar
from chaperon.client.http.measured import MeasuredSession
from chaperon.client.http.request_templates import render
from chaperon.client.http.response import HttplibShim
from chaperon.client.network import descriptors
from chaperon.client.network.connect import KernelNetwork, NetworkContext
from chaperon.client.network.resolver import Resolver
from chaperon.client.service import Service
from chaperon.errors import BodyTooLarge, DescriptorsExhausted, LoadError, PortsExhausted, UsageError
from chaperon.measure.failures import classify
from chaperon.testing.hostile import ANSWER, OK, Server

MOVED = b"HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def serving(treat):
    with Server(treat) as server:
        yield server


def polite(peer):
    while True:
        peer.hear()
        peer.say(ANSWER)


def once(peer):
    peer.hear()
    peer.say(ANSWER)


@pytest.fixture
def wire():
    return NetworkContext(KernelNetwork(Resolver()))


def client(url, wire=None, **settings):
    return MeasuredSession(service=Service(url, **settings), wire=wire)


# kept, tried again


def test_a_connection_is_used_again_and_both_are_counted(wire):
    with serving(polite) as server:
        http = client(server.url, wire)

        replies = [http.get("/"), http.get("/"), http.post("/", json=[1])]

        assert server.connections == 1
        assert [r.reused for r in replies] == [False, True, True]
        facts = wire.facts()
        assert (facts["connections_opened"], facts["connections_reused"]) == (1, 2)


def test_all_urls_of_an_origin_share_its_connections_however_a_request_is_composed(wire):
    with serving(polite) as server:
        http = client(server.url, wire)

        for path in ("/a", "/b", "/c?d=1"):
            http.get(path)
            http.send(http.prepare_request(requests.Request("GET", f"{server.url}{path}")))

        assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_costs_a_safe_request_one_retry(wire):
    with serving(once) as server:
        http = client(server.url, wire)
        http.get("/")

        reply = http.get("/")

        assert reply.text == "hello"
        assert server.connections == 2
        assert wire.facts()["requests_retried"] == 1


def test_what_must_not_be_sent_twice_never_is(wire):
    heard = []

    def deaf_to_the_second(peer):
        peer.hear()
        peer.say(ANSWER)
        heard.append(peer.hear())  # taken, and then the line goes dead

    with serving(deaf_to_the_second) as server:
        http = client(server.url, wire)
        http.get("/")

        with pytest.raises(requests.ConnectionError):
            http.post("/", data=b"pay")

        assert len(heard) == 1
        assert wire.facts()["requests_retried"] == 0


def test_a_post_is_not_sent_over_a_connection_known_to_be_closed(wire):
    with serving(once) as server:
        http = client(server.url, wire)
        http.get("/")
        assert server.settled()

        assert http.post("/", data=b"pay").text == "hello"
        assert wire.facts()["requests_retried"] == 0


def test_an_answer_that_nobody_asked_for_is_not_the_next_ones(wire):
    def double(peer):
        peer.hear()
        peer.say(ANSWER, OK + b"Content-Length: 4\r\n\r\nevil")
        peer.stay()

    with serving(double) as server:
        http = client(server.url, wire)

        texts = [http.get("/").text for _ in range(3)]

        assert texts == ["hello"] * 3
        assert server.connections == 3


# kept apart


def test_connections_of_other_tls_settings_are_kept_apart(tmp_path, wire):
    authority = trustme.CA()
    bundle = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(bundle)
    adapter = client("https://h", wire).adapters["https://"]

    lanes = [
        adapter.pool("https://h:1/", verify, cert)
        for verify, cert in [(bundle, None), (False, None), (bundle, None), (False, None)]
    ]

    assert lanes[0] is lanes[2]
    assert lanes[1] is lanes[3]
    assert lanes[0] is not lanes[1]
    assert adapter.pool("http://h:1/", True, None) is not adapter.pool("http://h:2/", True, None)


@pytest.fixture
def secure(tmp_path):
    authority = trustme.CA()
    bundle = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    body = b"x" * 100_000

    def answer(environ, start):
        environ["wsgi.input"].read()
        start("200 OK", [("Content-Type", "text/plain")])
        return [body]

    server = WSGIServer(("127.0.0.1", 0), answer, log=None, ssl_context=context)
    server.start()
    yield f"https://127.0.0.1:{server.server_port}", bundle
    server.stop(timeout=0.1)


def test_a_tls_session_is_resumed_by_the_next_connection(secure, wire):
    url, bundle = secure
    first, second = (client(url, wire, verify=bundle) for _ in range(2))

    bodies = [len(http.post("/", data=b"y" * 300_000).content) for http in (first, second)]

    pool = second.adapters["https://"].pool(url, bundle, None)
    assert bodies == [100_000] * 2
    assert pool.idle[0].stream.resumed


def test_verify_may_differ_from_call_to_call(secure, wire):
    url, bundle = secure
    http = client(url, wire)

    with pytest.raises(requests.exceptions.SSLError):
        http.get("/")

    assert http.get("/", verify=bundle).ok
    assert http.get("/", verify=False).ok


# encoded


words = st.text("abcXYZ-09", min_size=1, max_size=6)
paths = st.lists(words, max_size=3).map(lambda parts: "/" + "/".join(parts))
values = st.one_of(words, st.integers(0, 99), st.lists(words, max_size=2), st.text(max_size=4))


@settings(max_examples=examples(200))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    path=paths,
    query=st.sampled_from(["", "?", "?a=1", "?a=1&b=%20"]),
    params=st.none() | st.dictionaries(words, values, max_size=2),
    data=st.none() | st.dictionaries(words, values, max_size=2) | st.binary(max_size=5) | st.text(max_size=5),
    json=st.none() | st.dictionaries(words, values, max_size=2) | st.lists(st.booleans(), max_size=2),
    headers=st.none() | st.dictionaries(words, words, max_size=2),
    auth=st.none() | st.just(("who", "pass")),
    cookie=st.none() | words,
)
def test_what_is_composed_is_what_requests_would_send(method, path, query, params, data, json, headers, auth, cookie):
    http = client("http://h:8", auth=auth, headers={"X-Own": "yes"})
    if cookie is not None:
        http.cookies.set("sid", cookie, domain="h.local", path="/")
    asked = {"params": params, "data": data, "json": json, "headers": headers}

    for _ in range(2):  # the second time from what is known of the first
        encoded = http._encoded(method, path + query, *asked.values())

        wanted = http.prepare_request(
            requests.Request(
                method, f"http://h:8{path}{query}", params=params or {}, data=data or {}, json=json, headers=headers
            )
        )
        if encoded is not None:
            body = wanted.body.encode() if isinstance(wanted.body, str) else wanted.body or b""
            assert encoded.wire == render(wanted) + body
            assert encoded.prepared.url == wanted.url
            assert encoded.prepared.headers == wanted.headers
            assert encoded.prepared.body == wanted.body


@pytest.mark.parametrize("params", [None, {"a": "1"}], ids=["bare", "with parameters"])
@pytest.mark.parametrize("url", ["http://h:8", "http://other:9", "http://127.0.0.2:80", "https://h"])
def test_a_url_without_a_path_is_composed(url, params):
    http = client("http://h:8", trust_origins=["http://other:9", "http://127.0.0.2", "https://h"], verify=False)

    encoded = http._encoded("GET", url, params, None, None, None)

    wanted = http.prepare_request(requests.Request("GET", url, params=params or {}))
    assert encoded.wire == render(wanted)
    assert encoded.prepared.url == wanted.url


@pytest.mark.parametrize("url", ["http://h:8?a=1", "http://h:8#top", "http://h:", "http://", "http://a@h:8"])
def test_an_unusual_url_without_a_path_goes_through_requests(url):
    assert client("http://h:8")._encoded("GET", url, None, None, None, None) is None


@pytest.mark.parametrize("path", ["/plain", "/with?a=1&b=2", "/users/7"])
def test_the_usual_paths_are_composed(path):
    http = client("http://h:8/base")

    encoded = http._encoded("GET", path, None, None, None, None)

    assert encoded.prepared.url == f"http://h:8/base{path}"


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (lambda h: h.headers.update({"X-New": "1"}), "HTTP_X_NEW"),
        (lambda h: h.headers.pop("User-Agent"), None),
        (lambda h: h.cookies.set("sid", "7"), "HTTP_COOKIE"),
        (lambda h: setattr(h, "auth", ("who", "pass")), "HTTP_AUTHORIZATION"),
        (lambda h: setattr(h, "headers", {"X-New": "1"}), "HTTP_X_NEW"),
    ],
)
def test_the_next_request_knows_of_what_was_changed(target, change, asked):
    http = client(target.url)
    http.get("/")
    http.get("/")

    change(http)
    http.get("/")

    assert asked is None or asked in target.headers[-1]
    assert (asked is None) == ("HTTP_USER_AGENT" not in target.headers[-1] and asked is None)


def test_a_cookie_is_sent_as_long_as_it_lives(target, monkeypatch):
    http = client(target.url)
    http.cookies.set("sid", "7", expires=2_000_000_000)
    http.get("/")

    for room in ("chaperon.client.http.request_templates.epoch", "http.cookiejar.time.time"):  # the two that ask
        monkeypatch.setattr(room, lambda: 2_000_000_001.0)
    http.get("/")

    assert target.cookies == ["sid=7", None]


def test_a_hook_an_adapter_a_callable_auth_go_the_long_way(target):
    seen = []
    http = client(target.url)
    http.get("/")

    http.hooks["response"].append(lambda r, *a, **k: seen.append(r.status_code))
    http.get("/")
    http.hooks["response"].clear()
    http.get("/", auth=lambda r: seen.append(r.url) or r)
    http.mount(target.url, requests.adapters.HTTPAdapter())
    stock = http.get("/")

    assert seen == [200, f"{target.url}/"]
    assert type(stock.raw._original_response).__module__ == "http.client"


# looked at late


def both(url):
    return [client(url, transport=t).get("/login") for t in ("wire", "urllib3")]


def test_an_answer_looked_at_late_is_the_one_that_requests_gives(target):
    ours, stock = both(target.url)

    assert dict(ours.headers) == {**stock.headers, "Date": ours.headers["Date"]}
    for name in ("status_code", "reason", "encoding", "text", "content", "url", "ok", "history", "is_redirect"):
        assert getattr(ours, name) == getattr(stock, name), name
    assert ours.cookies.get_dict() == stock.cookies.get_dict() == {"who": "admin"}
    assert ours.request.headers == stock.request.headers
    assert ours.raw.status == stock.raw.status
    assert ours.raw.tell() == stock.raw.tell() == 5
    assert ours.raw.read() == stock.raw.read() == b""
    assert ours.elapsed.total_seconds() > 0
    assert isinstance(ours, requests.Response)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"application/json", b'{"a": 1}'),
        (b"application/json", '"\u00e4"'.encode()),
        (b"application/json", b'"\xff"'),
        (b"application/json", b""),
        (b"application/json", b"no"),
        (b"text/plain", b"[1]"),
        (b"text/plain; charset=utf-16", "[1]".encode("utf-16")),
        (b"", '"\u00e4"'.encode("utf-16")),
    ],
)
def test_json_is_read_as_requests_reads_it(content_type, body):
    def saying_so(peer):
        while True:
            peer.hear()
            peer.say(OK + b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (content_type, len(body), body))

    def read(transport):
        try:
            return client(server.url, transport=transport).get("/").json()
        except requests.exceptions.JSONDecodeError as exc:
            return exc.args

    with serving(saying_so) as server:
        assert read("wire") == read("urllib3")


def test_an_answer_survives_being_pickled(target):
    reply = client(target.url).get("/login")

    again = pickle.loads(pickle.dumps(reply))

    assert (again.text, again.status_code, again.headers) == (reply.text, 200, reply.headers)


def test_an_attribute_that_no_answer_has_is_missed_as_ever(target):
    with pytest.raises(AttributeError, match="nonsense"):
        client(target.url).get("/").nonsense  # noqa: B018 - it is what raises


def test_redirects_on_the_short_way_keep_history_cookies_and_the_next_request(target):
    http = client(target.url)

    landed = http.get("/redirect")
    stayed = http.get("/redirect", allow_redirects=False)

    assert [r.status_code for r in landed.history] == [302]
    assert landed.url == f"{target.url}/landed"
    assert stayed.status_code == 302
    assert stayed.next.url == f"{target.url}/landed"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE"])
def test_what_is_redirected_without_its_body_says_so_as_with_requests(method):
    heads = []

    def treat(peer):
        while True:
            heads.append(peer.hear())
            peer.say(ANSWER if b"/there" in heads[-1] else MOVED)

    with serving(treat) as server, requests.Session() as plain:
        for http in (client(server.url), plain):
            http.request(method, f"{server.url}/", data=b"body")

    lengths = [b"content-length: 0" in head.lower() for head in heads]
    assert lengths == [False, method in ("PUT", "PATCH")] * 2


# timed


def test_the_stages_of_a_request_add_up_to_it(target):
    http = client(target.url)

    new, kept = http.get("/"), http.get("/")

    assert new.timings.tcp > 0.0
    assert kept.timings.dns == kept.timings.tcp == kept.timings.tls == 0.0
    for reply in (new, kept):
        assert reply.timings.waiting > 0.0
        assert min(reply.timings) >= 0.0
        assert reply.elapsed.total_seconds() == pytest.approx(reply.timings.total - reply.timings.receiving, abs=1e-6)


def test_a_streamed_answer_is_being_received_until_it_is_read(target):
    reply = client(target.url).get("/", stream=True)

    reply.raw.read()
    reply.close()

    assert reply.timings.total > 0.0


def test_a_service_may_keep_a_series_of_each_stage(target):
    report = Environment(
        services={"default": Service(target.url, timings=True)},
        scenarios=[run(Scenario(lambda s: [s.get("/"), s.get("/")], name="shop"), users(1))],
    ).execute()

    assert report["waiting GET /"].count == 2
    assert report["tcp GET /"].count == 1
    assert report["connections opened"].total == 1
    assert report["connections reused"].total == 1


def test_what_an_environment_says_of_its_requests_reaches_every_service():
    environment = Environment(
        "http://h",
        scenarios=[Scenario(len)],
        services={"api": "http://api"},
        deadline="2s",
        max_body=10,
        local_addresses=["127.0.0.2"],
    )

    for name in ("default", "api"):
        service = environment.plan().services[name]
        assert (service.deadline, service.max_body, service.local_addresses) == (2.0, 10, ["127.0.0.2"])
    with pytest.raises(LoadError, match="carrier"):
        Environment("http://h", transport="carrier pigeon")


@pytest.mark.parametrize("settings", [{}, {"stream": True}, {"auth": lambda request: request}])
def test_a_body_beyond_the_bound_of_its_call_is_refused_however_it_came(target, settings):
    http = client(target.url)

    with pytest.raises(BodyTooLarge, match="max_body"):
        _ = http.get("/", max_body=4, **settings).content

    assert http.get("/", max_body=5, **settings).content == b"hello"
    assert http.get("/", max_body=None, **settings).content == b"hello"


# names, addresses, what the machine has left


def test_a_name_is_looked_up_once_for_all_sessions_until_its_time_is_over():
    resolver = Resolver(lives=0.05)
    asking = [gevent.spawn(resolver.resolve, "localhost", 80) for _ in range(20)]

    gevent.joinall(asking, raise_error=True)
    first = resolver.asked
    resolver.forget()
    resolver.resolve("localhost", 80)

    assert first == 1
    assert resolver.asked == 2
    assert all(a.value == asking[0].value for a in asking)


def test_a_name_that_is_none_is_told_to_all_who_asked():
    resolver = Resolver()
    asking = [gevent.spawn(resolver.resolve, "nobody.invalid", 80) for _ in range(3)]

    gevent.joinall(asking)

    assert {classify(a.exception) for a in asking} == {"dns"}


def test_source_addresses_are_taken_in_turn(wire):
    seen = []

    def noting(peer):
        seen.append(peer._socket.getpeername()[0])
        peer.hear()
        peer.say(ANSWER)

    with serving(noting) as server:
        for _ in range(4):
            client(server.url, wire, local_addresses=["127.0.0.2", "127.0.0.3"]).get("/")

    assert sorted(seen) == ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]


def test_source_addresses_want_the_transport_that_heeds_them():
    with pytest.raises(UsageError, match="list"):
        Service(local_addresses="127.0.0.2")
    with pytest.raises(UsageError, match="wire"):
        Service(local_addresses=["127.0.0.2"], transport="urllib3")
    with pytest.raises(UsageError, match="carrier"):
        Service(transport="carrier pigeon")


@pytest.fixture
def no_descriptors():
    """As many open files as are allowed, until the limit is raised."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.dup(0)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_limit_of_descriptors_is_raised_before_it_is_complained_of(target, wire, no_descriptors):
    assert client(target.url, wire).get("/").ok


def test_running_out_of_descriptors_says_so_and_what_to_raise(target, wire, no_descriptors, monkeypatch):
    monkeypatch.setattr(descriptors, "widen", lambda: False)

    with pytest.raises(DescriptorsExhausted, match="ulimit -n") as raised:
        client(target.url, wire).get("/")

    assert classify(raised.value) == "out of descriptors"
    assert wire.facts()["out_of_descriptors"] == 1


class NoneLeft:
    """A port that the kernel would have to find another one for."""

    def __index__(self):
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")


class OfNoPort(Resolver):
    """Finds hosts where no connection can be begun from."""

    def resolve(self, host, port):
        return [(socket.AF_INET, (host, NoneLeft()))]


def test_running_out_of_ports_says_so_and_what_to_do(target):
    wire = NetworkContext(KernelNetwork(OfNoPort()))

    with pytest.raises(PortsExhausted, match="local_addresses") as raised:
        client(target.url, wire).get("/")

    assert classify(raised.value) == "out of ports"
    assert wire.facts()["out_of_ports"] == 1


def test_a_cookie_policy_changed_in_place_is_asked_again(target):
    http = client(target.url)
    policy = http.cookies.get_policy()
    policy.set_blocked_domains(["127.0.0.1"])
    http.get("/login")
    refused = list(http.cookies)

    policy.set_blocked_domains([])
    http.get("/login")

    assert refused == []
    assert http.cookies["who"] == "admin"


def test_descriptors_are_facts_of_a_windows_health(wire):
    facts = wire.facts()

    assert 0 < facts["descriptors"] <= facts["descriptors_limit"]


def set_cookie(jar, line):
    response = requests.Response()
    response.raw = HTTPResponse(headers=HTTPHeaderDict([("Set-Cookie", line)]), preload_content=False)
    response.raw._original_response = HttplibShim(response.raw.headers, 11)
    requests.cookies.extract_cookies_to_jar(jar, requests.Request("GET", "http://h.local/").prepare(), response.raw)


def test_a_jar_is_the_same_after_a_cookie_that_only_lives_on():
    jar = Jar()
    set_cookie(jar, "sid=7; Max-Age=10")
    first = jar.version

    set_cookie(jar, "sid=7; Max-Age=1000")
    longer = jar.version
    set_cookie(jar, "sid=7; Max-Age=5")
    shorter = jar.version
    set_cookie(jar, "sid=8; Max-Age=5")

    assert longer == first
    assert shorter > longer
    assert jar.version > shorter


def test_a_server_that_sets_its_cookie_again_and_again_is_heard_when_it_changes(target):
    http = client(target.url)

    for _ in range(3):
        http.get("/login")
    http.cookies.set("who", "somebody", domain="127.0.0.1", path="/")
    http.get("/login")
    http.get("/")

    assert target.cookies == [None, "who=admin", "who=admin", "who=somebody", "who=admin"]


def test_the_same_cookie_from_another_path_is_another_cookie():
    def setting(peer):
        while True:
            peer.hear()
            peer.say(OK + b"Set-Cookie: a=1\r\nContent-Length: 0\r\n\r\n")

    with serving(setting) as server:
        http = client(server.url)
        http.get("/one/x")
        http.get("/two/x")
        seen_paths = sorted(cookie.path for cookie in http.cookies)

    assert seen_paths == ["/one", "/two"]


def test_a_jar_knows_when_it_was_changed():
    jar = Jar()
    versions = [jar.version]

    jar.set("a", "1")
    versions.append(jar.version)
    jar.clear()
    versions.append(jar.version)

    assert versions == sorted(set(versions))
