"""A hostile server costs one recorded error, or none where HTTP lets it be, and nothing more."""

import os
import re
import tracemalloc
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from weakref import WeakSet

import gevent
import pytest
import requests
from requests.adapters import HTTPAdapter
from thorough import some
from unjudged import UNJUDGED
from urllib3.util import Timeout
from waits import came

from chaperon import Environment, Scenario, Service, Verdict, iterations, run
from chaperon.client.service import MAX_BODY
from chaperon.clock import HubClock
from chaperon.testing import hostile

SOON, LATE = 0.15, 10.0
"""Seconds after which a client gives up: where a test is about that, where it is not."""
EXPECTED = requests.RequestException, ValueError
"""What a request may raise; urllib3 lets the errors of its own parsing out as they are."""

NOWHERE = b"HTTP/1.1 302 Found\r\nLocation: http://[::nowhere/\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"


def whole(session):
    return session.get("/")


def streamed(session):
    response = session.get("/", stream=True, max_body=MAX_BODY)
    assert response.content is not None
    return response


BOTH = whole, streamed
WAYS = pytest.mark.parametrize("way", BOTH)
TRANSPORTS = pytest.mark.parametrize("transport", ["wire", "urllib3"])


def by_wire_and_some_by_urllib3(names):
    """Return a table of name, way and transport: all by our own transport, by that of `requests` every third."""
    each = list(product(names, BOTH))
    return [*((*row, "wire") for row in each), *((*row, "urllib3") for row in some(each, 3))]


def files():
    """Return what is open, by name: a socket's is its own."""
    opened = Counter()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that lists them is closed by now
            opened[os.readlink(f"/proc/self/fd/{fd}")] += 1
    return opened


@pytest.fixture(autouse=True)
def nothing_leaks(target):
    HubClock().sleep(1e-6)  # the timer of the hub is opened once
    spawned, before = WeakSet(), files()
    gevent.Greenlet.add_spawn_callback(spawned.add)
    yield
    gevent.Greenlet.remove_spawn_callback(spawned.add)
    # the last of what is closed is closed in a moment, and the watching thread opens files of /proc for a moment
    closed = came(lambda: not any(spawned) and not files() - before, within=2)
    assert closed, (files() - before, [g for g in spawned if g])


def visit(server, sane, *calls, awaiting=None, load=None, settles=True, **service):
    """Make the calls, with any outcome, then ask a sane server; return report, answers.

    The client gives up soon where that is the error it is *awaiting*.
    """
    answers = []
    patience = {name: SOON if awaiting == name else LATE for name in ("timeout", "deadline")}

    def shop(session):
        for call in calls:
            with suppress(*EXPECTED):
                answers.append(call(session))
        session.get(f"{sane.url}/sane", timeout=LATE, deadline=LATE)

    report = Environment(
        services={"default": Service(server.url, verify=server.authority or True, **{**patience, **service})},
        scenarios=[run(Scenario(shop, name="shop"), load or iterations(1))],
        trust=UNJUDGED,
    ).execute()

    assert report[f"GET {sane.url}/sane"].count == sane.count("GET /sane")
    assert report[f"GET {sane.url}/sane"].errors == 0
    assert report.ledger["shop"].done == report.ledger["shop"].planned == sane.count("GET /sane")
    assert not settles or server.settled()
    return report, answers


def errors_of(report):
    return {(e.series, e.error): e.count for e in report.errors}


