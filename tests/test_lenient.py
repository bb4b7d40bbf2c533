"""Responses that `requests` and curl accept are accepted; what stays refused shows the bytes that came."""

import gzip
import zlib
from itertools import product

import pytest
import requests
from gevent.server import StreamServer
from serving import Serving
from thorough import some

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.http.response_head import read_head
from chaperon.errors import ProtocolError

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(b"hello", mtime=0)
DEFLATED = zlib.compress(b"hello")


def encoded(coding, body):
    return OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)


ACCEPTED = {
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nok",
    "bare LF in one header": b"HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 2\r\n\r\nok",
    "bare LF at the end": b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\nok",
    "bare LF, folded": b"HTTP/1.1 200 OK\nX-A: b\n c\nContent-Length: 2\n\nok",
    "the same length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "the same length thrice, apart": OK
    + b"Content-Length: 2\r\nX-A: b\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a padded length": OK + b"Content-Length:   2  \r\n\r\nok",
    "a length with zeros": OK + b"Content-Length: 0002\r\n\r\nok",
    "a chunk size with spaces after": CHUNKED + b"2   \r\nok\r\n0\r\n\r\n",
    "a chunk size with spaces before": CHUNKED + b"  2\r\nok\r\n0\r\n\r\n",
    "a chunk size with a tab": CHUNKED + b"2\t\r\nok\r\n0\r\n\r\n",
    "a chunk size with zeros": CHUNKED + b"00000002\r\nok\r\n0000\r\n\r\n",
    "a chunk size, padded, with an extension": CHUNKED + b"2 ; a=b\r\nok\r\n0\r\n\r\n",
    "a chunk size of 0x2": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "a later chunk size, padded, with an extension": CHUNKED + b"2\r\nok\r\n2 ; a=b\r\nok\r\n0\r\n\r\n",
    "an extension behind a space, of a later chunk": CHUNKED + b'2;a=b\r\nok\r\n2; q="x;y"\r\nok\r\n0; a\r\n\r\n',
    "a later chunk size with bare LF": CHUNKED + b"2\r\nok\r\n2\nok\r\n0\r\n\r\n",
    "a second chunk size with spaces": CHUNKED + b"2\r\nok\r\n2  \r\nok\r\n0  \r\n\r\n",
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "identity and a length": OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
    "two spaces before the status": b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
    "two spaces before the reason": b"HTTP/1.1 200  OK\r\nContent-Length: 2\r\n\r\nok",
    "a tab before the status": b"HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "an empty reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "a reason of other letters": b"HTTP/1.1 200 Gr\xfc\xdfe\r\nContent-Length: 2\r\n\r\nok",
    "a status of 999": b"HTTP/1.1 999 Go Away\r\nContent-Length: 2\r\n\r\nok",
    "a status of 0200": b"HTTP/1.1 0200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a length that is empty": OK + b"Content-Length:\r\nConnection: close\r\n\r\nok",
    "a length that is no number": OK + b"Content-Length: two\r\nConnection: close\r\n\r\nok",
    "an interim response with bare LF": b"HTTP/1.1 100 Continue\n\n" + OK + b"Content-Length: 2\r\n\r\nok",
    "bytes behind gzip": encoded(b"gzip", ZIPPED + b"surplus"),
    "one byte behind gzip": encoded(b"gzip", ZIPPED + b"\0"),
    "zeros behind gzip": encoded(b"gzip", ZIPPED + bytes(9)),
    "bytes behind two gzip members": encoded(b"gzip", ZIPPED + ZIPPED + b"surplus"),
    "bytes behind deflate": encoded(b"deflate", DEFLATED + b"surplus"),
    "bytes behind raw deflate": encoded(b"deflate", DEFLATED[2:-4] + b"surplus"),
    "an unknown coding": encoded(b"utf-8", b"ok"),
}
"""By name: responses, after which the server closes the connection."""

