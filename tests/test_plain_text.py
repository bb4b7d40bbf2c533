"""Text from outside, however odd, reaches the report through every entrance, in one process and over the wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import simulated

from chaperon import Environment, Scenario, iterations, run, users
from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import Hello, Ping, Welcome
from chaperon.cluster.worker.join import Identity
from chaperon.execution.running import Running
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.plain_text import LABEL, NAME, WORDS, encodable
from chaperon.measure.recorder import SIZES_REFUSED, Recorder
from chaperon.measure.sample import Failure, Key
from chaperon.measure.window import RunEvent
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.json import as_dict
from chaperon.report.verdict import RunInfo
from chaperon.testing import VirtualClock

ODD = [
    "\ud83d",
    "\ude00",
    "\ude00\ud83d",
    "half \ud83d of it",
    "\udc80\udcff",
    "surrogateescape \udce9",
    "x" * 5_000,
    "\ud83d" * 5_000,
    "é" * 5_000,
    "e\u0301" * 300,
    "",
    " ",
    "\x00",
    "\x1b[31mred\x1b[0m",
    "a\nb\r\nc",
    "\u2028\u2029",
    "\ufeff",
    "\ufffe\uffff",
    "\U0010ffff",
    "\U0001f600",
    "\u202eright to left",
    "[bold]rich[/bold] [/]",
    "{brace}",
    "{0} {x!r}",
    "%s %d %",
    "'\"\\",
    "</script><script>",
    "a,b;c=d",
    "((nested)",
    "\x7f\x80\x9f",
    "ﷺ" * 200,
    "\t",
    "NaN",
    "null",
]


def said(session, text):
    raise ValueError(text)


def classed(session, text):
    with session.measure("own") as timed:
        timed.fail(text, text)


def tagged(session, text):
    with session.tagged(area=text, **{text or "x": 1}):
        session.count("n")


def measured(session, text):
    with session.measure(text, kind=text):
        pass


ENTRANCES = {
    "message": said,
    "error class": classed,
    "name of a value": lambda s, text: s.record(text, 1.0),
    "unit": lambda s, text: s.record("size", 1.0, unit=text),
    "name of a count": lambda s, text: s.count(text),
    "name of a gauge": lambda s, text: s.gauge(text, 1.0),
    "name of a check": lambda s, text: s.check(text, False),
    "name of a call": measured,
    "tag": tagged,
    "reason to stop": lambda s, text: s.stop_run(text),
    "reason to abort": lambda s, text: s.abort(text),
    "task": lambda s, text: s.join(s.spawn(lambda inner: None, task=text)),
    "nested scenario": lambda s, text: s.run(Scenario(lambda inner: inner.count("n"), name=text or "x")),
}


@pytest.fixture
def windows(monkeypatch):
    """Take every window of a run through the codec on its way to the report."""
    carried = []
    add = Collector.add

    def through(self, window):
        body = pack_window(window, began=0.0)
        there = unpack_window(body, window.worker, began=0.0)
        assert {key: series.count for key, series in there.series.items()} == {
            key: series.count for key, series in window.series.items()
        }
        assert there.errors == window.errors
        assert there.notes == window.notes
        carried.append(there)
        add(self, there)

    monkeypatch.setattr(Collector, "add", through)
    return carried


@pytest.mark.long
@pytest.mark.compiled
@pytest.mark.parametrize("entrance", ENTRANCES, ids=lambda name: name.replace(" ", "-"))
def test_odd_text_reaches_the_report_by_every_entrance(entrance, windows):
    for text in ODD:

        def visit(session, text=text):
            session.check("made", True)
            ENTRANCES[entrance](session, text)

        report = simulated(visit, load=iterations(3, users=3))

        made = report["check made"].count
        assert made == report.visits.done + report.visits.failed + report.visits.interrupted > 0
        assert report.visits.balanced
        assert (report.visits.planned, report.visits.lost) == (3, 0)
        json.dumps(as_dict(report), ensure_ascii=False).encode()
    assert windows


@pytest.mark.parametrize("text", ODD)
def test_labels_names_and_limits_may_be_odd(text, windows):
    scenario = Scenario(lambda session: session.count("n"), name="shop")
    clock = VirtualClock()
    environment = Environment(scenarios=[run(scenario, users(2), name=text or "shop")], name=text)
    running = Running(environment.plan(), clock=clock).start()
    clock.run(lambda: running.ended)

    report = running.report()
    assert report.verdict.value == "PASS", report.reasons
    assert report.visits.done == report["n"].count == 2
    json.dumps(as_dict(report), ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ODD)
def test_what_a_recorder_takes_survives_the_codec(text):
    recorder = Recorder("w", began=0.0)
    for kind in ("http", text):
        recorder.record_fields(
            Key(text, text, kind, text, ((text, text),)), 0.0, 1.0, Failure(text, text), 3, None, None
        )
    recorder.count_note(text)
    recorder.record_event(RunEvent(0.0, "change", text))
    recorder.count_visit(encodable(text, NAME), 0.0, "planned")

    window = recorder.cut()
    there = unpack_window(pack_window(window, began=0.0), "w", began=0.0)

    assert sum(series.count for series in there.series.values()) == 2
    assert there.errors == window.errors
    assert there.notes == window.notes
    assert list(there.happenings) == list(window.happenings)
    assert all(len(key.name) <= NAME and len(key.kind) <= LABEL for key in there.series)
    assert all(len(trouble.sample) <= WORDS for trouble in there.errors.values())


@pytest.mark.parametrize("text", ODD)
def test_messages_carry_odd_text(text):
    identity = Identity(text, 1)
    ping = Ping(text, 1, 2, "ready", 0.0, note=text, stop=text)

    name, _, number = identity.routing_id.decode().rpartition("/")
    assert identity.name.startswith(name)
    assert number == "1"
    assert len(identity.routing_id) <= 230  # of 255; a later connection adds its number
    assert isinstance(decode(encode(identity.hello)), Hello)
    heard = decode(encode(ping))
    assert heard.note == heard.stop == encodable(text, 10**6)
    heard.note.encode()


def test_a_config_crosses_the_wire_as_it_is():
    given = {"half": "\ud83d", "whole": "é"}
    welcome = Welcome(1, "shop.py", "d", 0, {}, given, 8, 1, 10.0, 30.0)

    assert decode(encode(welcome)).setup_result == given


def test_what_is_said_of_a_run_is_encodable():
    watch = RunMonitor(Collector(["local"]), [], brake=None)
    watch.set_aborted("\ud83d")
    watch.add_fault("\udc80")
    watch.collector.count_note("\ude00")

    report = watch.report(RunInfo("\ud83d", 0, "", 0.0), finished=True)

    json.dumps(as_dict(report), ensure_ascii=False).encode()
    assert "\\ud83d" in report.reasons
    assert "\\udc80" in report.reasons


@given(st.text(st.characters(codec=None), max_size=700), st.integers(1, 600))
def test_whatever_the_text_it_is_encodable_bounded_and_left_alone_where_it_can_be(text, most):
    made = encodable(text, most)

    made.encode("utf-8")
    assert len(made) <= most
    assert encodable(made, most) == made
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        assert made == text or (len(text) > most and made == f"{text[: most - 1]}…")


class Odd(str):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("value", [None, 5, b"bytes", ValueError("x"), object(), Odd("x"), Odd])
def test_what_is_no_text_becomes_some(value):
    made = encodable(value)

    assert type(made) is str
    assert made


def test_a_size_that_is_none_is_left_out_and_said():
    recorder = Recorder("w", began=0.0)
    for size in (-1, 2**60, 2**70):
        recorder.record_fields(Key("shop", "GET /"), 0.0, 1.0, None, size, None, None)

    window = recorder.cut()

    pack_window(window, began=0.0)
    assert window.series[Key("shop", "GET /")].count == 3
    assert window.notes[SIZES_REFUSED] == 3


def test_a_sum_of_great_values_stays_finite():
    recorder = Recorder("w", began=0.0)
    for value in (1e308, 1e308, 9e289, 9e289, -1e308):
        recorder.record_fields(Key("shop", "v", "gauge"), 0.0, 1.0, None, 0, None, value)

    window = recorder.cut()

    there = unpack_window(pack_window(window, began=0.0), "w", began=0.0)
    assert there.series[Key("shop", "v", "gauge")].count == 2
