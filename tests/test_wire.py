"""Messages and windows survive the wire whole, and nothing else is taken for one."""

import math
import struct
from dataclasses import astuple, replace
from random import Random

import lz4.block
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_windows import body_of, content_of
from thorough import examples

from chaperon.cluster.protocol.codec import PROTOCOL, decode, encode
from chaperon.cluster.protocol.messages import KINDS, Hello, Lease, Offer, Ping, Pong, WindowFrame
from chaperon.errors import OtherProtocol, WireError
from chaperon.measure.encoding.strict_msgpack import LARGEST, pack, unpack
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.series import Series
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import RunEvent, VisitCounts, Window
from chaperon.report.collector import Collector

PING = Ping("alpha", 7, 3, "sending", 1.5, leases=(Lease("0:1/8", 2, 30),), cut=4)
PONG = Pong(3, "run", 1.5, 2.0, 2.1, None, 10.0, 4, (6, 7), (Lease("0:1/8", 2, 0, 5, True),))


@pytest.mark.parametrize("message", [PING, PONG, Hello("a", 1, "0.1", "3.11", "host", 2, 1.0), Offer(1, Lease("x", 1))])
def test_a_message_arrives_as_it_was_said(message):
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "data",
    {
        "nothing": b"",
        "text": b"GET / HTTP/1.1\r\n\r\n",
        "no list": pack({"a": 1}),
        "too short": pack((PROTOCOL, "Ping")),
        "unknown kind": pack((PROTOCOL, "Delete", ())),
        "kind no text": pack((PROTOCOL, ["Ping"], ())),
        "too few fields": pack((PROTOCOL, "Bye", ("alpha",))),
        "text for a number": pack((PROTOCOL, "Bye", ("alpha", "7"))),
        "truth for a number": pack((PROTOCOL, "Bye", ("alpha", True))),
        "not a number": pack((PROTOCOL, "Ping", (*astuple(PING)[:4], math.nan, *astuple(PING)[5:]))),
        "unknown state": pack((PROTOCOL, "Ping", (*astuple(PING)[:3], "dancing", *astuple(PING)[4:]))),
        "lease with a hole": pack((PROTOCOL, "Offer", (1, ("x",)))),
        "two at once": encode(PING) * 2,
        "cut off": encode(PING)[:-1],
        "oversized": b"\xc6" + (LARGEST + 1).to_bytes(4, "big") + bytes(LARGEST + 1),
        "deep": b"\x91" * 5000,
    }.values(),
)
def test_what_is_none_of_our_messages_is_refused(data):
    with pytest.raises(WireError):
        decode(data)


def test_another_protocol_is_told_apart_from_nonsense():
    with pytest.raises(OtherProtocol, match=f"protocol {PROTOCOL + 1}"):
        decode(pack((PROTOCOL + 1, "Whatever", "of any form")))


@settings(max_examples=examples(300))
@given(st.binary(max_size=200), st.sampled_from([encode(PING), encode(PONG)]), st.data())
def test_bytes_changed_on_the_way_are_read_or_refused_and_never_more(noise, message, data):
    at = data.draw(st.integers(0, len(message)))
    changed = message[:at] + noise + message[at + data.draw(st.integers(0, 20)) :]

    try:
        read = decode(changed)
    except WireError:
        return

    assert type(read) in KINDS


def recorded(samples, began=1000.0):
    recorder = Recorder("alpha", began=began)
    for sample in samples:
        recorder.record(sample)
    return recorder


def sample(name="GET /", took=0.1, start=1000.2, failure=None, due=None, kind="http", value=None):
    return Sample(Key("shop", name, kind, tags=(("zone", "eu"),)), start, start + took, failure, 120, due, value)


def whole(window):
    return [
        (key, s.bytes, s.last, [(v.count, v.total, v.low, v.high) for v in s.sketches])
        for key, s in window.series.items()
    ]


