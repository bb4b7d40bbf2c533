"""Requests of greenlets that a scenario spawned itself: none is sent after the last window, and none is forgotten."""

import gevent
import pytest
from peer import Peer
from scenes import once
from waits import until

from chaperon import Service, rate, users
from chaperon.errors import Interrupted


def asks(session, seen):
    """Ask on and on until the session refuses, or forever."""
    while True:
        try:
            session.get("/look")
        except BaseException as exc:
            seen.append(exc)
            return


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
def test_a_greenlet_that_goes_on_after_the_run_sends_nothing(target, transport):
    seen = []

    def visit(session):
        session.get("/look")
        gevent.spawn(asks, session, seen)

    report = once(Service(target.url, transport=transport), visit, load=rate(20, hold=0.2))

    until(lambda: len(seen) == 4)
    assert [type(exc) for exc in seen] == [Interrupted] * 4
    strays = sum(times for note, times in report.notes.items() if "in flight" in note)
    in_flight = sum(int(text.split()[0]) for text in report.warnings if "in flight at the end" in text)
    assert strays == 0
    assert len(target.asked) == report["GET /look"].count + in_flight


def test_requests_that_are_in_flight_at_the_end_are_a_warning_with_their_number(target):
    def visit(session):
        session.get("/look")
        gevent.spawn(session.get, "/slow")

    report = once(target, visit, load=users(3, hold=0.2, think=1))

    assert report["GET /look"].count == 3
    (warning,) = [text for text in report.warnings if "in flight" in text]
    assert warning.startswith("3 requests were in flight at the end of the run and are in no figure")
    assert not any("in flight" in note for note in report.notes)


def test_one_request_in_flight_is_said_as_one(target):
    def visit(session):
        gevent.spawn(session.get, "/slow")
        gevent.idle()
        session.get("/look")

    report = once(target, visit)

    assert any(text.startswith("1 request was in flight at the end") for text in report.warnings)


def test_a_websocket_is_not_opened_after_the_run(websocket_server):
    sessions = []
    server = websocket_server(Peer.echo)
    once(server, lambda session: (sessions.append(session), session.ws().close()))

    with pytest.raises(Interrupted):
        sessions[0].ws()

    assert server.seen == 1
