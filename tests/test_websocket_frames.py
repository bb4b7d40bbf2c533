"""Frames by themselves: what is encoded and decoded, beside websocket-client and in any pieces."""

import itertools
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from peer import BINARY, CLOSE, PING, PONG, TEXT, closing, frame, masked
from thorough import examples
from websocket import ABNF, WebSocketException, frame_buffer

from chaperon.client.websocket import integer_mask, masking
from chaperon.client.websocket.frame_decoder import FrameDecoder
from chaperon.client.websocket.frames import decode_close, encode, encode_close
from chaperon.errors import ProtocolViolation


def decoded(pieces, most=1 << 20):
    """Return all frames decoded from bytes that come in *pieces*, a violation as the last of them."""
    decoder, got = FrameDecoder(most), []
    for piece in pieces:
        decoder.feed(piece)
        try:
            while (found := decoder.next_frame()) is not None:
                got.append(found)
        except ProtocolViolation as exc:
            return [*got, exc]
    return got


def split(data, cuts):
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def unmasked(data):
    """Return a short masked frame as a server would send it."""
    return bytes([data[0], data[1] & 0x7F]) + masked(data[6:], data[2:6])


def read_by_reference(data):
    """Return (fin, opcode, masked, payload) of each frame as websocket-client reads them."""
    rest, found = [data], []
    reference = frame_buffer(lambda size: rest.pop(0), skip_utf8_validation=True)
    while rest or sum(map(len, reference.recv_buffer)):
        got = reference.recv_frame()
        found.append((got.fin, got.opcode, got.mask_value, got.data))
    return found


def sent_by_reference(payload, opcode, fin=1):
    """Return a frame as websocket-client encodes it for a server: without a mask."""
    return ABNF(fin, 0, 0, 0, opcode, 0, payload).format()


SIZES = [0, 1, 2, 125, 126, 127, 4095, 65_535, 65_536, 65_537, 70_001]
payloads = st.one_of(st.binary(max_size=300), st.sampled_from(SIZES).map(lambda n: bytes(i % 251 for i in range(n))))
messages = st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=8)
cuts = st.lists(st.integers(0, 200_000), max_size=30)


@given(payloads, st.sampled_from([TEXT, BINARY, PING, PONG]))
def test_what_is_encoded_is_what_the_reference_reads(payload, opcode):
    payload = payload[:125] if opcode >= CLOSE else payload

    assert read_by_reference(encode(payload, opcode)) == [(1, opcode, 1, payload)]


@given(st.lists(payloads, min_size=1, max_size=5), cuts)
def test_what_the_reference_encodes_is_decoded_however_it_is_split(sent, cuts):
    data = b"".join(sent_by_reference(payload, BINARY) for payload in sent)

    got = decoded(split(data, cuts))

    assert got == [(BINARY, payload, len(payload), len(payload)) for payload in sent]


@given(messages, cuts, st.integers(1, 50))
def test_messages_are_the_same_however_they_are_split_and_fragmented(sent, cuts, piece):
    data = b""
    for message in sent:
        opcode, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        parts = [payload[at : at + piece] for at in range(0, len(payload), piece)] or [b""]
        for place, part in enumerate(parts):
            data += sent_by_reference(part, opcode if place == 0 else 0, fin=int(place == len(parts) - 1))
            data += frame(PING, "x")

    got = decoded(split(data, cuts))

    assert [found[1] for found in got if found[0] != PING] == sent
    assert got.count((PING, b"x", 1, 1)) == data.count(frame(PING, "x"))


def test_bytes_that_come_one_by_one_are_the_same_frames():
    sent = [frame(TEXT, "å" * n) for n in (0, 60, 70, 33_000)] + [frame(PING, "x"), closing(1000, "bye")]
    data = b"".join(sent)

    assert decoded([bytes([byte]) for byte in data]) == decoded([data])
    assert len(decoded([data])) == len(sent)


@settings(max_examples=examples(300))
@given(st.binary(max_size=400), cuts)
def test_any_bytes_at_all_end_as_frames_or_as_one_violation(data, cuts):
    got = decoded(split(data, cuts), most=1000)

    broken = [each for each in got if isinstance(each, ProtocolViolation)]
    assert broken in ([], got[-1:])
    assert all(each.code in (1002, 1007, 1009) for each in broken)


