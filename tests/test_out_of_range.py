"""No decoder lets a number out of range, a value of another type or one nested too deep pass."""

import math
import types
from dataclasses import fields, is_dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from packed_windows import body_of, content_of

from chaperon.cluster.protocol import messages
from chaperon.cluster.protocol.codec import PROTOCOL, decode, encode, require_sendable
from chaperon.cluster.protocol.messages import Lease, Ping, Welcome, WorkerDied
from chaperon.errors import LoadError, RunFileError, WireError
from chaperon.measure.closing import Closing
from chaperon.measure.encoding import window_codec
from chaperon.measure.encoding.strict_msgpack import LARGEST, pack, reader, unpack
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import RunEvent, VisitCounts
from chaperon.report.run_file import records
from chaperon.signed import SIGNED

WHOLE = (-1, 2**53 + 1, 2**64 - 1, True, 1.0, "1", None, (), {})
REAL = (-1.0, math.nan, math.inf, 1e300, True, "1.0", (), {})
SIGNED_WHOLE = (True, 1.0, "1", None)
SIGNED_REAL = (math.nan, -math.inf, 1e300, True, "1.0")
NAMES, COUNTS = 11, 15
"""Where in a window the names of its series are, and their counts."""
OTHER = {str: (1, b"a", None, ()), bytes: ("a", 1, None), bool: (0, 1, None, "yes")}


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


ANY = (math.nan, -math.inf, [{"a": math.nan}], {"a": [math.inf]}, deep(101), deep(400))


def valid(hint):
    """Return a value that the reader of a type accepts."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return valid(inner[0])
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return (valid(inner[0]),) if inner[1:] == (...,) else tuple(map(valid, inner))
    if origin is dict:
        return {valid(inner[0]): valid(inner[1])}
    if origin in (Union, types.UnionType):
        return valid(inner[0])
    if has_fields(hint):
        return tuple(valid(one) for one in hints_of(hint))
    return {str: "a", bytes: b"a", bool: True, int: 1, float: 1.0, Any: 1, object: 1}[hint]


def has_fields(hint):
    return is_dataclass(hint) or hasattr(hint, "_fields")


def hints_of(kind):
    known = get_type_hints(kind, include_extras=True)
    if not is_dataclass(kind):
        return list(known.values())
    return [
        Annotated[known[each.name], SIGNED] if SIGNED in each.metadata else known[each.name] for each in fields(kind)
    ]


def wrong(hint, signed=False):
    """Yield values of a type with one wrong thing in each."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from wrong(inner[0], signed or SIGNED in inner)
    elif origin is Literal:
        yield from (-1, None, "dancing", 1.0, ())
    elif origin is tuple and inner[1:] == (...,):
        yield from (1, {})
        yield from ((valid(inner[0]), bad) for bad in wrong(inner[0], signed))
    elif origin is tuple:
        yield from inside(inner, signed)
    elif origin is dict:
        yield ()
        yield from ({valid(inner[0]): bad} for bad in wrong(inner[1], signed))
    elif origin in (Union, types.UnionType):
        yield from (bad for bad in wrong(inner[0], signed) if bad is not None)
    elif has_fields(hint):
        yield from inside(hints_of(hint), signed)
    elif hint is int:
        yield from SIGNED_WHOLE if signed else WHOLE
    elif hint is float:
        yield from SIGNED_REAL if signed else REAL
    elif hint is Any:
        yield from ANY
    elif hint is not object:
        yield from OTHER[hint]


def inside(hints, signed):
    """Yield lists of fields with one wrong field, one too few, one too many."""
    good = tuple(map(valid, hints))
    yield from (good[:-1], (*good, 1))
    for place, hint in enumerate(hints):
        yield from ((*good[:place], bad, *good[place + 1 :]) for bad in wrong(hint, signed))


def accepted(hint, decoder, error):
    """Return the wrong values of a type that a decoder does not refuse by *error*."""
    decoder(valid(hint))
    passed = []
    for bad in wrong(hint):
        try:
            decoder(bad)
        except error:
            continue
        passed.append(bad)
    return passed


@pytest.mark.parametrize("kind", messages.KINDS)
def test_a_message_with_one_wrong_field_is_refused(kind):
    def decoded(values):
        return decode(pack((PROTOCOL, kind.__name__, values)))

    assert accepted(kind, decoded, WireError) == []


@pytest.mark.parametrize("number", range(2, len(records.KINDS) + 1))
def test_a_record_of_a_run_file_with_one_wrong_field_is_refused(number):
    def decoded(values):
        return records.decode(number, pack(values))

    assert accepted(records.KINDS[number - 1], decoded, RunFileError) == []


def test_a_header_of_a_run_file_with_one_wrong_field_is_refused():
    hints = hints_of(records.RunHeader)[1:]

    def decoded(values):
        return records.decode(1, pack((records.SCHEMA, *values)))

    assert accepted(tuple[tuple(hints)], decoded, RunFileError) == []


