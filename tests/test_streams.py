"""A streamed body is read as with plain `requests`: the same pieces, at the same moments, the same end."""

import gzip
import io
import shutil
from contextlib import suppress
from itertools import product

import gevent
import pytest
import requests
from gevent.server import StreamServer
from scenes import once
from serving import Serving
from thorough import some

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.service import Service

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(b"line one\nline two\n" * 20, mtime=0)


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def sized(*parts):
    return [OK + b"Content-Length: %d\r\n\r\n" % len(b"".join(parts)), *parts]


EVENTS = [chunk(b"data: %d\n\n" % n) for n in range(4)]
BODIES = {
    "chunks": [CHUNKED, *EVENTS, b"0\r\n\r\n"],
    "chunks with the head": [CHUNKED + EVENTS[0], *EVENTS[1:], b"0\r\n\r\n"],
    "chunks at once": [CHUNKED + b"".join(EVENTS) + b"0\r\n\r\n"],
    "chunks cut anywhere": [CHUNKED + b"1", b"0\r", b"\n0123456789", b"abcdef\r\n", b"3\r\nxyz", b"\r\n0", b"\r\n\r\n"],
    "chunks of one byte": [CHUNKED, *[chunk(bytes([c])) for c in b"one\ntwo\n"], b"0\r\n\r\n"],
    "chunks with extensions and trailers": [CHUNKED, b"2;a=b\r\nok\r\n", b"0\r\nX-T: u\r\n\r\n"],
    "chunks padded": [CHUNKED, b"2  \r\nok\r\n", b" 2\r\nok\r\n", b"0000\r\n\r\n"],
    "a large chunk": [CHUNKED, chunk(b"0123456789" * 3_000), b"0\r\n\r\n"],
    "chunks, gzip": [
        OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        chunk(ZIPPED[:20]),
        chunk(ZIPPED[20:]),
        b"0\r\n\r\n",
    ],
    "no chunk": [CHUNKED, b"0\r\n\r\n"],
    "chunks cut off": [CHUNKED, EVENTS[0], b"5\r\nab"],
    "chunks without the last": [CHUNKED, EVENTS[0]],
    "a length": sized(b"line one\n", b"line two\nline", b" three"),
    "a length at once": [b"".join(sized(b"line one\nline two\n"))],
    "a length of zero": sized(),
    "a length, gzip": [
        OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED),
        ZIPPED[:30],
        ZIPPED[30:],
    ],
    "a length, large": sized(b"0123456789" * 3_000),
    "a length cut off": [OK + b"Content-Length: 9\r\n\r\n", b"half"],
    "until the end": [b"HTTP/1.0 200 OK\r\n\r\n", b"line one\n", b"line", b" two\n"],
    "until the end, empty": [b"HTTP/1.0 200 OK\r\n\r\n"],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
}


def repeated(read):
    """Yield what *read* returns until it returns nothing; bounded, so that a missing end fails."""
    for _ in range(1_000):
        data = read()
        if not data:
            return
        yield data
    raise AssertionError("no end")


def filled(raw, size):
    buffer = bytearray(size)
    return repeated(lambda: bytes(buffer[: raw.readinto(buffer)]))


def copied(raw):
    kept = io.BytesIO()
    shutil.copyfileobj(raw, kept, 16)
    return [kept.getvalue()]


WAYS = {
    "iter_content()": lambda r: r.iter_content(),
    "iter_content(None)": lambda r: r.iter_content(None),
    "iter_content(7)": lambda r: r.iter_content(7),
    "iter_content(10240)": lambda r: r.iter_content(10_240),
    "iter_content of text": lambda r: r.iter_content(8, decode_unicode=True),
    "iter_lines()": lambda r: r.iter_lines(),
    "iter_lines(1)": lambda r: r.iter_lines(chunk_size=1),
    "iter_lines(None)": lambda r: r.iter_lines(chunk_size=None),
    "iter_lines by two line feeds": lambda r: r.iter_lines(delimiter=b"\n\n"),
    "iter()": iter,
    "content": lambda r: [r.content],
    "text": lambda r: [r.text],
    "raw.stream(None)": lambda r: r.raw.stream(None, decode_content=True),
    "raw.stream(5)": lambda r: r.raw.stream(5),
    "raw.stream()": lambda r: r.raw.stream(),
    "raw.read()": lambda r: [r.raw.read()],
    "raw.read(), decoded": lambda r: [r.raw.read(decode_content=True)],
    "raw.read(5)": lambda r: repeated(lambda: r.raw.read(5)),
    "raw.read1()": lambda r: repeated(lambda: r.raw.read1()),
    "raw.read1(5)": lambda r: repeated(lambda: r.raw.read1(5)),
    "raw.readline()": lambda r: repeated(r.raw.readline),
    "raw.readinto()": lambda r: filled(r.raw, 5),
    "raw.data": lambda r: [r.raw.data],
    "iter(raw)": lambda r: r.raw,
    "raw as a file": lambda r: io.BufferedReader(r.raw, 8),
    "raw as a text file": lambda r: io.TextIOWrapper(r.raw),
    "raw copied": lambda r: copied(r.raw),
    "twice": lambda r: [*r.iter_content(None), *repeated(lambda: r.raw.read(5))],
}
"""By name: how the body of a response is read, as an iterable of pieces."""


