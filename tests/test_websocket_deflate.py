"""permessage-deflate: what is agreed on, compressed, decompressed, and how much a message may become."""

import itertools
import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peer import CLOSE, PING, TEXT, closing, frame
from scenes import once
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.server import ServerProtocol

from chaperon import UsageError, WebSocketClosed, WebSocketRefused
from chaperon.client.websocket.deflate import STREAMS, MessageDeflater, MessageInflater
from chaperon.client.websocket.extensions import DeflateTerms, agreed_terms
from chaperon.client.websocket.frame_decoder import FrameDecoder
from chaperon.errors import ProtocolViolation

COMPRESSED = 4
OFFER = "permessage-deflate; client_max_window_bits"


def answering(terms, talk):
    """Return a server's part: it agrees to *terms*, then talks."""

    def part(peer):
        peer.agree(f"Sec-WebSocket-Extensions: {terms}")
        talk(peer)

    return part


TERMS = {
    "permessage-deflate": DeflateTerms(),
    " Permessage-Deflate ;server_no_context_takeover": DeflateTerms(server_anew=True),
    "permessage-deflate; client_no_context_takeover; server_max_window_bits=10": DeflateTerms(10, False, 15, True),
    'permessage-deflate; client_max_window_bits="8"; server_max_window_bits=8': DeflateTerms(8, False, 8, False),
}
NO_TERMS = [
    "x-webkit-deflate-frame",
    "permessage-deflate, permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=010",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; peer_no_context_takeover",
    "permessage-deflate; mux",
    "permessage-deflate;",
]


@pytest.mark.parametrize("answer", TERMS)
def test_what_a_server_agrees_to_is_read(answer):
    assert agreed_terms(answer) == TERMS[answer]


@pytest.mark.parametrize("answer", NO_TERMS)
def test_what_was_not_offered_is_refused(websocket_server, answer):
    server = websocket_server(answering(answer, lambda peer: peer.read()), shakes=False)

    def steps(session):
        with pytest.raises(WebSocketRefused, match="was offered"):
            session.ws("/", compression="deflate")

    report = once(server, steps)

    assert [(e.series, e.error) for e in report.errors] == [("ws connect /", "ws handshake")]
    assert server.drained()


def test_compression_is_offered_where_asked_alone_and_may_be_declined(websocket_server):
    server = websocket_server(lambda peer: peer.echo())
    seen = []

    def steps(session):
        with session.ws("/") as plain, session.ws("/", compression="deflate") as asked:
            for ws in (plain, asked):
                ws.send("hello")
                seen.append((ws.recv(), ws.compression))
        with pytest.raises(UsageError, match='give "deflate"'):
            session.ws("/", compression="gzip")

    once(server, steps)

    assert seen == [("hello", None)] * 2
    assert [peer.headers.get("sec-websocket-extensions") for peer in server.heads] == [None, OFFER]


def test_a_message_is_compressed_both_ways_and_counted_as_sent(websocket_server):
    got = []

    def talk(peer):
        for opcode, payload in peer.messages():
            got.append(payload)
            peer.raw(frame(opcode, payload, rsv=COMPRESSED))
            peer.raw(frame(opcode, "as is"))

    server = websocket_server(answering("permessage-deflate", talk), shakes=False)
    text = "always the same " * 1000

    def steps(session):
        with session.ws("/", compression="deflate") as ws:
            assert ws.compression == "deflate"
            for _ in range(2):
                ws.send(text)
                assert [ws.recv(), ws.recv()] == [text, "as is"]

    report = once(server, steps)

    sizes = [len(each) for each in got]
    assert report.errors == ()
    assert sizes[1] < sizes[0] < 200  # the second refers to the first
    assert report["ws sent /"].bytes == sum(sizes)
    assert report["ws received /"].bytes == sum(sizes) + 2 * len("as is")


def test_with_a_window_that_zlib_has_not_messages_are_sent_as_they_are(websocket_server):
    server = websocket_server(
        answering("permessage-deflate; client_max_window_bits=8", lambda p: p.echo()), shakes=False
    )

    def steps(session):
        with session.ws("/", compression="deflate") as ws:
            ws.send("hello")
            assert ws.recv() == "hello"

    assert once(server, steps).errors == ()


def served_by_websockets(factory):
    """Return a server's part: an echo of the package `websockets` with its own compression."""

    def part(peer):
        protocol = ServerProtocol(extensions=[factory])
        lines = "".join(f"{name}: {value}\r\n" for name, value in peer.headers.items())
        protocol.receive_data(f"{peer.line}\r\n{lines}\r\n".encode())
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))
        parts, kind = [], None
        while True:
            for data in protocol.data_to_send():
                if data:
                    peer.sock.sendall(data)
            data = peer.sock.recv(65536)
            if not data:
                return
            protocol.receive_data(data)
            for event in protocol.events_received():
                if event.opcode is Opcode.CLOSE:
                    continue
                kind = event.opcode if event.opcode is not Opcode.CONT else kind
                parts.append(event.data)
                if event.fin:
                    whole, parts = b"".join(parts), []
                    (protocol.send_text if kind is Opcode.TEXT else protocol.send_binary)(whole)

    return part


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_max_window_bits": 9, "client_max_window_bits": 9},
        {"server_no_context_takeover": True, "client_no_context_takeover": True, "client_max_window_bits": 12},
    ],
    ids=str,
)
def test_a_real_server_reads_and_is_read(websocket_server, settings):
    server = websocket_server(served_by_websockets(ServerPerMessageDeflateFactory(**settings)), shakes=False)
    messages = ["", "a", "grüße " * 5000, bytes(range(256)) * 300, "grüße " * 5000, b""]
    seen = []

    def steps(session):
        with session.ws("/", compression="deflate") as ws:
            seen.append(ws.compression)
            for message in messages:
                ws.send(message)
                seen.append(ws.recv())

    report = once(server, steps)

    assert report.errors == ()
    assert seen == ["deflate", *messages]