REFUSED = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "another protocol": b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status that is no number": b"HTTP/1.1 OK 200\r\nContent-Length: 2\r\n\r\nok",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "lengths that differ": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a chunk size of letters": CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    "a later chunk size of letters": CHUNKED + b"2\r\nok\r\nzz\r\nok\r\n0\r\n\r\n",
}


class Saying(Serving):
    """A server that gives one answer, in *pieces* or whole, then closes the connection."""

    def __init__(self, answer, size=None):
        self.answer, self.size = answer, size or len(answer)
        super().__init__(path="/")

    def serve(self, sock):
        sock.recv(65_536)
        for start in range(0, len(self.answer), self.size):
            sock.sendall(self.answer[start : start + self.size])
        sock.close()


def asked(http, url, **options):
    response = http.get(url, timeout=5, **options)
    return response.status_code, response.reason, response.content, response.headers.get("Content-Length", "").strip()


@pytest.mark.parametrize(("answer", "stream", "size"), some(product(ACCEPTED, [False, True], [None, 1]), 3))
def test_what_requests_accepts_is_accepted(answer, stream, size):
    with Saying(ACCEPTED[answer], size) as server, MeasuredSession() as http:
        found = asked(http, server.url, stream=stream)
        assert found == asked(requests.Session(), server.url)


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "streamed"])
@pytest.mark.parametrize("answer", REFUSED)
def test_what_is_refused_shows_the_bytes_and_the_remedy(answer, stream):
    with (
        Saying(REFUSED[answer]) as server,
        MeasuredSession() as http,
        pytest.raises(requests.RequestException) as refused,
    ):
        asked(http, server.url, stream=stream)

    with Saying(REFUSED[answer]) as server, pytest.raises(requests.RequestException) as plain:
        asked(requests.Session(), server.url)
    assert type(refused.value) is type(plain.value)
    shown = {"a chunk size of letters": "zz", "a later chunk size of letters": "zz"}
    assert shown.get(answer, REFUSED[answer][:9].decode()).strip() in str(refused.value)
    assert 'transport="urllib3"' in str(refused.value)


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "streamed"])
@pytest.mark.parametrize("cut", [ZIPPED[:-3], ZIPPED + ZIPPED[:12], ZIPPED + ZIPPED[:-3]])
def test_a_compressed_body_that_is_cut_off_is_an_error(cut, stream):
    with (
        Saying(encoded(b"gzip", cut)) as server,
        MeasuredSession() as http,
        pytest.raises(requests.exceptions.ContentDecodingError),
    ):
        asked(http, server.url, stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "streamed"])
@pytest.mark.parametrize("size", ["2", "2 ; a=b"])
@pytest.mark.parametrize("cut", ["0", "0\r\n", "0\r\nX-T: u\r\n"])
def test_a_chunked_body_that_is_cut_off_behind_its_last_chunk_is_an_error(cut, size, stream):
    with (
        Saying(CHUNKED + f"{size}\r\nok\r\n{cut}".encode()) as server,
        MeasuredSession() as http,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        asked(http, server.url, stream=stream)


def test_a_connection_with_a_lenient_response_is_used_again():
    connections = []

    def serve(sock, _):
        connections.append(1)
        while sock.recv(65_536):
            sock.sendall(ACCEPTED["bare LF"])

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    with MeasuredSession() as http:
        texts = [http.get(f"http://127.0.0.1:{server.server_port}/").text for _ in range(3)]
    server.stop(timeout=0)

    assert (texts, len(connections)) == (["ok"] * 3, 1)


def test_a_head_is_bounded_in_size_and_in_interim_responses():
    with pytest.raises(ProtocolError, match="262,144 bytes"):
        read_head(OK + b"X: " + b"x" * 300_000)
    with pytest.raises(ProtocolError, match="50 interim"):
        read_head(b"HTTP/1.1 100 Continue\r\n\r\n" * 51 + OK + b"\r\n")
    assert read_head(b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + OK + b"\r\n").status == 200
