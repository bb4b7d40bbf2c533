"""What the environment's requests carry goes to its origins only, for every URL and redirect."""

import ssl
from contextlib import suppress
from itertools import product

import pytest
import requests
import trustme
from ground import PromptServer, Target
from requests.auth import AuthBase, HTTPDigestAuth
from serving import Serving
from thorough import some

from chaperon import Environment, Scenario, run, step, users
from chaperon.client import origins
from chaperon.client.http.measured import MeasuredSession
from chaperon.client.origins import Origins, origin_of
from chaperon.client.service import Service
from chaperon.client.websocket.connect import open_websocket
from chaperon.errors import LoadError, UsageError, WebSocketTimeout

SECRET = "s3cr3t"
HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET}


@pytest.fixture
def other():
    server = Target()
    yield server
    server.close()


def text_of(target):
    """Return all that the requests to a target said in their headers."""
    return [" ".join(f"{k}: {v}" for k, v in headers.items()) for headers in target.headers]


def absolute(http, target, other):
    http.get(f"{other.url}/x")


def absolute_twice(http, target, other):
    for _ in range(2):
        http.get(f"{other.url}/x")


def absolute_with_a_body(http, target, other):
    http.post(f"{other.url}/x", json={"a": 1})


def absolute_with_headers(http, target, other):
    http.get(f"{other.url}/x", headers={"X-Mine": "1"})


def absolute_streamed(http, target, other):
    http.get(f"{other.url}/x", stream=True).close()


def absolute_with_cookies(http, target, other):
    http.get(f"{other.url}/x", cookies={"a": "1"})


def absolute_in_bytes(http, target, other):
    http.get(f"{other.url}/x".encode())


def in_capitals(http, target, other):
    http.get(f"{other.url}/x".replace("http", "HTTP"))


def prepared_by_hand(http, target, other):
    http.send(http.prepare_request(requests.Request("GET", f"{other.url}/x")))


def with_session_parameters(http, target, other):
    http.params = {"key": SECRET}
    http.get(f"{other.url}/x")


def with_environment_settings(http, target, other):
    http.trust_env = True
    http.get(f"{other.url}/x")


def by_name_of_the_host(http, target, other):
    http.get(f"{other.url}/x".replace("127.0.0.1", "localhost"))


def redirected(http, target, other):
    http.get(f"/to/302?{other.url}/x")


def redirected_twice(http, target, other):
    http.get(f"/to/302?{target.url}/to/307?{other.url}/x")


def redirected_there_and_on(http, target, other):
    http.get(f"/to/302?{other.url}/to/302?{other.url}/x")


def redirected_with_a_body(http, target, other):
    http.post(f"/to/307?{other.url}/x", data={"a": 1})


def redirected_while_streamed(http, target, other):
    http.get(f"/to/302?{other.url}/x", stream=True).close()


def redirected_without_a_scheme(http, target, other):
    http.get(f"/to/302?{other.url.removeprefix('http:')}/x")


def redirected_step_by_step(http, target, other):
    first = http.get(f"/to/302?{other.url}/x", allow_redirects=False)
    http.send(first.next)


def by_websocket(http, target, other):
    with pytest.raises(WebSocketTimeout):  # it waits for a body that never ends
        open_websocket(http, f"{other.url}/x".replace("http", "ws"), wire=None, ended=lambda ws: None, timeout=0.3)


WAYS = [
    absolute,
    absolute_twice,
    absolute_with_a_body,
    absolute_with_headers,
    absolute_streamed,
    absolute_with_cookies,
    absolute_in_bytes,
    in_capitals,
    prepared_by_hand,
    with_session_parameters,
    with_environment_settings,
    by_name_of_the_host,
    redirected,
    redirected_twice,
    redirected_there_and_on,
    redirected_with_a_body,
    redirected_while_streamed,
    redirected_without_a_scheme,
    redirected_step_by_step,
    by_websocket,
]


class Signed(AuthBase):
    """Signs with a header of its own."""

    def __call__(self, request):
        request.headers["X-Signature"] = SECRET
        return request


CARRIED = {
    "headers": {"headers": HEADERS},
    "basic": {"auth": ("user", SECRET)},
    "handler": {"auth": Signed()},
}


EACH = list(product(WAYS, CARRIED))