payloads = st.lists(st.one_of(st.binary(max_size=400), st.text(max_size=20).map(lambda t: t.encode() * 50)), max_size=6)


@given(payloads, st.integers(9, 15), st.booleans())
def test_what_is_deflated_is_inflated(sent, window, anew):
    deflater, inflater = MessageDeflater(window, anew), MessageInflater(window, anew)

    assert [inflater.inflate(deflater.deflate(each), 100_000) for each in sent] == sent


@given(payloads, st.integers(1, 60), st.lists(st.integers(0, 10_000), max_size=20))
def test_compressed_messages_in_fragments_and_any_pieces_are_the_same(sent, piece, cuts):
    deflater, decoder, data = MessageDeflater(), FrameDecoder(100_000, MessageInflater()), b""
    for message in sent:
        made = deflater.deflate(message)
        parts = [made[at : at + piece] for at in range(0, len(made), piece)]
        for place, part in enumerate(parts):
            first = place == 0
            head = {"fin": place == len(parts) - 1, "rsv": COMPRESSED if first else 0}
            data += frame(0x2 if first else 0, part, **head) + frame(PING, "x")
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})

    got = []
    for a, b in itertools.pairwise(edges):
        decoder.feed(data[a:b])
        while (found := decoder.next_frame()) is not None:
            got.append(found)

    assert [found[1] for found in got if found[0] != PING] == sent


def bomb(size):
    """Return *size* zeros as the payload of a compressed message."""
    return MessageDeflater().deflate(bytes(size))


def final(data):
    """Return a payload whose last block ends its stream (RFC 7692, section 7.2.3.4)."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush() + b"\x00"


def test_a_message_becomes_no_longer_than_its_limit():
    inflater = MessageInflater()

    with pytest.raises(ProtocolViolation, match="more than 1,000 bytes") as refused:
        inflater.inflate(bomb(50_000_000), 1000)

    assert refused.value.code == 1009
    assert MessageInflater().inflate(bomb(1000), 1000) == bytes(1000)


def test_random_bytes_of_the_most_length_are_accepted_though_they_grow():
    data = Random(7).randbytes(65_536)
    made = MessageDeflater().deflate(data)
    decoder = FrameDecoder(len(data), MessageInflater())
    decoder.feed(frame(0x2, made, rsv=COMPRESSED))

    assert len(made) > len(data)
    assert decoder.next_frame() == (0x2, data, len(data), len(made))


def test_a_stream_that_ends_with_its_message_is_followed_by_another():
    inflater = MessageInflater()

    assert [inflater.inflate(final(each), 100) for each in (b"one", b"two")] == [b"one", b"two"]
    assert inflater.inflate(final(b"a")[:-1] + final(b"b"), 100) == b"ab"


def test_the_streams_of_a_message_are_bounded():
    with pytest.raises(ProtocolViolation, match=f"more than {STREAMS} DEFLATE streams"):
        MessageInflater().inflate(final(b"")[:-1] * 1000, 100)


WRONG = {
    "no deflate": (frame(TEXT, b"\xff\xff\xff", rsv=COMPRESSED), 1002, "ws protocol"),
    "a bomb": (frame(TEXT, bomb(100_000), rsv=COMPRESSED), 1009, "ws too big"),
    "not UTF-8": (frame(TEXT, MessageDeflater().deflate(b"\xff"), rsv=COMPRESSED), 1007, "ws bad utf-8"),
    "a compressed ping": (frame(PING, "x", rsv=COMPRESSED), 1002, "ws protocol"),
    "a compressed close": (frame(CLOSE, closing(1000)[2:], rsv=COMPRESSED), 1002, "ws protocol"),
    "another reserved bit": (frame(TEXT, "x", rsv=COMPRESSED | 1), 1002, "ws protocol"),
    "a bit on a later fragment": (frame(TEXT, "x", fin=False) + frame(0, "y", rsv=COMPRESSED), 1002, "ws protocol"),
}


@pytest.mark.parametrize(("data", "code", "error"), WRONG.values(), ids=WRONG)
def test_what_a_server_compresses_wrongly_is_one_error(websocket_server, data, code, error):
    def talk(peer):
        peer.raw(data)
        peer.read()

    server = websocket_server(answering("permessage-deflate", talk), shakes=False)

    def steps(session):
        with pytest.raises(WebSocketClosed) as closed:
            session.ws("/", compression="deflate", max_size=1000).recv()
        assert closed.value.code == code

    report = once(server, steps)

    assert [(e.series, e.error, e.count) for e in report.errors] == [("ws recv /", error, 1)]
    assert server.drained()