def test_a_window_arrives_with_every_count_exact():
    recorder = recorded(
        [sample(took=0.1 * n, due=1000.1) for n in range(1, 8)]
        + [sample("POST /", failure=Failure("timeout", "after 1 s"))]
        + [sample("level", kind="gauge", value=-3.25), sample("size", kind="value", value=1e300)]
    )
    recorder.count_visit("shop", 1000.4, "planned")
    recorder.count_visit("shop", 1000.4, "done")
    recorder.count_note("something")
    recorder.lag.tick(1000.0, 1000.25, 1000.26)
    late = Series()
    late.good.add([0.0, 0.25])
    window = recorder.cut(users=3, health={"cpu": 0.5}, progress={"0:0/8": (4, 3, 0)}, late=late)
    window = replace(window, phases={("shop", "hold"): 0.5}, happenings=(RunEvent(0.5, "blocked", "time.sleep", 2.0),))

    arrived = unpack_window(pack_window(window, began=1000.0), "alpha", began=1000.0)

    assert whole(arrived) == whole(window)
    assert arrived.ledger == {("shop", 0): VisitCounts(planned=1, done=1)}
    assert arrived.errors == window.errors
    for name in ("worker", "seq", "at", "users", "health", "progress", "notes", "phases", "happenings"):
        assert getattr(arrived, name) == getattr(window, name)
    assert set(arrived.generator) == {"late", "lag"}
    for name, series in window.generator.items():
        assert arrived.generator[name].good.count == series.good.count
        assert arrived.generator[name].good.high == series.good.high


def test_moments_are_moved_to_the_clock_of_the_receiver():
    window = recorded([sample(start=1003.0, took=0.5)]).cut()

    arrived = unpack_window(pack_window(window, began=1000.0), "alpha", began=50.0)

    series = next(iter(arrived.series.values()))
    assert series.last[0] == 53.5
    assert series.slowest == [(0.5, 53.5)]


values = st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=600)


@settings(max_examples=examples(60))
@given(values)
def test_quantiles_survive_to_the_stated_precision(numbers):
    window = recorded([sample("size", kind="value", value=v) for v in numbers]).cut()

    arrived = unpack_window(pack_window(window, began=0.0), "alpha", began=0.0)

    before, after = (next(iter(w.series.values())).good for w in (window, arrived))
    for q in (0.0, 0.01, 0.5, 0.9, 0.99, 1.0):
        assert after.quantile(q) == pytest.approx(before.quantile(q), rel=1.23e-4, abs=1e-30)


@settings(max_examples=examples(40))
@given(st.lists(values, min_size=1, max_size=5), st.integers(0, 5))
def test_sketches_that_arrived_add_up_to_all_their_samples_whether_looked_at_or_not(parts, looked_at):
    bodies = [pack_window(recorded([sample("size", kind="value", value=v) for v in p]).cut(), began=0.0) for p in parts]
    arrived = [next(iter(unpack_window(b, "alpha", began=0.0).series.values())).good for b in bodies]
    for sketch in arrived[:looked_at]:
        sketch.quantile(0.5)

    whole = Sketch.merge_all(arrived)
    more = Sketch.merge_all([whole, *arrived])

    numbers = sorted(v for part in parts for v in part)
    assert (whole.count, whole.low, whole.high) == (len(numbers), numbers[0], numbers[-1])
    assert sum(weight for _, weight in whole.clusters) == len(numbers)
    assert sum(weight for _, weight in more.clusters) == more.count == 2 * len(numbers)
    assert whole.low <= whole.quantile(0.5) <= whole.high
    near = len(numbers) // 20 + 1  # ranks by which a sketch of windows may be off
    assert numbers[max((len(numbers) - 1) // 2 - near, 0)] * (1 - 2e-4) - 1e-30 <= whole.quantile(0.5)
    assert whole.quantile(0.5) <= numbers[min(len(numbers) // 2 + near, len(numbers) - 1)] * (1 + 2e-4) + 1e-30


def test_a_window_that_tells_of_a_series_twice_is_refused():
    window = recorded([sample("a"), sample("b")]).cut()
    content = content_of(pack_window(window, began=0.0))
    content[11] = pack([unpack(content[11])[0]] * 2)

    with pytest.raises(WireError, match="listed twice"):
        unpack_window(body_of(content), "alpha", began=0.0)


def test_a_window_of_nothing_is_a_window():
    assert unpack_window(pack_window(Window("alpha", 1, 0), began=0.0), "alpha", began=0.0) == Window("alpha", 1, 0)


@settings(max_examples=examples(300))
@given(st.data())
def test_a_window_that_was_tampered_with_is_read_or_refused(data):
    body = bytearray(pack_window(recorded([sample(took=0.1 * n) for n in range(1, 30)]).cut(), began=1000.0))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    try:
        window = unpack_window(bytes(body), "alpha", began=0.0)
    except WireError:
        return

    for series in window.series.values():
        assert isinstance(series.good, Sketch)
        assert series.good.low <= series.good.high or not series.good


WHOLE = pack_window(recorded([sample()]).cut(), began=1000.0)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (lz4.block.compress(bytes(64 << 20)), "too large"),
        (b"\xff\xff\xff\x7f" + WHOLE[4:], "too large"),
        (bytes(LARGEST + 1), "too large"),
        (b"", "not a valid LZ4 block"),
        (b"\1\0\0", "not a valid LZ4 block"),
        (WHOLE[:-1], "not a valid LZ4 block"),
        (WHOLE + b"\0", "not a valid LZ4 block"),
        (lz4.block.compress(b""), "not msgpack"),
        (lz4.block.compress(b"\xc1"), "not msgpack"),
    ],
)
def test_a_window_that_does_not_decompress_to_a_message_is_refused(body, why):
    with pytest.raises(WireError, match=why):
        unpack_window(body, "alpha", began=0.0)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, -math.nan])
