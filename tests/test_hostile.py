"""A hostile server costs one recorded error, or none where HTTP lets it be, and nothing more."""

import gc
import os
from contextlib import suppress
from functools import partial

import gevent
import pytest
import requests
from urllib3.util import Timeout

from chaperon import Environment, Scenario, Verdict, iterations, run
from chaperon.testing import hostile

PATIENCE = 0.2
"""Seconds without a byte, after which the client gives up."""
EXPECTED = requests.RequestException, ValueError
"""What a request may raise; urllib3 lets the errors of its own parsing out as they are."""


def living():
    """Return the greenlets that run, with the number of files that are open."""
    greenlets = [g for g in gc.get_objects() if isinstance(g, gevent.Greenlet) and g]
    return len(greenlets), len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_leaks(target):
    before = living()
    yield
    with gevent.Timeout(2, False):  # the last of what is closed is closed in a moment
        while living() != before:
            gevent.sleep(0.001)
    assert living() == before


def visit(server, sane, *calls, load=None, **options):
    """Make the calls, by default GET /, whatever comes of them, then ask a sane server; return report, answers."""
    answers = []

    def shop(session):
        for call in calls or (lambda session: session.get("/"),):
            with suppress(*EXPECTED):
                answers.append(call(session))
        session.get(f"{sane.url}/sane")

    report = Environment(
        server.url,
        scenarios=[run(Scenario(shop, name="shop"), load or iterations(1))],
        timeout=PATIENCE,
        verify=server.authority or True,
        **options,
    ).execute()

    assert report[f"GET {sane.url}/sane"].count == sane.count("GET /sane")
    assert report[f"GET {sane.url}/sane"].errors == 0
    assert report.ledger["shop"].done == report.ledger["shop"].planned == sane.count("GET /sane")
    assert server.settled()
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
    "a chunk larger than said": (partial(hostile.wrong_chunk_size, b"3"), "protocol"),
    "a chunk smaller than said": (partial(hostile.wrong_chunk_size, b"64"), "truncated"),
    "a negative chunk": (partial(hostile.wrong_chunk_size, b"-5"), "protocol"),
    "a chunk of no number": (partial(hostile.wrong_chunk_size, b"zz"), "protocol"),
    "an absurd chunk": (partial(hostile.wrong_chunk_size, b"f" * 40), "protocol"),
    "a negative length": (partial(hostile.odd_length, b"-5"), "protocol"),
    "an absurd length": (partial(hostile.odd_length, b"9" * 40), "protocol"),
    "a length of no number": (partial(hostile.odd_length, b"five"), "protocol"),
    "a length beyond what comes": (partial(hostile.odd_length, b"9" * 15), "truncated"),
    "two framings": (hostile.two_framings, "protocol"),
    "truncated gzip": (hostile.truncated_gzip, "bad encoding"),
    "a redirect loop": (hostile.redirect_loop, "too many redirects"),
    "an expired certificate": (hostile.expired, "tls"),
    "a self-signed certificate": (hostile.self_signed, "tls"),
    "a certificate for another host": (hostile.other_host, "tls"),
    "a handshake cut off": (hostile.cut_handshake, "tls"),
}

@pytest.mark.parametrize("name", BAD)
def test_a_hostile_server_costs_one_recorded_error(name, target):
    behaviour, error = BAD[name]

    with behaviour() as server:
        report, answers = visit(server, target)

    assert errors_of(report) == ({("GET /", error): 1} if error else {})
    assert report["GET /"].count == 1
    assert len(answers) == 1 - report["GET /"].errors


@pytest.mark.parametrize("timeout", [(0.1, None), (0.1, 0.1), Timeout(connect=0.1, read=None)])
def test_a_connection_that_nobody_takes_is_a_connect_timeout(timeout, target):
    raised = []

    def ask(session):
        try:
            session.get("/", timeout=timeout)
        except requests.ConnectTimeout as exc:
            raised.append(exc)

    with hostile.deaf() as server:
        report, _ = visit(server, target, ask)

    assert errors_of(report) == {("GET /", "timeout"): 1}
    assert isinstance(raised[0], requests.ConnectionError)
    assert isinstance(raised[0], requests.Timeout)


def test_a_server_may_stall_at_every_byte(target):
    places = len(hostile.ANSWER)

    with hostile.stalled() as server:
        report, answers = visit(server, target, load=iterations(places, users=places))

    assert server.connections == places
    assert errors_of(report) == {("GET /", "timeout"): places}
    assert answers == []


def test_a_connection_that_goes_silent_costs_the_request_that_is_sent_over_it(target):
    ask = lambda session: session.get("/").text  # noqa: E731 - as a call is written

    with hostile.half_open() as server:
        report, answers = visit(server, target, ask, ask)

    assert answers == ["hello"]
    assert errors_of(report) == {("GET /", "timeout"): 1}
    assert report["GET /"].count == 2
    assert server.connections == 1


GOOD = {
    "chunk extensions": (hostile.chunk_extensions, 200, "hello"),
    "trailers": (hostile.trailers, 200, "hello"),
    "100-continue": (hostile.continued, 200, "hello"),
    "204 with a body": (partial(hostile.forbidden_body, 204), 204, ""),
    "304 with a body": (partial(hostile.forbidden_body, 304), 304, ""),
    "bad cookies": (hostile.bad_cookies, 200, "hello"),
    "TLS as it should be": (hostile.trusted, 200, "hello"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_http_lets_be_is_a_good_answer_each_time(name, target):
    behaviour, status, text = GOOD[name]
    ask = lambda session: session.get("/")  # noqa: E731 - as a call is written

    with behaviour() as server:
        report, answers = visit(server, target, ask, ask, ask)

    assert [(a.status_code, a.text) for a in answers] == [(status, text)] * 3
    assert errors_of(report) == {}
    assert report["GET /"].count == 3
    assert report.verdict is Verdict.PASS


@pytest.mark.parametrize("behaviour", [hostile.bare_head, hostile.head_with_body])
def test_an_answer_to_head_has_no_body_whatever_follows_it(behaviour, target):
    ask = lambda session: session.head("/")  # noqa: E731 - as a call is written

    with behaviour() as server:
        report, answers = visit(server, target, ask, ask)

    assert [(a.status_code, a.headers["Content-Length"], a.text) for a in answers] == [(200, "5", "")] * 2
    assert errors_of(report) == {}


def test_a_sane_cookie_among_bad_ones_is_kept(target):
    kept = []

    def ask(session):
        session.get("/")
        kept.append(session.http.cookies.get("sane"))

    with hostile.bad_cookies() as server:
        visit(server, target, ask)

    assert kept == ["yes"]