@pytest.mark.parametrize(
    ("way", "carried", "transport"),
    [*((*row, "wire") for row in EACH), *((*row, "urllib3") for row in some(EACH, 4))],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_another_origin_gets_nothing_of_the_environments(target, other, way, carried, transport):
    http = MeasuredSession(service=Service(target.url, transport=transport, **CARRIED[carried]))
    http.headers["X-Session"] = SECRET
    http.cookies.set("by_hand", SECRET)

    way(http, target, other)

    assert other.asked
    for said in text_of(other):
        assert SECRET not in said
        assert "HTTP_AUTHORIZATION" not in said
        assert "X_SESSION" not in said
    assert SECRET not in "".join(other.queries)


@pytest.mark.parametrize("carried", CARRIED)
def test_its_own_origin_gets_all_of_it_by_whatever_url(target, carried):
    http = MeasuredSession(service=Service(target.url, **CARRIED[carried]))

    whole = f"{target.url}/a"
    for url in ("/a", whole, whole.replace("http", "HTTP"), f"/to/302?{whole}", "/redirect"):
        http.get(url)

    assert len(target.headers) == 7
    for headers in target.headers:
        assert "HTTP_AUTHORIZATION" in headers or "HTTP_X_SIGNATURE" in headers


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_origin_that_is_trusted_gets_it_too(target, other, way):
    trusted = [other.url, other.url.replace("127.0.0.1", "localhost")]
    http = MeasuredSession(service=Service(target.url, HEADERS, trust_origins=trusted))

    way(http, target, other)

    assert all(headers["HTTP_X_API_KEY"] == SECRET for headers in other.headers)


def test_what_a_call_brings_of_its_own_goes_where_it_goes(target, other):
    http = MeasuredSession(service=Service(target.url, HEADERS, auth=("user", SECRET)))

    http.get(f"{other.url}/x", headers={"X-Api-Key": "its own"}, auth=("me", "mine"))
    http.get(f"{other.url}/redirect", headers={"Authorization": "its own"})

    assert other.headers[0]["HTTP_X_API_KEY"] == "its own"
    assert other.headers[0]["HTTP_AUTHORIZATION"].startswith("Basic ")
    assert [headers["HTTP_AUTHORIZATION"] for headers in other.headers[1:]] == ["its own", "its own"]


def test_without_a_base_url_the_scenarios_urls_get_it_and_redirects_elsewhere_do_not(target, other):
    http = MeasuredSession(service=Service(headers=HEADERS))

    http.get(f"{target.url}/to/302?{other.url}/x")

    assert target.headers[0]["HTTP_X_API_KEY"] == SECRET
    assert SECRET not in "".join(text_of(other))


def test_a_challenge_of_another_origin_is_not_answered(target):
    auth = HTTPDigestAuth("user", SECRET)
    http = MeasuredSession(service=Service(target.url, auth=auth))
    before = http.prepare_request(requests.Request("GET", f"{target.url}/a"))
    after = before.copy()
    after.url = "http://elsewhere.example/"

    origins.strip(after, ["authorization"], auth)

    assert [hook.__self__ for hook in before.hooks["response"] if hasattr(hook, "__self__")] == [auth, auth]
    assert after.hooks["response"] == []


def test_a_session_of_a_scenario_reaches_other_origins_without_it(target, other):
    @step
    def look(session):
        session.get("/own")
        session.get(f"{other.url}/far")
        session.http.get(f"{other.url}/far")

    for trusted in ((), [other.url]):
        entry = run(Scenario(look), users(1))
        Environment(target.url, headers=HEADERS, scenarios=[entry], trust_origins=trusted).execute()

    assert [headers.get("HTTP_X_API_KEY") for headers in other.headers] == [None, None, SECRET, SECRET]
    assert [headers.get("HTTP_X_API_KEY") for headers in target.headers] == [SECRET, SECRET]


# client certificates


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def asking(authority, tmp_path, monkeypatch):
    """Start targets over TLS that ask for a client certificate and note whether one was shown."""
    servers, handle = [], PromptServer.handle

    def noted(self, client, address):
        self.__dict__.setdefault("shown", []).append(bool(client.getpeercert()))
        handle(self, client, address)

    monkeypatch.setattr(PromptServer, "handle", noted)
    client = authority.issue_cert("client@chaperon.example")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def start():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        server = Target(ssl_context=context)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("trusted", [False, True])
def test_a_client_certificate_is_shown_to_its_own_origins_alone(asking, tmp_path, trusted):
    own, far = asking(), asking()
    files = {"verify": str(tmp_path / "ca.pem"), "cert": str(tmp_path / "client.pem")}
    trust = [far.url] if trusted else []

    straight = (absolute, absolute_streamed, prepared_by_hand)
    for way in (*straight, redirected, redirected_there_and_on, redirected_step_by_step):
        http = MeasuredSession(service=Service(own.url, trust_origins=trust, **files))
        http.get("/own")
        way(http, own, far)
        http.close()

    assert all(own._server.shown)
    assert set(far._server.shown) == {trusted}


# URLs that parsers read differently


class Redirecting(Serving):
    """Keeps what it is sent; answers /r with *location*, byte for byte, and all else with 200."""

    def __init__(self):
        super().__init__()
        self.location = b""
        self.heads = []

    def serve(self, sock):
        received = b""
        while b"\r\n\r\n" not in received:
            if not (data := sock.recv(65_536)):
                return
            received += data
        self.heads.append(received.decode("latin-1"))
        redirect = received.startswith(b"GET /r ")
        status = b"302 Found\r\nLocation: " + self.location if redirect else b"200 OK"
        sock.sendall(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


AMBIGUOUS = [
    "//{o}/x", "/\\{o}/x", "\\\\{o}\\x", "/\t/{o}/x", " http://{o}/x", "\thttp://{o}/x", "http:/{o}/x", "http:{o}/x",
    "http:///{o}/x", "////{o}/x", "http://{o}\\@{t}/x", "http://{t}\\@{o}/x", "http://{t}@{o}/x", "http://{t}:80@{o}/x",
    "http://{t}%40@{o}/x", "http://{o}#@{t}/x", "http://{o}?@{t}/x", "http://{o};@{t}/x", "HtTp://{o}/x", "ws://{o}/x",
    "http://{o}\0@{t}/x", "http://{o} @{t}/x", "http://{o}\t@{t}/x", "http://@{o}/x", "http://:@{o}/x", "http://[{o}]@{t}/x",
    "http://{o}/x#http://{t}/", "http:\\\\{o}\\x", "http://\\{o}/x", "http://{o}\u2028@{t}/x", "http://{o}\uff0f@{t}/x",
    "http://{o}\u2100@{t}/x", "http://[::ffff:{o}/x", "http://127.1:{port}/x", "http://2130706433:{port}/x",
    "http://0x7f.1:{port}/x", "http://127%2e0.0.1:{port}/x", "http://127.0.0.1:0{port}/x", "http://127.0.0.1:+{port}/x",
    "http://localhost.:{port}/x", "http://[::ffff:127.0.0.1]:{port}/x",
]  # fmt: skip


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
@pytest.mark.parametrize("redirect", [False, True])
def test_no_reading_of_an_ambiguous_url_takes_it_elsewhere(redirect, transport):
    reached = 0
    for form in AMBIGUOUS:
        with Redirecting() as target, Redirecting() as other:
            t, o = target.url.removeprefix("http://"), other.url.removeprefix("http://")
            url = form.format(t=t, o=o, port=o.partition(":")[2])
            target.location = url.encode()
            http = MeasuredSession(service=Service(target.url, HEADERS, transport=transport))
            http.headers["X-Session"] = SECRET
            http.cookies.set("by_hand", SECRET)

            with suppress(requests.RequestException, ValueError):
                http.get("/r" if redirect else url, timeout=5)

            assert not [head for head in other.heads if SECRET in head], form
            reached += len(other.heads)
    assert reached >= 5


# origins


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://shop.example/a", True),
        ("HTTP://SHOP.example:80/a", True),
        ("http://shop.example", True),
        ("http://shop.example?x", True),
        ("ws://shop.example/feed", True),
        ("http://user:word@shop.example/", True),
        ("https://shop.example/", False),
        ("http://shop.example:8080/", False),
        ("http://shop.example.evil.example/", False),
        ("http://shop.example@evil.example/", False),
        ("http://shop.example:80@evil.example/", False),
        ("http://shop.example\\@evil.example/", False),
        ("http://evil.example\\@shop.example/", False),
        ("http://evil.example#@shop.example/", False),
        ("http://evil.example/?http://shop.example/", False),
        ("http://sub.shop.example/", False),
        ("http://shop.example./", False),
        ("http://shop.example:port/", False),
        ("ftp://shop.example/", False),
        ("http:///shop.example/", False),
        ("https://cdn.example:443/x", True),
        ("wss://cdn.example/x", True),
        ("https://xn--bcher-kva.example/", True),
        ("https://bücher.example/", True),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, trusted):
    service = Service("http://Shop.example/base", trust_origins=["https://CDN.example", "https://bücher.example/"])

    assert Origins(service).trusts(url) is trusted


def test_no_origin_is_no_origin():
    assert origin_of("http://[::1/") is None
    assert origin_of("/path") is None
    assert origin_of("http://[::1]:8080/") == ("http", "::1", 8080)


@pytest.mark.parametrize(
    "given",
    ["https://cdn.example", ["cdn.example"], ["https://cdn.example/path"], ["https://u@cdn.example"], ["ftp://a"], [7]],
)
def test_what_is_no_list_of_origins_is_refused(given):
    with pytest.raises(UsageError, match="trust_origins="):
        Service("http://shop.example", trust_origins=given)
    with pytest.raises(LoadError, match="trust_origins="):
        Environment("http://shop.example", trust_origins=given)