@pytest.mark.parametrize(("column", "kind"), [(0, "d"), (1, "means"), (3, "f")])
def test_a_window_with_a_number_that_is_not_finite_is_refused(column, kind, number):
    content = content_of(pack_window(recorded([sample(took=0.1 * n) for n in range(1, 9)]).cut(), began=1000.0))
    planes = list(content[16])
    if kind == "means":  # of the first one its upper bytes, in as many rows of bytes
        raw, length = struct.pack("<d", number)[5:], len(planes[1]) // 3
        planes[1] = b"".join(raw[n : n + 1] + planes[1][n * length + 1 : (n + 1) * length] for n in range(3))
    elif kind == "f":
        raw, length = struct.pack("f", number), len(planes[3]) // 4
        planes[3] = b"".join(raw[n : n + 1] + planes[3][n * length + 1 : (n + 1) * length] for n in range(4))
    else:
        planes[0] = struct.pack("d", number) + planes[0][8:]
    content[16] = planes

    with pytest.raises(WireError, match="not finite"):
        unpack_window(body_of(content), "alpha", began=0.0)


def test_numbers_that_are_large_are_finite():
    size, level = Key("shop", "size", "gauge"), Key("shop", "level", "gauge")
    large, negative = Series(), Series()
    large.add([(size, 0.0, 1.0, None, 0, None, 1e307)])
    negative.add([(level, 0.0, 1.0, None, 0, None, -1e307)])
    window = Window("alpha", 1, 0, {size: large, level: negative})

    arrived = unpack_window(pack_window(window, began=0.0), "alpha", began=0.0)

    assert [series.good.high for series in arrived.series.values()] == [1e307, -1e307]


def test_a_frame_carries_its_window_untouched():
    frame = WindowFrame("alpha", 7, 3, 1, bytes(range(256)))

    assert decode(encode(frame)).body == bytes(range(256))


def windows_of(samples, workers):
    """Return the packed windows of ten seconds, the samples dealt among workers in turn."""
    packed = []
    for worker in range(workers):
        recorder = Recorder(f"w{worker}", began=0.0)
        for second in range(10):
            for took in samples[second][worker::workers]:
                recorder.record(Sample(Key("shop", "GET /"), second, second + took))
            packed.append((f"w{worker}", pack_window(recorder.cut(), began=0.0)))
    return packed


def quantiles(packed, workers):
    collector = Collector([f"w{n}" for n in range(workers)])
    for worker, body in packed:
        collector.add(unpack_window(body, worker, began=0.0))
    (series,) = collector.totals().series.values()
    return [series.good.quantile(q) for q in (0.5, 0.9, 0.99, 0.999)]


def test_quantiles_of_three_workers_are_those_of_one_and_the_same_in_whatever_order_windows_come():
    chance = Random(5)
    samples = [[chance.lognormvariate(-4, 0.6) for _ in range(3_000)] for _ in range(10)]
    everything = sorted(took for second in samples for took in second)

    packed = windows_of(samples, 3)
    three = quantiles(packed, 3)
    shuffled = quantiles(chance.sample(packed, len(packed)), 3)

    assert three == shuffled
    assert three == pytest.approx(quantiles(windows_of(samples, 1), 1), rel=0.01)
    for q, value in zip((0.5, 0.9, 0.99, 0.999), three, strict=True):
        assert value == pytest.approx(everything[int(q * len(everything))], rel=0.01)