heads = st.tuples(
    st.integers(0, 15), st.booleans(), st.integers(0, 7), st.sampled_from([None, b"abcd"]), st.binary(max_size=200)
)


@settings(max_examples=examples(300))
@given(heads)
@example((TEXT, True, 0, None, b"\x80"))
def test_a_first_frame_that_the_reference_refuses_is_refused(head):
    opcode, fin, rsv, mask, payload = head
    data = frame(opcode, payload, fin=fin, rsv=rsv, mask=mask)
    try:
        read_by_reference(data)
        refused = False
    except WebSocketException:
        refused = True

    found = decoded([data])
    broken = bool(found) and isinstance(found[0], ProtocolViolation)
    if opcode == CLOSE and found and not broken:
        try:
            decode_close(found[0][1])
        except ProtocolViolation as exc:
            broken = exc.code == 1002

    # the reference reads masked frames, a continuation of nothing, control frames too long, a fragmented close or pong,
    # and leaves it to others whether a text is UTF-8
    stricter = mask is not None or opcode == 0 or (opcode >= CLOSE and (len(payload) > 125 or not fin))
    stricter = stricter or (opcode == TEXT and payload.decode(errors="replace").encode() != payload)
    assert broken or not refused
    assert refused or stricter or not broken


def test_thousands_of_empty_fragments_are_one_message():
    first, more = frame(TEXT, "", fin=False), frame(0, "", fin=False)

    (got,) = decoded([first, *(more * 1000 for _ in range(20)), frame(0, "end")])

    assert got == (TEXT, "end", 3, 3)


VIOLATIONS = {
    "a terabyte announced": (frame(BINARY, claim=1 << 40), 1009),
    "the highest bit of a length": (frame(BINARY, claim=1 << 63), 1009),
    "too long in pieces": (frame(BINARY, b"x" * 600, fin=False) + frame(0, claim=401), 1009),
    "a masked frame": (frame(TEXT, "x", mask=b"abcd")[:2], 1002),
    "a fragmented ping": (frame(PING, fin=False, claim=1), 1002),
    "a ping too long": (frame(PING, claim=126), 1002),
}


@pytest.mark.parametrize(("data", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_head_is_refused_before_its_payload_has_come(data, code):
    found = decoded([bytes([byte]) for byte in data], most=1000)

    assert [each.code for each in found] == [code]


def test_a_message_of_the_most_bytes_is_decoded():
    assert decoded([frame(BINARY, b"x" * 1000)], most=1000) == [(BINARY, b"x" * 1000, 1000, 1000)]
    assert decoded([frame(BINARY, b"x" * 1001)], most=1000)[0].code == 1009


@given(st.sampled_from([1000, 1001, 1012, 3000, 4999]), st.text(max_size=200))
def test_a_close_frame_fits_whatever_the_reason_is(code, reason):
    ((_, payload, _, _),) = decoded([unmasked(encode_close(code, reason))])

    assert decode_close(payload)[0] == code
    assert reason.startswith(decode_close(payload)[1])
    assert read_by_reference(encode_close(code, reason))[0][3] == payload


@pytest.mark.parametrize("code", range(990, 1030))
def test_the_close_codes_are_those_of_the_reference(code):
    payload = struct.pack("!H", code)
    try:
        read_by_reference(frame(CLOSE, payload))
    except WebSocketException:
        with pytest.raises(ProtocolViolation):
            decode_close(payload)
    else:
        assert decode_close(payload) == (code, "")


def test_no_two_frames_have_the_same_mask():
    keys = {encode(b"", PING)[2:6] for _ in range(2000)}

    assert len(keys) > 1990


@given(st.binary(max_size=2000), st.binary(min_size=4, max_size=4))
def test_the_mask_is_that_of_the_reference_with_and_without_the_c_module(data, key):
    assert integer_mask.apply_mask(data, key) == masking.apply_mask(data, key) == bytes(ABNF.mask(key, data))


def test_the_c_module_masks_where_there_is_one():
    speedups = pytest.importorskip("websockets.speedups")

    assert masking.apply_mask is speedups.apply_mask
