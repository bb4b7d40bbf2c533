"""What is sent is encoded as urllib3 encodes it at the last moment, for URLs from every source."""

import pytest
import requests
from serving import Serving

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.service import Service

TARGETS = [
    "/",
    "",
    "?a=b",
    "/a b?c d",
    "/ünïcode?q=ü",
    "/%c3%bc?q=%zz%",
    "/\"<>`{}|\\^[]'()",
    "/a?\"<>`{}|\\^[]'()",
    "/a/../b/./c",
    "//two//slashes",
    "/a#fragment",
    "/a?b#c d",
    "/a;b=c,d:e@f!$&'*+=~",
    "/日本?日=本",
    "/a?b=c?d=/e",
    "/100%",
    "/\x7f\x80",
]


class Lines(Serving):
    """A server that keeps the request lines and Host headers it receives; */moved* leads to a given place."""

    def __init__(self):
        self.lines, self.location = [], b"/"
        super().__init__()

    def serve(self, sock):
        while head := sock.recv(65_536):
            line, *fields = head.split(b"\r\n")
            self.lines.append((line, [field for field in fields if field.lower().startswith(b"host:")]))
            if line.startswith(b"GET /moved "):
                sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % self.location)
            else:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def sent_by(http, server, target):
    request = http.prepare_request(requests.Request("GET", server.url + "/"))
    request.url = server.url + target
    server.lines.clear()
    try:
        http.send(request, timeout=5)
    except Exception as exc:
        return type(exc).__name__
    return list(server.lines)


@pytest.mark.parametrize("target", TARGETS)
def test_a_url_set_on_a_prepared_request_is_encoded_as_with_plain_requests(target):
    with Lines() as server:
        ours = sent_by(MeasuredSession(service=Service(server.url)), server, target)

        assert ours == sent_by(requests.Session(), server, target)


@pytest.mark.parametrize("target", TARGETS)
def test_a_url_of_a_scenario_is_encoded_as_with_plain_requests(target):
    with Lines() as server:
        for http in (MeasuredSession(service=Service(server.url)), requests.Session()):
            http.get(server.url + target)
            http.get(server.url + target, cookies={"a": "b"}, params={"ü": "ß /"})

        assert server.lines[:2] == server.lines[2:]


@pytest.mark.parametrize("target", [t for t in TARGETS if "\x7f" not in t])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_target_of_a_redirect_is_encoded_as_with_plain_requests(target, encoding):
    found = []
    with Lines() as server:
        server.location = target.encode(encoding, "replace")
        for http in (MeasuredSession(service=Service(server.url)), requests.Session()):
            server.lines.clear()
            try:
                http.get(server.url + "/moved", timeout=5)
            except requests.TooManyRedirects:  # to itself
                server.lines.append("too many")
            except (requests.RequestException, UnicodeError) as exc:
                server.lines.append(isinstance(exc, Exception))
            found.append(list(server.lines))

    assert found[0] == found[1]