BAD = {
    "refused": (hostile.refused, "connect refused"),
    "deaf": (hostile.deaf, "timeout"),
    "reset before the head": (hostile.reset_before_head, "reset"),
    "reset in the head": (hostile.reset_in_head, "reset"),
    "reset after the head": (hostile.reset_after_head, "reset"),
    "half-closed": (hostile.half_closed, "reset"),
    "closed early": (hostile.closed_early, "truncated"),
    "garbage": (hostile.garbage, "protocol"),
    "a header of 10 MB": (hostile.huge_header, "protocol"),
    "a million headers": (hostile.million_headers, "protocol"),
    "an endless head": (hostile.endless_head, "protocol"),
    "1xx without an end": (partial(hostile.informed, 1000), "protocol"),
    "a chunk larger than said": (partial(hostile.wrong_chunk_size, b"3"), "protocol"),
    "a chunk smaller than said": (partial(hostile.wrong_chunk_size, b"64"), "truncated"),
    "a negative chunk": (partial(hostile.wrong_chunk_size, b"-5"), "protocol"),
    "a chunk of no number": (partial(hostile.wrong_chunk_size, b"zz"), "protocol"),
    "an absurd chunk": (partial(hostile.wrong_chunk_size, b"f" * 40), "protocol"),
    "a negative length": (partial(hostile.odd_length, b"-5"), None),
    "an absurd length": (partial(hostile.odd_length, b"9" * 40), "truncated"),
    "a length of no number": (partial(hostile.odd_length, b"five"), None),
    "a length beyond what comes": (partial(hostile.odd_length, b"9" * 15), "truncated"),
    "two framings": (hostile.two_framings, None),
    "truncated gzip": (hostile.truncated_gzip, "bad encoding"),
    "a gzip bomb": (hostile.gzip_bomb, "body too large"),
    "an endless body": (hostile.endless_body, "body too large"),
    "a dripping head": (hostile.dripping_head, "deadline"),
    "a dripping body": (hostile.dripping_body, "deadline"),
    "a redirect loop": (hostile.redirect_loop, "too many redirects"),
    "a redirect to no URL": (hostile.bad_redirect, "bad url"),
    "a redirect in no text": (partial(hostile.bad_redirect, b"/\xff\xfe"), "bad url"),
    "a redirect to no URL, with a body": (partial(hostile.saying, NOWHERE), "bad url"),
    "a status of zero": (hostile.odd_status, "protocol"),
    "a status of four digits": (partial(hostile.odd_status, b"2000"), "protocol"),
    "a NUL in the head": (partial(hostile.saying, hostile.OK + b"X-Nul: \0\r\nContent-Length: 0\r\n\r\n"), "protocol"),
    "an expired certificate": (hostile.expired, "tls"),
    "a self-signed certificate": (hostile.self_signed, "tls"),
    "a certificate for another host": (hostile.other_host, "tls"),
    "a handshake cut off": (hostile.cut_handshake, "tls"),
    "a stalled handshake": (hostile.stalled_handshake, "timeout"),
    "a dripping handshake": (hostile.dripping_handshake, "deadline"),
}
STOCK = {
    "1xx without an end": None,
    "a negative chunk": "ValueError",
    "an absurd chunk": "truncated",
    "a NUL in the head": None,
}
"""What urllib3 makes of it instead; None where it takes the answer for good."""


@pytest.mark.parametrize(("name", "way", "transport"), by_wire_and_some_by_urllib3(BAD))
def test_a_hostile_server_costs_one_recorded_error(name, transport, way, target):
    behaviour, error = BAD[name]
    if transport == "urllib3":
        error = STOCK.get(name, error)

    with behaviour() as server:
        report, answers = visit(server, target, way, transport=transport, awaiting=error)

    assert errors_of(report) == ({("GET /", error): 1} if error else {})
    assert report["GET /"].count == 1
    assert len(answers) == 1 - report["GET /"].errors


