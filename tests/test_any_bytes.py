"""Any bytes from a server, in any pieces, end as a response or a recorded error."""

import gzip
from itertools import pairwise

import gevent
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.http.parser import ResponseParser
from chaperon.client.service import Service
from chaperon.clock import HubClock
from chaperon.errors import ProtocolError
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.testing import hostile

ZIPPED = gzip.compress(b"hello" * 9, mtime=0)  # the same in every process: it names a test
SANE = [
    hostile.ANSWER,
    b"HTTP/1.1 100 Continue\r\n\r\n" + hostile.ANSWER,
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 204 None\r\nX-A: b\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
    hostile.OK
    + b"Set-Cookie: a=b; Path=/\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: u\r\n\r\n",
    hostile.OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED,
    hostile.OK + b"X-Folded: a\r\n b\r\nContent-Type: text/html; charset=odd\r\nContent-Length: 0\r\n\r\n",
]
PIECES = [b"\r\n", b"\r\n\r\n", b"\0", b":", b" ", b"0", b"-1", b"9" * 30, b"chunked", b"Content-Length: 3\r\n", *SANE]


@st.composite
def said(draw):
    """Bytes of which most were an answer once."""
    data = draw(st.one_of(st.sampled_from(SANE), st.binary(max_size=60)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(start + draw(st.integers(0, 9)), len(data))
        data = data[:start] + draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4))) + data[end:]
    return data


def split(data, cuts):
    """Return *data* in pieces that end at *cuts*, fractions of it."""
    places = sorted({int(cut * len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


cuts = st.lists(st.floats(0, 1, exclude_max=True), max_size=6)


def read(pieces, bare):
    """Return what an inbox makes of the pieces when the connection ends after them."""
    inbox = ResponseParser()
    inbox.start_response(bare)
    try:
        for piece in pieces:
            inbox.feed(piece)
            if inbox.done:
                break
        if inbox.framing is not None:
            return (inbox.status, inbox.head, inbox.framing, inbox.rest)
        whole = inbox.done or inbox.end()
    except ProtocolError:
        return "garbled"
    return (inbox.status, inbox.head, b"".join(inbox.pieces)) if whole else "incomplete"


@settings(max_examples=examples(400))
@given(said(), cuts, st.booleans())
def test_how_an_answer_is_split_changes_nothing_about_it(data, at, bare):
    assert read(split(data, at), bare) == read([data], bare)


@pytest.mark.parametrize("answer", SANE)
def test_an_answer_may_come_byte_by_byte(answer):
    assert read([bytes([byte]) for byte in answer], bare=False) == read([answer], bare=False)


class Session(MeasuredSession):
    """A session that keeps what was measured of it at hand."""

    def __init__(self, url):
        self.taken = []
        recorder = Recorder("fuzz", began=0.0, tap=self.taken.append)
        service = Service(url, timeout=0.2, deadline=0.5, max_body=100_000)
        super().__init__(Meter(recorder, HubClock(), "fuzz"), service)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_any_bytes_end_as_a_response_or_a_recorded_error(method, stream):
    @settings(max_examples=examples(40))
    @given(said(), cuts)
    def holds(data, at):
        def treat(peer):
            peer.hear()
            for piece in split(data, at):
                peer.say(piece)
                gevent.sleep(0)

        with hostile.Server(treat) as server, Session(server.url) as session, gevent.Timeout(5):
            try:
                response = session.request(method, "/", stream=stream)
                text, _ = response.text, response.cookies
            except requests.RequestException:
                text = None
            session.close_streams()

            samples = [s for s in session.taken if s.key.kind == "http"]
            assert len(samples) == 1
            assert (samples[0].failure is not None) or text is not None
            session.close()
            assert server.settled()

    holds()
