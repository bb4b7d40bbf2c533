"""No cookie is dropped in silence: it is kept and sent back, or a note of the report says why not."""

import pytest
from scenes import once
from serving import Serving

KEPT = {
    "of localhost": ("localhost", "sid=1; Domain=localhost; Path=/"),
    "of localhost, with a dot": ("localhost", "sid=1; Domain=.localhost"),
    "of localhost, in capitals": ("localhost", "sid=1; domain=LocalHost"),
    "of localhost, without a domain": ("localhost", "sid=1"),
    "of an address": ("127.0.0.1", "sid=1; Domain=127.0.0.1"),
    "of an address, without a domain": ("127.0.0.1", "sid=1; HttpOnly; SameSite=Lax"),
    "with an age": ("localhost", "sid=1; Domain=localhost; Max-Age=60"),
}
REFUSED = {
    "of another host": (
        "localhost",
        "sid=1; Domain=shop.example",
        "Domain=.shop.example does not belong to the host localhost",
    ),
    "of another host than the address": ("127.0.0.1", "sid=1; Domain=127.0.0.2", "Domain=.127.0.0.2 does not belong"),
    "of a part of the name": ("localhost", "sid=1; Domain=host", "does not belong to the host localhost"),
    "secure": ("localhost", "sid=1; Secure", "it is Secure, and is not sent over http"),
    "of an age that is no number": ("localhost", "sid=1; Max-Age=soon", "cannot be parsed"),
}
DELETED = ["sid=1; Max-Age=0", "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]


class Login(Serving):
    """A server that sets a cookie, and keeps what it is sent back."""

    def __init__(self, host, lines):
        self.lines, self.sent, self.connections = lines, [], 0
        super().__init__(host)

    def serve(self, sock):
        while head := sock.recv(65_536):
            self.sent.append(b"\r\nCookie: " in head)
            line = f"Set-Cookie: {self.lines[min(len(self.sent), len(self.lines)) - 1]}\r\n"
            sock.sendall(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % line.encode())


def notes_of(report):
    return [note for note in report.notes if note.startswith("cookies ")]


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
@pytest.mark.parametrize("options", [{}, {"auth": ("a", "b")}, {"stream": True}], ids=["fast", "long", "streamed"])
@pytest.mark.parametrize("cookie", KEPT)
def test_a_cookie_of_the_host_is_kept_and_sent_back(cookie, options, transport):
    host, line = KEPT[cookie]

    with Login(host, [line]) as server:
        report = once(
            server, lambda session: [session.get("/", **options).content for _ in range(2)], transport=transport
        )

    assert server.sent == [False, True]
    assert notes_of(report) == []


@pytest.mark.parametrize("options", [{}, {"auth": ("a", "b")}], ids=["fast", "long"])
@pytest.mark.parametrize("cookie", REFUSED)
def test_a_cookie_that_is_not_used_is_noted_with_the_reason(cookie, options):
    host, line, reason = REFUSED[cookie]

    with Login(host, [line]) as server:
        report = once(server, lambda session: [session.get("/", **options) for _ in range(2)])

    (note,) = notes_of(report)
    assert server.sent == [False, False]
    assert note.startswith(f"cookies sid of {host} not used: ")
    assert reason in note
    assert 1 <= report.notes[note] <= 2


@pytest.mark.parametrize("line", DELETED)
def test_a_cookie_that_is_deleted_is_no_refusal(line):
    with Login("localhost", ["sid=1", line, line]) as server:
        report = once(server, lambda session: [session.get("/") for _ in range(3)])

    assert server.sent == [False, True, False]
    assert notes_of(report) == []


def test_the_notes_are_bounded_in_number_and_length():
    lines = [f"name{n:03}{'x' * 500}=1; Domain=elsewhere.example" for n in range(50)]

    with Login("localhost", lines) as server:
        report = once(server, lambda session: [session.get("/") for _ in range(50)])

    assert len(notes_of(report)) == 21
    assert max(map(len, notes_of(report))) < 300
    assert sum(report.notes[note] for note in notes_of(report)) == 50


def test_a_response_shows_the_cookie_it_set():
    shown = []
    with Login("localhost", ["sid=1; Domain=localhost"]) as server:
        once(
            server,
            lambda session: shown.extend(session.get("/", **o).cookies.get("sid") for o in ({}, {"auth": ("a", "b")})),
        )

    assert shown == ["1", "1"]