class Slow(Serving):
    """A server that sends the next part when every other greenlet has read what there is."""

    def __init__(self, parts, keep=False):
        self.parts, self.keep, self.sent, self.connections = parts, keep, 0, 0
        super().__init__(path="/")

    def serve(self, sock):
        self.connections += 1
        while sock.recv(65_536):
            self.sent = 0
            with suppress(OSError):  # the client has closed the connection
                for part in self.parts:
                    sock.sendall(part)
                    self.sent += 1
                    for _ in range(3):
                        gevent.idle()
            if not self.keep:
                break
        sock.close()


def seen(http, server, way):
    """Return the pieces, each with the number of parts sent before it came, and the class of the error."""
    pieces = []
    try:
        with gevent.Timeout(10):
            for piece in WAYS[way](http.get(server.url, stream=True)):
                pieces.append((piece, server.sent))
    except (requests.RequestException, OSError) as exc:
        return pieces, type(exc)
    except Exception as exc:  # of urllib3 or http.client, from `raw`
        return pieces, type(exc)
    return pieces, None


@pytest.mark.parametrize(("body", "way"), some(product(BODIES, WAYS), 5))
def test_a_body_is_read_as_with_plain_requests(body, way):
    with Slow(BODIES[body]) as server, requests.Session() as plain, MeasuredSession() as ours:
        wanted = seen(plain, server, way)
        found = seen(ours, server, way)

    assert found == wanted


WHOLE = [
    "chunks",
    "chunks cut anywhere",
    "chunks with extensions and trailers",
    "chunks, gzip",
    "a length",
    "a length of zero",
]


REUSABLE = [way for way in WAYS if way not in ("raw as a file", "raw as a text file")]


@pytest.mark.parametrize(("body", "way"), some(product(WHOLE, REUSABLE), 5))
def test_a_connection_is_used_again_once_its_body_is_read(body, way):
    with Slow(BODIES[body], keep=True) as server, MeasuredSession() as http:
        assert seen(http, server, way)[1] is None
        assert seen(http, server, "content")[1] is None

    assert server.connections == 1


def test_a_connection_is_not_used_again_if_its_body_is_left_or_bytes_follow_it():
    for parts, way in ((BODIES["chunks"], lambda r: r.close()), (sized(b"ok", b"!"), lambda r: r.content)):
        with Slow([*parts[:-1], parts[-1] + b"surplus"], keep=True) as server, MeasuredSession() as http:
            for _ in range(2):
                way(http.get(server.url, stream=True))

        assert server.connections == 2


@pytest.mark.parametrize("way", ["iter_lines()", "raw.read()", "raw.read1(5)", "raw.stream(None)", "iter(raw)"])
def test_a_stream_is_one_sample_that_ends_with_its_body(way, clock):
    spans = []
    with Slow(BODIES["chunks"]) as server:

        def shop(session):
            began = session.clock.now()
            response = session.get("/", stream=True)
            for _ in WAYS[way](response):
                pass
            spans.append(session.clock.now() - began)  # what comes after the body is not part of the sample

        report = once(server, shop)

    assert (report["GET /"].count, report["GET /"].errors) == (1, 0)
    assert report["GET /"].max <= spans[0]


CUT_OFF = {
    **{name: BODIES[name] for name in ("chunks cut off", "chunks without the last", "a length cut off")},
    "chunks without the last line": [CHUNKED, *EVENTS, b"0\r\n"],
    "chunks cut off in a trailer": [CHUNKED, *EVENTS, b"0\r\nX-T: u\r\n"],
}


@pytest.mark.parametrize("body", CUT_OFF)
@pytest.mark.parametrize("way", ["iter_lines()", "raw.read()", "raw.read1(5)", "raw.stream(None)", "iter(raw)"])
def test_a_stream_that_is_cut_off_is_an_error_however_it_is_read(body, way):
    with Slow(CUT_OFF[body]) as server:
        report = once(server, lambda session: seen(session.http, server, way))

    assert [(e.error, e.count) for e in report.errors if e.series == "GET /"] == [("truncated", 1)]


def endless(sock, _):
    sock.recv(65_536)
    sock.sendall(CHUNKED)
    block = chunk(b"x" * 60_000)
    with suppress(OSError):
        while True:
            sock.sendall(block)


def test_a_stream_without_an_end_lets_others_run_and_ends_at_its_deadline():
    server = StreamServer(("127.0.0.1", 0), endless)
    server.start()
    http = MeasuredSession(service=Service(f"http://127.0.0.1:{server.server_port}", deadline=0.3))
    turns = []
    beside = gevent.spawn(lambda: [turns.append(gevent.sleep(0)) for _ in range(20)])

    with gevent.Timeout(10), pytest.raises(requests.exceptions.ReadTimeout):
        for _ in http.get(http.service.url, stream=True).iter_content(None):
            pass

    assert len(turns) > 5
    beside.kill()
    server.stop(timeout=0)


def test_a_streamed_body_has_a_limit_only_if_one_is_asked_for():
    size = 17 * 1024 * 1024
    with Slow([OK + b"Content-Length: %d\r\n\r\n" % size, *[b"x" * 1024 * 1024] * 17]) as server:
        plain = MeasuredSession(service=Service(server.url))
        assert sum(map(len, plain.get(server.url, stream=True).iter_content(None))) == size
        with pytest.raises(requests.RequestException, match="max_body"):
            plain.get(server.url)
        for limited, options in (
            (plain, {"max_body": 1_000}),
            (MeasuredSession(service=Service(server.url, max_body=1_000)), {}),
        ):
            with pytest.raises(requests.RequestException, match="max_body"):
                list(limited.get(server.url, stream=True, **options).iter_content(None))