@WAYS
@TRANSPORTS
@pytest.mark.parametrize("behaviour", [hostile.gzip_bomb, hostile.endless_body, hostile.huge_header])
def test_what_nobody_wants_takes_little_memory(behaviour, transport, way, target):
    with behaviour() as server:
        tracemalloc.start()
        visit(server, target, way, transport=transport, max_body=4_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 30_000_000


UNBOUNDED = ["a gzip bomb", "an endless body", "a dripping head", "a dripping body"]


@WAYS
@pytest.mark.parametrize("name", UNBOUNDED)
def test_what_a_mounted_adapter_receives_is_bounded_all_the_same(name, way, target):
    behaviour, error = BAD[name]

    def mounted(session):
        session.http.mount("http://", HTTPAdapter())
        return way(session)

    with behaviour() as server:
        report, answers = visit(server, target, mounted, awaiting=error)

    assert errors_of(report) == {("GET /", error): 1}
    assert answers == []


@pytest.mark.parametrize("name", ["truncated gzip", *UNBOUNDED])
def test_what_comes_through_a_proxy_is_bounded_all_the_same(name, target):
    behaviour, error = BAD[name]

    with behaviour() as server:
        ask = lambda session: session.get("/", proxies={"http": server.url})  # noqa: E731 - as a call is written
        report, answers = visit(server, target, ask, awaiting=error)

    assert errors_of(report) == {("GET /", error): 1}
    assert answers == []


@pytest.mark.parametrize("timeout", [(0.1, None), (0.1, 0.1), Timeout(connect=0.1, read=None)])
@TRANSPORTS
def test_a_connection_that_nobody_takes_is_a_connect_timeout(timeout, transport, target):
    raised = []

    def ask(session):
        try:
            session.get("/", timeout=timeout)
        except requests.ConnectTimeout as exc:
            raised.append(exc)

    with hostile.deaf() as server:
        report, _ = visit(server, target, ask, transport=transport)

    assert errors_of(report) == {("GET /", "timeout"): 1}
    assert isinstance(raised[0], requests.ConnectionError)
    assert isinstance(raised[0], requests.Timeout)


@WAYS
@TRANSPORTS
def test_a_server_may_stall_at_every_byte(way, transport, target):
    places = len(hostile.ANSWER)

    with hostile.stalled() as server:
        load = iterations(places, users=places)
        report, answers = visit(server, target, way, load=load, transport=transport, awaiting="timeout", timeout=0.5)

    assert server.connections == places
    assert errors_of(report) == {("GET /", "timeout"): places}
    assert answers == []


@WAYS
@TRANSPORTS
def test_a_connection_that_goes_silent_costs_the_request_that_is_sent_over_it(way, transport, target):
    with hostile.half_open() as server:
        report, answers = visit(server, target, way, way, transport=transport, awaiting="timeout")

    assert [a.text for a in answers] == ["hello"]
    assert errors_of(report) == {("GET /", "timeout"): 1}
    assert report["GET /"].count == 2
    assert server.connections == 1


GOOD = {
    "chunk extensions": (hostile.chunk_extensions, 200, "hello"),
    "trailers": (hostile.trailers, 200, "hello"),
    "100-continue": (hostile.continued, 200, "hello"),
    "1xx in a row": (hostile.informed, 200, "hello"),
    "a folded header": (hostile.folded_header, 200, "hello"),
    "an answer nobody asked for": (hostile.two_answers, 200, "hello"),
    "204 with a body": (partial(hostile.forbidden_body, 204), 204, ""),
    "304 with a body": (partial(hostile.forbidden_body, 304), 304, ""),
    "bad cookies": (hostile.bad_cookies, 200, "hello"),
    "TLS as it should be": (hostile.trusted, 200, "hello"),
}


@pytest.mark.parametrize(("name", "way", "transport"), by_wire_and_some_by_urllib3(GOOD))
def test_what_http_lets_be_is_a_good_answer_each_time(name, transport, way, target):
    behaviour, status, text = GOOD[name]
    if (name, transport) == ("1xx in a row", "urllib3"):
        status, text = 102, ""  # http.client knows no other interim response than 100

    with behaviour() as server:
        report, answers = visit(server, target, way, way, way, transport=transport)

    assert [(a.status_code, a.text) for a in answers] == [(status, text)] * 3
    assert errors_of(report) == {}
    assert report["GET /"].count == 3
    assert report.verdict is Verdict.PASS


@TRANSPORTS
@pytest.mark.parametrize("behaviour", [hostile.bare_head, hostile.head_with_body])
def test_an_answer_to_head_has_no_body_whatever_follows_it(behaviour, transport, target):
    ask = lambda session: session.head("/")  # noqa: E731 - as a call is written

    with behaviour() as server:
        report, answers = visit(server, target, ask, ask, transport=transport)

    assert [(a.status_code, a.headers["Content-Length"], a.text) for a in answers] == [(200, "5", "")] * 2
    assert errors_of(report) == {}


@WAYS
@TRANSPORTS
def test_a_folded_header_is_one_line(way, transport, target):
    with hostile.folded_header() as server:
        _, answers = visit(server, target, way, transport=transport)

    assert answers[0].headers["X-Folded"].split() == ["two", "words"]


UPLOADS = pytest.mark.parametrize("body", [lambda: b"x" * 16_000_000, lambda: iter([b"x" * 1_000_000] * 16)])


@UPLOADS
@TRANSPORTS
@pytest.mark.parametrize(
    ("behaviour", "error"),
    [(hostile.unread, "timeout"), (hostile.slow_reader, "deadline"), (hostile.early_answer, "http 413")],
)
def test_an_upload_that_is_not_taken_costs_one_recorded_error(behaviour, error, body, transport, target):
    ask = lambda session: session.post("/", data=body())  # noqa: E731 - as a call is written

    with behaviour() as server:
        report, _ = visit(server, target, ask, settles=False, transport=transport, awaiting=error)

    assert errors_of(report) == {("POST /", error): 1}
    assert server.connections == 1


@TRANSPORTS
@pytest.mark.parametrize("body", [b"", b"0123456789"])
@pytest.mark.parametrize("auth", [None, ("me", "secret")], ids=["short way", "long way"])
def test_a_redirect_that_is_not_followed_is_an_error_if_its_body_is_cut_off(auth, body, transport, target):
    def treat(peer):
        peer.hear()
        peer.say(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 100\r\n\r\n", body)

    def ask(session):
        return session.get("/", allow_redirects=False, auth=auth)

    with hostile.Server(treat) as server:
        report, answers = visit(server, target, ask, transport=transport)

    assert (errors_of(report), answers) == ({("GET /", "truncated"): 1}, [])


@TRANSPORTS
def test_a_sane_cookie_among_bad_ones_is_kept(transport, target):
    kept = []

    def ask(session):
        session.get("/")
        kept.append(session.http.cookies.get("sane"))

    with hostile.bad_cookies() as server:
        visit(server, target, ask, transport=transport)

    assert kept == ["yes"]


def test_what_the_page_about_them_shows_is_true(target):
    page = Path(__file__).parent.parent / "docs" / "hostile-servers.md"
    first, own = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    told = re.findall(r"^\| (`[^|]*) \|", page.read_text(), re.MULTILINE)
    shop = Scenario(lambda session: session.get("/"), name="shop")

    exec(first, names := {"shop": shop})
    names.update(globals(), target=target)
    exec(own.replace("    ...", "    answers = visit(server, target, whole)[1]"), names)

    assert [a.text for a in names["answers"]] == ["hello"]
    to_write_another = {"ANSWER", "OK", "Gone", "Peer", "Port", "Server", "saying"}
    assert {name for cell in told for name in re.findall(r"`(\w+)\(", cell)} == {*hostile.__all__} - to_write_another