def test_a_window_with_one_wrong_field_is_refused():
    recorder = Recorder("w", began=0.0)
    for failure in (None, Failure("Refused", "no")):
        recorder.record(Sample(Key("shop", "GET /", "http"), 0.1, 0.2, failure, 3))
    whole = content_of(pack_window(recorder.cut(), began=0.0))
    hints = get_args(window_codec._Packed)[:-1]

    def decoded(values):
        return unpack_window(body_of((*values, *whole[len(values) :])), "w", began=0.0)

    good = list(map(valid, hints))
    for place in (NAMES, NAMES + 1, COUNTS):  # as many names as there are series
        good[place] = whole[place]
    assert decoded(good).series
    for place, hint in enumerate(hints):
        for bad in wrong(hint):
            with pytest.raises(WireError):
                decoded((*good[:place], bad, *good[place + 1 :]))


@pytest.mark.parametrize("name", [1, None, "GET /", {}, [{}], ["shop", "GET /", "http", "steady", [["a", []]]]])
def test_a_window_whose_series_has_no_name_is_refused(name):
    recorder = Recorder("w", began=0.0)
    recorder.record(Sample(Key("shop", "GET /"), 0.1, 0.2))
    window = content_of(pack_window(recorder.cut(), began=0.0))
    window[NAMES] = pack([name])

    with pytest.raises(WireError):
        unpack_window(body_of(window), "w", began=0.0)


@pytest.mark.parametrize("place", [0, 2])
def test_a_window_with_a_count_that_no_sum_could_hold_is_refused(place):
    recorder = Recorder("w", began=0.0)
    recorder.record(Sample(Key("shop", "GET /"), 0.1, 0.2, None, 3))
    window = content_of(pack_window(recorder.cut(), began=0.0))
    window[COUNTS] = [2**63 if each == place else number for each, number in enumerate(window[COUNTS])]

    with pytest.raises(WireError, match="not a whole number from 0"):
        unpack_window(body_of(window), "w", began=0.0)


@pytest.mark.parametrize("failure", [None, Failure("Refused", "no"), Failure("timeout", censored=True)])
def test_a_window_with_a_time_below_0_is_refused_but_for_a_gauge(failure):
    recorder = Recorder("w", began=0.0)
    key = Key("shop", "GET /", "gauge")
    recorder.record(Sample(key, 0.1, 0.2, failure, value=-1.0))
    window = recorder.cut()

    assert key in unpack_window(pack_window(window, began=0.0), "w", began=0.0).series
    other = replace(window, series={key._replace(kind="http"): window.series[key]})
    with pytest.raises(WireError, match="a time below 0"):
        unpack_window(pack_window(other, began=0.0), "w", began=0.0)


@pytest.mark.parametrize("place", [3, 4, 8])
def test_a_window_that_counts_a_place_twice_is_refused(place):
    recorder = Recorder("w", began=0.0)
    recorder.record(Sample(Key("shop", "GET /"), 0.1, 0.2, Failure("Refused", "no")))
    recorder.count_visit("shop", 0.0, "planned")
    window = content_of(pack_window(recorder.cut(), began=0.0))
    window[8] = [[["shop", "hold"], 1.0]]
    window[place] = [window[place][0]] * 2

    with pytest.raises(WireError, match="listed twice"):
        unpack_window(body_of(window), "w", began=0.0)


def test_what_may_be_negative_stays():
    died = WorkerDied("w", 1, -9)
    event = RunEvent(-0.5, "blocked", "a call", 0.5)
    lost = records.Correction((("shop", 3, VisitCounts(planned=-2, lost=-2)),))

    assert decode(encode(died)) == died
    assert reader(RunEvent)(unpack(pack(event))) == event
    assert records.decode(*records.encode(lost)) == lost


def test_ten_times_the_largest_message_is_refused_before_it_is_read():
    for data in (bytes(10 * LARGEST), pack((PROTOCOL, "Ping", b"x" * 10 * LARGEST))):
        with pytest.raises(WireError, match="exceeds the limit"):
            decode(data)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"wait": math.inf}, "inf is not a finite number"),
        ({"rows": [1.0, math.nan]}, "nan is not a finite number"),
        ({"tree": deep(200)}, "nested more than 100 deep"),
    ],
)
def test_what_a_worker_would_refuse_is_not_sent(value, why):
    welcome = Welcome(1, "http://x", "0" * 64, 1, {}, value, 8, 2, 10.0, 10.0)

    with pytest.raises(LoadError, match=f"what setup returned cannot be sent to workers: .*{why}"):
        require_sendable(welcome, {"what setup returned": value})


def test_a_negative_progress_of_a_lease_is_refused():
    with pytest.raises(WireError, match="-30 is not a whole number from 0"):
        decode(encode(Ping("w", 1, 1, "sending", 1.0, leases=(Lease("0:1/8", 2, -30),))))


def test_a_worker_that_was_stopped_before_the_load_began_says_so():
    ping = Ping("w", 1, 1, "ended", 1.0, over=True, closing=Closing(1, 0, stopped=-0.4))

    assert decode(encode(ping)) == ping
